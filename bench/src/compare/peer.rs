//! What can be compared.

use std::fs::File;

use crate::micro::{Queue, ReadQueue, Reads, preads};

/// One implementation under comparison. A new one (another library, another set of flags) needs this and a
/// line in `peers`; what it loads or builds is its own business.
pub(crate) trait Peer {
    fn name(&self) -> &'static str;

    /// Reads that are queued and waited for together.
    fn batch(&self) -> usize;

    /// Makes anew what should not outlive a slice; nobody measures this.
    fn renew(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Does `batches` batches of random reads, each checked for success, and nothing else.
    fn run(&mut self, batches: u64) -> anyhow::Result<()>;
}

/// One of this workspace's contexts.
#[derive(Debug)]
pub(crate) struct Context<'a, C> {
    name: &'static str,
    // Dropped before the memory that its reads go to: the order of the fields.
    queue: Queue<C, &'a File>,
    reads: Reads,
}

impl<'a, C> Context<'a, C> {
    pub(crate) fn new(
        name: &'static str,
        context: C,
        file: &'a File,
        depth: usize,
        size: u64,
    ) -> anyhow::Result<Self> {
        Ok(Self { name, queue: Queue { context, file }, reads: Reads::new(depth, size)? })
    }
}

impl<'a, C> Peer for Context<'a, C>
where
    Queue<C, &'a File>: ReadQueue,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn batch(&self) -> usize {
        self.reads.batch()
    }

    fn run(&mut self, batches: u64) -> anyhow::Result<()> {
        self.reads.run(&mut self.queue, batches)
    }
}

/// `pread`, for what a queue costs.
#[derive(Debug)]
pub(crate) struct Sync<'a> {
    name: &'static str,
    file: &'a File,
    reads: Reads,
}

impl<'a> Sync<'a> {
    pub(crate) fn new(name: &'static str, file: &'a File, depth: usize, size: u64) -> anyhow::Result<Self> {
        Ok(Self { name, file, reads: Reads::new(depth, size)? })
    }
}

impl Peer for Sync<'_> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn batch(&self) -> usize {
        self.reads.batch()
    }

    fn run(&mut self, batches: u64) -> anyhow::Result<()> {
        preads(self.file, &mut self.reads, batches)
    }
}
