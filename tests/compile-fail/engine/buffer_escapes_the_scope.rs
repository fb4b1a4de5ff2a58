//! What is read into a buffer of the closure's own would be read into nothing.
use engine::{Options, operation::Never};

fn main() {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let mut engine = Options::new(1).build::<Never>().unwrap();
    engine
        .scope(|s| {
            let mut buffer = [0; 8];
            s.read_at(&file, &mut buffer, 0)?;
            Ok(())
        })
        .unwrap();
}
