//! Measures random file I/O through `pread`, kernel AIO and io_uring, and checks every byte on the way.
//!
//! Without an argument it makes a file, reads and writes it each way and prints a table. Its other faces are
//! `probe` (what this kernel offers), `micro` (a loop for instruction counters), `compare` (AIO against
//! libaio, slice by slice), `rings` (io_uring against other libraries' rings) and `futures` (the engine on Tokio beside other futures).

#[cfg(not(target_os = "linux"))]
compile_error!("this program measures interfaces of Linux");

mod buffer;
mod case;
mod cli;
mod clock;
mod compare;
mod content;
mod engine;
mod futures;
mod measure;
mod micro;
mod oracle;
mod probe;
mod random;
mod report;
mod run;
mod target;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    // SAFETY: the default action is set before anything else runs. A reader that closes the pipe ends the
    // program, as it does with others, instead of making it panic.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => run::run(&cli.run),
        Some(Command::Probe(options)) => probe::run(&options),
        Some(Command::Micro(options)) => micro::run(&options),
        Some(Command::Compare(options)) => compare::run(&options),
        Some(Command::Rings(options)) => compare::rings(&options),
        Some(Command::Futures(options)) => futures::run(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
