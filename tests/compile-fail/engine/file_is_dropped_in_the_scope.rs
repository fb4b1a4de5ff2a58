use engine::{Options, operation::Never};

fn main() {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let mut buffer = [0; 8];
    let mut engine = Options::new(1).build::<Never>().unwrap();
    engine
        .scope(|s| {
            s.read_at(&file, &mut buffer, 0)?;
            drop(file);
            Ok(())
        })
        .unwrap();
}
