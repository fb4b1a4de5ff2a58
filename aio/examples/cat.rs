//! Writes a file to standard output, with up to eight reads in flight: `cargo run -p aio --example cat -- FILE`.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};

use aio::AioContext;

const DEPTH: usize = 8;
const SIZE: usize = 64 * 1024;

/// A piece of the file. Its place is its number modulo [`DEPTH`], which is the `user_data` of its reads.
struct Chunk {
    buffer: Vec<u8>,
    offset: u64,
    filled: usize,
    done: bool,
}

impl Chunk {
    /// Queues a read of what is missing.
    fn read(&mut self, place: usize, file: &File, context: &mut AioContext) -> aio::Result<()> {
        self.done = false;
        let rest = &mut self.buffer[self.filled..];
        let offset = self.offset + self.filled as u64;
        // SAFETY: the buffer is not looked at before `done`, never grows, and outlives the context, which waits
        // for the kernel when it is dropped.
        unsafe { context.add_read(rest.as_mut_ptr(), rest.len(), file, offset, place as u64)? };
        Ok(())
    }
}

fn cat(file: &File, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let chunk =
        |place| Chunk { buffer: vec![0; SIZE], offset: (place * SIZE) as u64, filled: 0, done: false };
    // Before the context, so that on every way out the context goes first.
    let mut chunks: Vec<Chunk> = (0..DEPTH).map(chunk).collect();
    let mut context = AioContext::new(DEPTH)?;
    for (place, chunk) in chunks.iter_mut().enumerate() {
        chunk.read(place, file, &mut context)?;
    }
    let mut next = 0;
    loop {
        let mut short = Vec::new();
        for (place, result) in context.wait()? {
            let chunk = &mut chunks[place as usize];
            let read = result? as usize;
            chunk.filled += read;
            // Nothing is the end of the file; anything else that is short goes on.
            chunk.done = read == 0 || chunk.filled == SIZE;
            if !chunk.done {
                short.push(place as usize);
            }
        }
        for place in short {
            chunks[place].read(place, file, &mut context)?;
        }
        while chunks[next].done {
            let chunk = &mut chunks[next];
            out.write_all(&chunk.buffer[..chunk.filled])?;
            if chunk.filled < SIZE {
                return Ok(());
            }
            chunk.offset += (DEPTH * SIZE) as u64;
            chunk.filled = 0;
            chunk.read(next, file, &mut context)?;
            next = (next + 1) % DEPTH;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("usage: cat FILE")?;
    cat(&File::open(path)?, &mut io::stdout().lock())
}
