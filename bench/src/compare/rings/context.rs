//! This workspace's own.

use std::fs::File;
use std::os::fd::AsFd;

use uring::{Fixed, URingContext};

use super::ring::{Ring, Setup};
use crate::cli::{MicroOp, RingFlags};
use crate::micro::{self, Queue, Reads};

/// A context, and what its reads call the file.
#[derive(Debug)]
pub(super) enum Context<'a> {
    Plain(Queue<URingContext, &'a File>, usize),
    Best(Queue<URingContext, Fixed>, usize),
}

impl<'a> Ring<'a> for Context<'a> {
    fn new(setup: &Setup<'a>) -> anyhow::Result<Self> {
        let (batch, file) = (setup.batch, setup.file);
        let best = setup.flags == RingFlags::Best;
        let mut context = micro::ring(batch, best)?;
        Ok(if best {
            if setup.op == MicroOp::Read {
                context.register_files(&[file.as_fd()])?;
            }
            Self::Best(Queue { context, file: Fixed(0) }, batch)
        } else {
            Self::Plain(Queue { context, file }, batch)
        })
    }

    fn nops(&mut self, batches: u64) -> anyhow::Result<()> {
        match self {
            Self::Plain(queue, batch) => micro::nops(&mut queue.context, *batch, batches),
            Self::Best(queue, batch) => micro::nops(&mut queue.context, *batch, batches),
        }
    }

    unsafe fn reads(&mut self, reads: &mut Reads, batches: u64) -> anyhow::Result<()> {
        match self {
            Self::Plain(queue, _) => reads.run(queue, batches),
            Self::Best(queue, _) => reads.run(queue, batches),
        }
    }
}
