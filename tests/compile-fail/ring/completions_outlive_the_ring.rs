fn main() {
    let mut ring: uring::Ring = uring::Ring::new(4).unwrap();
    let completions = ring.completions().unwrap();
    drop(ring);
    println!("{}", completions.count());
}
