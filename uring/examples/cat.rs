//! Writes files to standard output, eight blocks with one system call: `cargo run -p uring --example cat -- FILE...`

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use uring::URingContext;

const BLOCK: usize = 64 * 1024;
const DEPTH: usize = 8;

fn main() -> ExitCode {
    // Declared before the ring, so dropped after it: the ring waits for its reads as it is dropped.
    let mut blocks = vec![[0; BLOCK]; DEPTH];
    let mut ring = match URingContext::new(DEPTH) {
        Ok(ring) => ring,
        Err(error) => return failed("no ring", &error),
    };
    for path in std::env::args_os().skip(1) {
        let file = File::open(&path);
        match file.and_then(|file| cat(&mut ring, &mut blocks, &file, &mut io::stdout().lock())) {
            // Whoever reads this has seen enough, as `head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return failed(&path.to_string_lossy(), &error),
            Ok(()) => {}
        }
    }
    ExitCode::SUCCESS
}

fn failed(what: &str, error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "cat: {what}: {error}");
    ExitCode::FAILURE
}

fn cat(
    ring: &mut URingContext,
    blocks: &mut [[u8; BLOCK]],
    file: &File,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut offset = 0;
    loop {
        for (nth, block) in blocks.iter_mut().enumerate() {
            let at = offset + (nth * BLOCK) as u64;
            // SAFETY: the blocks outlive the ring (see `main`), and nobody looks at them before the wait; `file` stays open
            // while this runs.
            unsafe { ring.add_read(block.as_mut_ptr(), BLOCK, file, at, nth as u64)? };
        }
        // They complete in any order.
        let mut results = [const { Ok(0) }; DEPTH];
        for (nth, result) in ring.wait_nr(DEPTH)? {
            results[nth as usize] = result;
        }
        for (nth, (block, result)) in blocks.iter().zip(results).enumerate() {
            let count = result? as usize;
            if (nth, count) == (0, 0) {
                return out.flush();
            }
            out.write_all(&block[..count])?;
            offset += count as u64;
            if count < BLOCK {
                // At the end of the file, or before it: what comes next is asked for again.
                break;
            }
        }
    }
}
