//! Copies a file, many blocks at a time, over whichever interface is there: `cp [--uring|--aio|--threads] FROM TO`.

use std::fs::File;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use engine::operation::{Operations, Read, Sync, Write};
use engine::{BackendKind, Options};

const BLOCK: u64 = 128 << 10;
const DEPTH: usize = 32;

fn copy(from: &str, to: &str, only: Option<BackendKind>) -> io::Result<String> {
    let from = Arc::new(File::open(from)?);
    let to = Arc::new(File::create(to)?);
    let options = only.into_iter().fold(Options::new(DEPTH), Options::only);
    let mut engine = options.build::<Operations<Arc<File>, Vec<u8>>>()?;

    let mut next = 0;
    let len = from.metadata()?.len();
    while next < len && engine.space() > 0 {
        engine.add(Read::new(from.clone(), vec![0; BLOCK as usize], next).into())?;
        next += BLOCK;
    }
    while engine.in_flight() > 0 {
        // What is read is written to the same place, and what is written makes room for the next read.
        let done: Vec<_> = engine.wait()?.collect();
        for completion in done {
            completion.result?;
            match completion.operation {
                Operations::Read(Read { buffer, offset, .. }) => {
                    engine.add(Write::new(to.clone(), buffer, offset).into())?;
                }
                Operations::Write(Write { buffer, .. }) if next < len => {
                    engine.add(Read::new(from.clone(), buffer, next).into())?;
                    next += BLOCK;
                }
                _ => {}
            }
        }
    }
    engine.add(Sync::data(to).into())?;
    engine.wait()?.try_for_each(|completion| completion.result.map(drop))?;
    Ok(format!("{len} bytes by {}", engine.backend()))
}

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let only = match arguments.first().map(String::as_str) {
        Some("--uring") => Some(BackendKind::Uring),
        Some("--aio") => Some(BackendKind::Aio),
        Some("--threads") => Some(BackendKind::Threads),
        _ => None,
    };
    arguments.drain(..usize::from(only.is_some()));
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: cp [--uring|--aio|--threads] FROM TO");
        return ExitCode::FAILURE;
    };
    match copy(from, to, only) {
        Ok(told) => {
            eprintln!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cp: {error}");
            ExitCode::FAILURE
        }
    }
}
