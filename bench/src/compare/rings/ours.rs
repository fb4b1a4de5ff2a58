//! This workspace's own.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use uring::{Fixed, URingContext};

use super::ring::{Ring, Setup};
use crate::cli::{MicroOp, RingFlags};
use crate::micro::{self, Queue, ReadQueue, Reads};

/// A ring of this workspace, and what its reads call the file.
#[derive(Debug)]
pub(super) enum Ours<'a, C> {
    Plain(Queue<C, &'a File>, usize),
    Best(Queue<C, Fixed>, usize),
}

/// What the two layers of `uring` differ in.
pub(super) trait Layer: Sized {
    fn make(batch: usize, best: bool) -> Result<Self, uring::Error>;
    fn register(&mut self, file: BorrowedFd<'_>) -> Result<(), uring::Error>;
    fn nops(&mut self, batch: usize, batches: u64) -> anyhow::Result<()>;
}

impl Layer for URingContext {
    fn make(batch: usize, best: bool) -> Result<Self, uring::Error> {
        micro::ring(batch, best)
    }

    fn register(&mut self, file: BorrowedFd<'_>) -> Result<(), uring::Error> {
        self.register_files(&[file])
    }

    fn nops(&mut self, batch: usize, batches: u64) -> anyhow::Result<()> {
        micro::nops(self, batch, batches)
    }
}

impl Layer for uring::Ring {
    fn make(batch: usize, best: bool) -> Result<Self, uring::Error> {
        micro::whole_ring(batch, best)
    }

    fn register(&mut self, file: BorrowedFd<'_>) -> Result<(), uring::Error> {
        self.registrar().register_files(&[file.into()])
    }

    fn nops(&mut self, batch: usize, batches: u64) -> anyhow::Result<()> {
        micro::ring_nops(self, batch, batches)
    }
}

impl<'a, C: Layer> Ring<'a> for Ours<'a, C>
where
    Queue<C, &'a File>: ReadQueue,
    Queue<C, Fixed>: ReadQueue,
{
    fn new(setup: &Setup<'a>) -> anyhow::Result<Self> {
        let (batch, file) = (setup.batch, setup.file);
        let best = setup.flags == RingFlags::Best;
        let mut context = C::make(batch, best)?;
        Ok(if best {
            if setup.op == MicroOp::Read {
                context.register(file.as_fd())?;
            }
            Self::Best(Queue { context, file: Fixed(0) }, batch)
        } else {
            Self::Plain(Queue { context, file }, batch)
        })
    }

    fn nops(&mut self, batches: u64) -> anyhow::Result<()> {
        match self {
            Self::Plain(queue, batch) => queue.context.nops(*batch, batches),
            Self::Best(queue, batch) => queue.context.nops(*batch, batches),
        }
    }

    unsafe fn reads(&mut self, reads: &mut Reads, batches: u64) -> anyhow::Result<()> {
        match self {
            Self::Plain(queue, _) => reads.run(queue, batches),
            Self::Best(queue, _) => reads.run(queue, batches),
        }
    }
}
