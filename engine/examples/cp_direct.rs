//! Copies a file of any length past the page cache: `cp_direct FROM TO`.
//!
//! Direct I/O moves whole blocks. A read may ask for more than the file has, and ends where the file does; what is written is
//! rounded up to a block, and the file is cut to its length in the end. The buffers are registered with the ring, if there is one.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::sync::Arc;

use engine::operation::{Allocate, Operations, Read, Sync, Write};
use engine::{DirectIo, Options, PooledBuf};

const BLOCK: u64 = 1 << 20;
const DEPTH: usize = 8;

fn copy(from: &str, to: &str) -> io::Result<()> {
    let from = File::options().read(true).custom_flags(libc::O_DIRECT).open(from)?;
    let to = File::options().write(true).create(true).truncate(true).custom_flags(libc::O_DIRECT).open(to)?;
    let Some(needs) = DirectIo::probe(&to)? else { return Err(io::ErrorKind::Unsupported.into()) };
    let len = from.metadata()?.len();
    let (from, to) = (Arc::new(from), Arc::new(to));

    let mut engine = Options::new(DEPTH).build::<Operations<Arc<File>, PooledBuf>>()?;
    let pool = engine.buffer_pool(DEPTH, BLOCK as usize);
    if len > 0 {
        // Direct writes that make a file longer wait for each other. Not every file system can be told beforehand.
        engine.add(Allocate::new(to.clone(), 0, needs.round_up(len)).into())?;
        match engine.wait()?.next().map(|completion| completion.result) {
            Some(Err(error)) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
    }
    let mut next = 0;
    while next < len || engine.in_flight() > 0 {
        while next < len
            && let Some(buffer) = pool.take()
        {
            engine.add(Read::new(from.clone(), buffer, next).into())?;
            next += BLOCK;
        }
        let done: Vec<_> = engine.wait()?.collect();
        for completion in done {
            let count = completion.result?;
            if let Operations::Read(Read { mut buffer, offset, .. }) = completion.operation {
                // The rest of the last block goes along, and is cut off below.
                buffer.set_len(needs.round_up(count as u64) as usize);
                engine.add(Write::new(to.clone(), buffer, offset).into())?;
            }
        }
    }
    to.set_len(len)?;
    engine.add(Sync::all(to).into())?;
    engine.wait()?.try_for_each(|completion| completion.result.map(drop))?;
    eprintln!("{len} bytes by {}, buffers registered: {}", engine.backend(), pool.is_registered());
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: cp_direct FROM TO");
        return ExitCode::FAILURE;
    };
    match copy(from, to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cp_direct: {error}");
            ExitCode::FAILURE
        }
    }
}
