//! Prints what io_uring of this kernel has: `cargo run -p uring --example probe`

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use uring::{Capabilities, Features, Op, RegisterOp, SetupFlags, SqeFlags};

fn main() -> ExitCode {
    let printed = match Capabilities::get() {
        Ok(kernel) => io::stdout().write_all(report(kernel).as_bytes()),
        Err(error) => Err(io::Error::other(error)),
    };
    match printed {
        // Whoever reads this may stop when it has seen enough, as `head` does.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "probe: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn report(kernel: &Capabilities) -> String {
    let mut out = String::new();
    out += &table("operations", Op::ALL.iter().map(|op| (op.name(), kernel.supports(*op))));
    out += &table(
        "register operations",
        RegisterOp::ALL.iter().map(|op| (op.name(), kernel.supports_register(*op))),
    );
    let flags = SetupFlags::NAMES.iter();
    out +=
        &table("set-up flags", flags.map(|(flag, name)| (Some(*name), kernel.setup_flags().contains(*flag))));
    let flags = SqeFlags::NAMES.iter();
    out += &table(
        "flags of requests",
        flags.map(|(flag, name)| (Some(*name), kernel.sqe_flags().contains(*flag))),
    );
    let flags = Features::NAMES.iter();
    out += &table("features", flags.map(|(flag, name)| (Some(*name), kernel.features().contains(*flag))));
    match kernel.zcrx() {
        Some(zcrx) => writeln!(out, "receiving without copies: {zcrx:?}"),
        None => writeln!(out, "receiving without copies: the kernel does not say"),
    }
    .expect("a string has room");
    out
}

/// Names in three columns, those that are missing with a mark.
fn table(title: &str, rows: impl Iterator<Item = (Option<&'static str>, bool)>) -> String {
    let rows: Vec<_> = rows.map(|(name, has)| (name.unwrap_or("?"), if has { ' ' } else { '-' })).collect();
    let missing = rows.iter().filter(|(_, mark)| *mark == '-').count();
    let mut out = format!("{title}: {} of {}\n", rows.len() - missing, rows.len());
    for line in rows.chunks(3) {
        let line: String = line.iter().map(|(name, mark)| format!("  {mark} {name:<26}")).collect();
        out += line.trim_end();
        out += "\n";
    }
    out + "\n"
}
