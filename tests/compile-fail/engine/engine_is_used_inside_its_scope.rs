use engine::{Options, operation::Never};

fn main() {
    let mut engine = Options::new(1).build::<Never>().unwrap();
    engine
        .scope(|_| {
            engine.submit()?;
            Ok(())
        })
        .unwrap();
}
