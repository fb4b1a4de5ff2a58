fn main() {
    let mut ring: uring::Ring = uring::Ring::new(4).unwrap();
    let request = uring::Sqe::from(uring::op::ring::Nop::new());
    ring.push(request).unwrap();
    ring.push(request).unwrap();
}
