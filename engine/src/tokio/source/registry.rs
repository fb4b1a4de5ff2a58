//! Who waits for what.

use std::fmt;
use std::io;
use std::task::Waker;

use ::aio::AioContext;

use super::AioSource;

/// Completion of a request to cancel another.
const CANCELLED: u64 = u64::MAX;

/// Most requests of one source at a time.
pub(super) const MOST: usize = 1 << 16;

/// What a request carries: whose it is, and which.
pub(super) fn user_data(index: u32, nr: usize) -> u64 {
    u64::from(index) << 32 | nr as u64
}

/// A source's place.
#[derive(Default)]
pub(super) struct Entry {
    /// Counts the submissions.
    pub(super) generation: u64,
    /// Requests of the last submission, in order; what is in flight has a placeholder.
    pub(super) results: Vec<Result<u32, i32>>,
    /// How many of them are in flight.
    pub(super) pending: usize,
    /// All are done, and nobody has cleared that.
    pub(super) ready: bool,
    /// Whoever polled last.
    pub(super) waker: Option<Waker>,
    /// The source, if it was dropped with requests in flight.
    orphan: Option<Box<dyn AioSource>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("pending", &self.pending).finish_non_exhaustive()
    }
}

/// A context, and those who submit to it.
///
/// Invariant: while an entry has something pending, its source is in its [`Aio`](super::Aio) or is the entry's orphan, until
/// the context is gone.
pub(super) struct Registry {
    /// Until it is to be ended. Before the entries: dropped first, it waits until the kernel is done with what orphans own.
    pub(super) context: Option<AioContext>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Orphans' requests that there was no room to cancel.
    cancels: Vec<u64>,
    /// No handle is left.
    pub(super) closing: bool,
}

/// What is to be done when the lock is open: wakers and sources are somebody else's code.
#[derive(Default)]
pub(super) struct Errands {
    wakers: Vec<Waker>,
    orphans: Vec<Box<dyn AioSource>>,
}

impl Errands {
    pub(super) fn run(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
        for mut orphan in self.orphans.drain(..) {
            orphan.deregister();
        }
    }
}

impl Registry {
    pub(super) fn new(context: AioContext) -> Self {
        Self {
            context: Some(context),
            entries: Vec::new(),
            free: Vec::new(),
            cancels: Vec::new(),
            closing: false,
        }
    }

    /// Gives a source a place.
    pub(super) fn insert(&mut self) -> u32 {
        if let Some(index) = self.free.pop() {
            return index;
        }
        self.entries.push(Entry::default());
        // 2³² sources do not fit into memory.
        (self.entries.len() - 1) as u32
    }

    /// Where a source stands.
    pub(super) fn entry(&mut self, index: u32) -> &mut Entry {
        &mut self.entries[index as usize]
    }

    /// The context and a source's place, until the end.
    pub(super) fn context_and_entry(&mut self, index: u32) -> Option<(&mut AioContext, &mut Entry)> {
        Some((self.context.as_mut()?, &mut self.entries[index as usize]))
    }

    /// Takes the place of a source that has nothing in flight.
    pub(super) fn remove(&mut self, index: u32) {
        // The count goes on, so that an old event is none of the next source's.
        let generation = self.entry(index).generation;
        *self.entry(index) = Entry { generation, ..Entry::default() };
        self.free.push(index);
    }

    /// Keeps a source that was dropped with requests in flight, and asks its polls to end.
    pub(super) fn adopt(&mut self, index: u32, source: Box<dyn AioSource>) {
        let entry = self.entry(index);
        entry.orphan = Some(source);
        entry.waker = None;
        let requests = entry.results.len();
        // What is done, and reads and writes, answer `ENOENT`.
        self.cancels.extend((0..requests).map(|nr| user_data(index, nr)));
    }

    /// Whether anything is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.entries.iter().all(|entry| entry.pending == 0)
    }

    /// Submits, and takes what is done.
    pub(super) fn look(&mut self, errands: &mut Errands) -> io::Result<()> {
        let Some(context) = &mut self.context else { return Ok(()) };
        while let Some(&target) = self.cancels.last()
            && context.cancel(target, CANCELLED).is_ok()
        {
            self.cancels.pop();
        }
        context.submit()?;
        for (user_data, result) in context.completions()? {
            if user_data == CANCELLED {
                continue;
            }
            let index = (user_data >> 32) as u32;
            let entry = &mut self.entries[index as usize];
            let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
            entry.results[user_data as u32 as usize] = result.map_err(errno);
            entry.pending -= 1;
            if entry.pending > 0 {
                continue;
            }
            if let Some(orphan) = entry.orphan.take() {
                errands.orphans.push(orphan);
                let generation = entry.generation;
                *entry = Entry { generation, ..Entry::default() };
                self.free.push(index);
                continue;
            }
            entry.ready = true;
            errands.wakers.extend(entry.waker.take());
        }
        Ok(())
    }

    /// Gives the context away, to be ended, and tells everybody.
    pub(super) fn end(&mut self, errands: &mut Errands) -> Option<AioContext> {
        self.closing = true;
        let wakers = self.entries.iter_mut().filter_map(|entry| entry.waker.take());
        errands.wakers.extend(wakers);
        self.context.take()
    }

    /// The context is gone: the kernel uses nothing any more.
    pub(super) fn ended(&mut self, errands: &mut Errands) {
        for entry in &mut self.entries {
            entry.pending = 0;
            errands.orphans.extend(entry.orphan.take());
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("entries", &self.entries).finish_non_exhaustive()
    }
}
