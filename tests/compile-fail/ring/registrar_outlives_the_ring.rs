fn main() {
    let ring: uring::Ring = uring::Ring::new(4).unwrap();
    let registrar = ring.registrar();
    drop(ring);
    registrar.unregister_files().unwrap();
}
