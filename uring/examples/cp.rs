//! Copies a file by chains of a read and a write, eight with one system call:
//! `cargo run -p uring --example cp -- FROM TO`

use std::error::Error;
use std::fs::File;
use std::io::{self, Write as _};
use std::process::ExitCode;

use uring::op::rw::{Read, Write};
use uring::{Ring, SqeFlags};

const BLOCK: usize = 64 * 1024;
const CHAINS: usize = 8;

fn main() -> ExitCode {
    let Err(error) = copy() else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "cp: {error}");
    ExitCode::FAILURE
}

fn copy() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(from), Some(to), None) = (args.next(), args.next(), args.next()) else {
        return Err("usage: cp FROM TO".into());
    };
    // Declared before the ring, so dropped after it: the ring waits for its requests as it is dropped.
    let from = File::open(&from).map_err(|error| format!("{}: {error}", from.display()))?;
    let to = File::create(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    let mut buffers = vec![[0; BLOCK]; CHAINS];
    // Room for all chains of a round: a submit in between would cut one in two.
    let mut ring: Ring = Ring::new(2 * CHAINS)?;
    let (mut offset, mut len, mut nr) = (0, BLOCK, CHAINS);
    loop {
        for (nth, buffer) in buffers.iter_mut().take(nr).enumerate() {
            let (buffer, at) = (buffer.as_mut_ptr(), offset + (nth * len) as u64);
            // SAFETY: files and buffers outlive the ring, and nobody else touches a buffer before the wait.
            let read = unsafe { Read::new(&from, buffer, len, at) };
            // SAFETY: as above; it starts when the read has ended.
            let write = unsafe { Write::new(&to, buffer, len, at) };
            ring.push(read.flags(SqeFlags::IO_LINK).user_data(2 * nth as u64))?;
            ring.push(write.user_data(2 * nth as u64 + 1))?;
        }
        // They complete in any order.
        let mut results = [const { Ok(0) }; 2 * CHAINS];
        for completion in ring.wait(2 * nr)? {
            results[completion.user_data() as usize] = completion.result();
        }
        let (asked, mut results) = (len, results.into_iter().take(2 * nr));
        (len, nr) = (BLOCK, CHAINS);
        while let (Some(read), Some(written)) = (results.next(), results.next()) {
            let read = read.map_err(|error| format!("read: {error}"))? as usize;
            let written = match written {
                _ if read == 0 => return Ok(()),
                // The read was short, which breaks its chain: there are as many bytes as it has got.
                Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => {
                    (len, nr) = (read, 1);
                    break;
                }
                Ok(0) => return Err("write: nothing was written".into()),
                written => written.map_err(|error| format!("write: {error}"))?,
            };
            offset += u64::from(written);
            if (written as usize) < asked {
                break;
            }
        }
    }
}
