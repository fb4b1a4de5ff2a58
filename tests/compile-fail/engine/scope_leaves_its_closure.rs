use engine::{Options, operation::Never};

fn main() {
    let mut kept = None;
    let mut engine = Options::new(1).build::<Never>().unwrap();
    engine
        .scope(|s| {
            kept = Some(s);
            Ok(())
        })
        .unwrap();
    drop(kept);
}
