//! Copies a file by chains of a read and a write, eight at a time: `cargo run -p uring --example cp -- FROM TO`

use std::error::Error;
use std::fs::File;
use std::io;

use uring::op::rw::{Read, Write};
use uring::{Ring, SqeFlags};

const BLOCK: usize = 64 * 1024;
const CHAINS: usize = 8;

/// A buffer, where in the file its bytes belong, and what has become of the read and of the write.
struct Chain {
    buffer: Box<[u8]>,
    offset: u64,
    results: [Option<io::Result<usize>>; 2],
}

impl Chain {
    /// Looks at the results and says how many bytes are to be copied next, of this block or of the `next` one; 0 at the
    /// end of the file.
    fn finish(&mut self, read: usize, written: io::Result<usize>, next: &mut u64) -> io::Result<usize> {
        match written {
            _ if read == 0 => return Ok(0),
            // The read was short, which broke the chain: there are as many bytes as it has got.
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => return Ok(read),
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            written => self.offset += written? as u64,
        }
        let done = self.offset as usize % BLOCK;
        if done == 0 {
            self.offset = std::mem::replace(next, *next + BLOCK as u64);
        }
        Ok(BLOCK - done)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else { return Err("usage: cp FROM TO".into()) };
    // Declared before the ring, so that an early return drops the ring first: it waits for its requests.
    let (from, to) = (File::open(from)?, File::create(to)?);
    let chain =
        |nth| Chain { buffer: vec![0; BLOCK].into(), offset: (nth * BLOCK) as u64, results: [None, None] };
    let mut chains: [Chain; CHAINS] = std::array::from_fn(chain);
    // Room for all chains: none is cut in two by a submit.
    let mut ring: Ring = Ring::new(2 * CHAINS)?;
    let push = |ring: &mut Ring, chain: &mut Chain, nth: usize, len: usize| {
        let (buffer, name) = (chain.buffer.as_mut_ptr(), 2 * nth as u64);
        // SAFETY: files and buffers outlive the ring, and nobody else touches a buffer; the write starts when the read
        // has ended.
        let read = unsafe { Read::new(&from, buffer, len, chain.offset) };
        // SAFETY: as above.
        let write = unsafe { Write::new(&to, buffer, len, chain.offset) };
        ring.push(read.flags(SqeFlags::IO_LINK).user_data(name))?;
        ring.push(write.user_data(name + 1))
    };
    for (nth, chain) in chains.iter_mut().enumerate() {
        push(&mut ring, chain, nth, BLOCK)?;
    }
    let (mut next, mut running) = ((CHAINS * BLOCK) as u64, CHAINS);
    while running > 0 {
        // They are taken one by one, so that requests can be pushed in between.
        let _ = ring.wait(1)?;
        while let Some(completion) = ring.next_completion() {
            let (nth, which) = (completion.user_data() as usize / 2, completion.user_data() as usize % 2);
            let chain = &mut chains[nth];
            chain.results[which] = Some(completion.result().map(|count| count as usize));
            let [Some(_), Some(_)] = chain.results else { continue };
            let [read, written] =
                std::mem::take(&mut chain.results).map(|result| result.expect("both are there"));
            match chain.finish(read?, written, &mut next)? {
                0 => running -= 1,
                len => push(&mut ring, chain, nth, len)?,
            }
        }
    }
    Ok(())
}
