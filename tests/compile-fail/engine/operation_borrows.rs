//! What an engine has in flight may be leaked, so nothing in it may be borrowed.
use engine::operation::Write;
use engine::{Engine, Options};

fn main() {
    let bytes = vec![0; 8];
    let file = std::fs::File::create("/dev/null").unwrap();
    let mut engine: Engine<Write<std::fs::File, &[u8]>> = Options::new(1).build().unwrap();
    engine.add(Write::new(file, &bytes[..], 0)).unwrap();
}
