//! Writes files to standard output, reading eight blocks ahead: `cargo run -p uring --example cat -- FILE...`

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};

use uring::URingContext;

const BLOCK: usize = 64 * 1024;
const DEPTH: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    // Declared before the ring, so that an early return drops the ring first: it waits for its reads.
    let mut blocks: Vec<Block> = (0..DEPTH).map(Block::new).collect();
    let mut ring = URingContext::new(DEPTH)?;
    for path in std::env::args_os().skip(1) {
        cat(&mut ring, &mut blocks, &File::open(path)?, &mut io::stdout().lock())?;
    }
    Ok(())
}

/// A buffer and the part of the file that it stands for.
struct Block {
    nth: usize,
    buffer: Box<[u8]>,
    offset: u64,
    filled: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Reading,
    AtEnd,
}

impl Block {
    fn new(nth: usize) -> Self {
        Self { nth, buffer: vec![0; BLOCK].into(), offset: 0, filled: 0, state: State::Idle }
    }

    /// Starts to read the block at `offset`.
    fn start(&mut self, ring: &mut URingContext, file: &File, offset: u64) -> uring::Result<()> {
        (self.offset, self.filled) = (offset, 0);
        self.read_rest(ring, file)
    }

    /// Adds a read of what is missing.
    fn read_rest(&mut self, ring: &mut URingContext, file: &File) -> uring::Result<()> {
        let rest = &mut self.buffer[self.filled..];
        let offset = self.offset + self.filled as u64;
        // SAFETY: the blocks outlive the ring (see `main`), and nobody looks at one that is `Reading`;
        // `file` stays open while `cat` runs, which waits for the read.
        unsafe { ring.add_read(rest.as_mut_ptr(), rest.len(), file, offset, self.nth as u64)? };
        self.state = State::Reading;
        Ok(())
    }
}

fn cat(
    ring: &mut URingContext,
    blocks: &mut [Block],
    file: &File,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    for block in blocks.iter_mut() {
        block.start(ring, file, (block.nth * BLOCK) as u64)?;
    }
    // Blocks are written in the order of the file, whatever the order of their completions.
    for turn in (0..DEPTH).cycle() {
        while blocks[turn].filled < BLOCK && blocks[turn].state != State::AtEnd {
            if blocks[turn].state == State::Idle {
                blocks[turn].read_rest(ring, file)?;
            }
            for (nth, result) in ring.wait()? {
                let block = &mut blocks[nth as usize];
                let count = result? as usize;
                block.filled += count;
                block.state = if count == 0 { State::AtEnd } else { State::Idle };
            }
        }
        let block = &mut blocks[turn];
        out.write_all(&block.buffer[..block.filled])?;
        if block.state == State::AtEnd {
            break;
        }
        block.start(ring, file, block.offset + (DEPTH * BLOCK) as u64)?;
    }
    // Reads beyond the end are of no interest, but the blocks are the kernel's until they complete.
    Ok(ring.drain(|_, _| {})?)
}
