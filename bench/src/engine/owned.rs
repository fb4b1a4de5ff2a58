//! `engine::Engine`.

use std::fs::File;
use std::io;
use std::sync::Arc;

use ::engine::operation::{Operations, Read, Write};
use ::engine::{IoBuf, IoBufMut, Options};

use super::Engine;
use crate::case::Op;

/// A block of memory, as if it were owned.
#[derive(Debug)]
struct Block {
    start: *mut u8,
    len: usize,
}

// SAFETY: who queues an operation keeps the block valid, and from others, until its completion is handed out or the
// engine is dropped (contract of `Engine::queue`); until then the operation is the engine's.
unsafe impl IoBuf for Block {
    fn stable_ptr(&self) -> *const u8 {
        self.start
    }

    fn bytes_init(&self) -> usize {
        self.len
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Block {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.start
    }

    fn bytes_total(&self) -> usize {
        self.len
    }

    unsafe fn set_init(&mut self, _count: usize) {}
}

type Tagged = (Operations<Arc<File>, Block>, u64);

/// An engine of its own for each case, on the back end that it takes by itself.
#[derive(Debug)]
pub(crate) struct Owned {
    engine: ::engine::Engine<Tagged>,
    file: Arc<File>,
    calls: u64,
}

impl Owned {
    pub(crate) fn new(file: &File, depth: usize) -> io::Result<Self> {
        Ok(Self { engine: Options::new(depth).build()?, file: Arc::new(file.try_clone()?), calls: 0 })
    }
}

impl Engine for Owned {
    unsafe fn queue(
        &mut self,
        op: Op,
        block: *mut u8,
        len: usize,
        offset: u64,
        user_data: u64,
    ) -> io::Result<()> {
        let (file, block) = (self.file.clone(), Block { start: block, len });
        let operation = match op {
            Op::Read => Read::new(file, block, offset).into(),
            Op::Write => Write::new(file, block, offset).into(),
        };
        self.engine.add((operation, user_data))?;
        Ok(())
    }

    fn wait(&mut self, mut completed: impl FnMut(u64, io::Result<u32>)) -> io::Result<()> {
        self.calls += 1;
        for completion in self.engine.wait()? {
            let count = completion.result.map(|count| count as u32);
            completed(completion.operation.1, count);
        }
        Ok(())
    }

    /// The waits, each of which is one call or none: an engine does not count them.
    fn system_calls(&self) -> u64 {
        self.calls
    }
}
