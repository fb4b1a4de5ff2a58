//! Prints what io_uring of this kernel has: `cargo run -p uring --example probe`

use uring::{Capabilities, Features, Op, RegisterOp, SetupFlags, SqeFlags};

fn main() -> Result<(), uring::Error> {
    let kernel = Capabilities::get()?;
    table("operations", Op::ALL.iter().map(|op| (op.name(), kernel.supports(*op))));
    table("register operations", RegisterOp::ALL.iter().map(|op| (op.name(), kernel.supports_register(*op))));
    let flags = SetupFlags::NAMES.iter();
    table("set-up flags", flags.map(|(flag, name)| (Some(*name), kernel.setup_flags().contains(*flag))));
    let flags = SqeFlags::NAMES.iter();
    table("flags of requests", flags.map(|(flag, name)| (Some(*name), kernel.sqe_flags().contains(*flag))));
    let flags = Features::NAMES.iter();
    table("features", flags.map(|(flag, name)| (Some(*name), kernel.features().contains(*flag))));
    match kernel.zcrx() {
        Some(zcrx) => println!("receiving without copies: {zcrx:?}"),
        None => println!("receiving without copies: the kernel does not say"),
    }
    Ok(())
}

/// Prints names in three columns, those that are missing with a mark.
fn table(title: &str, rows: impl Iterator<Item = (Option<&'static str>, bool)>) {
    let rows: Vec<_> = rows.map(|(name, has)| (name.unwrap_or("?"), if has { ' ' } else { '-' })).collect();
    let missing = rows.iter().filter(|(_, mark)| *mark == '-').count();
    println!("{title}: {} of {}", rows.len() - missing, rows.len());
    for line in rows.chunks(3) {
        let line: String = line.iter().map(|(name, mark)| format!("  {mark} {name:<26}")).collect();
        println!("{}", line.trim_end());
    }
    println!();
}
