//! What an implementation of io_uring has to do, and the slices that it does it in.

use std::fs::File;
use std::mem;

use anyhow::bail;

use crate::cli::{MicroOp, RingFlags};
use crate::compare::peer::Peer;
use crate::micro::Reads;

/// Operations of a new ring before its slice begins: the first ones pay for what the others find made.
const WARM_UP: usize = 64;

/// What a ring is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup<'a> {
    pub(super) op: MicroOp,
    /// Operations that are queued, submitted and waited for together; as many entries has the ring.
    pub(super) batch: usize,
    pub(super) flags: RingFlags,
    pub(super) file: &'a File,
    pub(super) size: u64,
}

/// One implementation under comparison. A new one is a file with this and a line in `peers`.
///
/// Both loops are written out for each of them, as its documentation has it, with one call for each batch that
/// submits and waits: what stands between loop and library is part of what is measured.
pub(super) trait Ring<'a>: Sized {
    /// Makes a ring of `setup.batch` entries with no more than the flags that are asked for. With
    /// [`RingFlags::Best`] its descriptor is registered, too, and the file where the operation is a read.
    fn new(setup: &Setup<'a>) -> anyhow::Result<Self>;

    /// Does `batches` batches of operations that do nothing, each checked for success.
    fn nops(&mut self, batches: u64) -> anyhow::Result<()>;

    /// Does `batches` batches of the reads that `reads` draws, each checked for success.
    ///
    /// # Safety
    ///
    /// The memory of `reads` is kept for good after an error: the kernel may not be done with it. Without one
    /// all reads have completed.
    unsafe fn reads(&mut self, reads: &mut Reads, batches: u64) -> anyhow::Result<()>;
}

/// A peer with a new ring, and new memory, for each slice: where they lie is luck, which a ring that lived
/// longer would have for a whole run.
#[derive(Debug)]
pub(super) struct Fresh<'a, R> {
    name: &'static str,
    setup: Setup<'a>,
    current: Option<(R, Reads)>,
}

impl<'a, R: Ring<'a> + 'a> Fresh<'a, R> {
    pub(super) fn boxed(name: &'static str, setup: Setup<'a>) -> Box<dyn Peer + 'a> {
        Box::new(Self { name, setup, current: None })
    }
}

impl<'a, R: Ring<'a>> Peer for Fresh<'a, R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn batch(&self) -> usize {
        self.setup.batch
    }

    fn renew(&mut self) -> anyhow::Result<()> {
        self.current = None;
        self.current = Some((R::new(&self.setup)?, Reads::new(self.setup.batch, self.setup.size)?));
        self.run(WARM_UP.div_ceil(self.setup.batch) as u64)
    }

    fn run(&mut self, batches: u64) -> anyhow::Result<()> {
        let Some((mut ring, mut reads)) = self.current.take() else {
            bail!("{} has no ring: either none was made, or an operation failed", self.name)
        };
        match self.setup.op {
            MicroOp::Nop => ring.nops(batches)?,
            MicroOp::Read => {
                // SAFETY: after an error `reads` is forgotten, just below.
                if let Err(error) = unsafe { ring.reads(&mut reads, batches) } {
                    mem::forget(reads);
                    return Err(error);
                }
            }
        }
        self.current = Some((ring, reads));
        Ok(())
    }
}
