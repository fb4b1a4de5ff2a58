//! [`Engine`]: operations in, operations out.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use static_assertions::assert_impl_all;

use crate::backend::{AnyBackend, Backend, Choice, add_to};
use crate::bounce::{BOUNCED, Bounces};
use crate::buffer::BufferPool;
use crate::completion::{Completion, Completions};
use crate::error::{Error, Rejected};
use crate::file::RegisteredFile;
use crate::operation::{Operation, Read};
use crate::options::Options;
use crate::scope::{Scope, ScopedTable};
use crate::slots::Slots;
use crate::stats::Stats;
use crate::trace::{self, Trace};
use crate::verdict::cancelled;

/// Names an operation in flight; no other one of the same engine has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(pub(crate) u64);

impl Id {
    #[inline]
    pub(crate) fn new(generation: u32, index: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(index))
    }
}

/// Asynchronous file I/O without `unsafe`: takes operations that own their file and memory, and gives them back when they
/// are done.
///
/// An engine is for one type of operation, `T`, and keeps up to as many of them in flight as its
/// [options](Options) say, in a table that is made once: nothing is allocated on the way. They run in no particular order.
/// An operation completes exactly once; one that is cut short is continued, one that was interrupted is tried again.
///
/// Dropping it ends everything in flight and waits until the kernel is done with the memory; [`close`](Self::close) does the same and
/// says whether that could be had. Leaking anything at any time is sound: memory that the kernel may use is leaked along.
///
/// Another back end than those of this crate stands in with [`with_backend`](Self::with_backend).
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use std::sync::Arc;
///
/// use engine::operation::Read;
/// use engine::Options;
///
/// let file = Arc::new(File::open("/proc/self/exe")?);
/// let mut engine = Options::new(8).build()?;
/// for block in 0..8 {
///     engine.add(Read::new(file.clone(), vec![0; 512], block * 512))?;
/// }
/// for completion in engine.wait_nr(8)? {
///     let read = completion.operation;
///     println!("{} bytes at {}: {:?}…", completion.result?, read.offset, &read.buffer[..4]);
/// }
/// # std::io::Result::Ok(())
/// ```
pub struct Engine<T: Operation, B: Backend = AnyBackend> {
    /// Dropped first, by hand: only then the kernel has let go of what is in `slots`.
    pub(crate) backend: ManuallyDrop<B>,
    pub(crate) slots: ManuallyDrop<Slots<T>>,
    /// Something is in `held`, `stalled` or `failed`.
    pub(crate) attention: bool,
    /// Completions that were taken on the way to others.
    pub(crate) held: VecDeque<(u64, io::Result<u32>)>,
    /// Operations whose next request the back end had no room for.
    pub(crate) stalled: Vec<u64>,
    /// A next request of an operation was added, and maybe not submitted.
    pub(crate) continued: bool,
    /// What went wrong where no error could be returned.
    pub(crate) failed: Option<io::Error>,
    /// Of the operation that is being handed out, if it has failed.
    pub(crate) error: Option<io::Error>,
    pub(crate) scoped: ScopedTable,
    pub(crate) bounces: Bounces,
    choice: Choice,
    pub(crate) counts: Counts,
    /// `backend` and `slots` are gone.
    ended: bool,
}

/// Counters that are not derived.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) completed: u64,
    pub(crate) retries: u64,
    pub(crate) short_transfers: u64,
}

assert_impl_all!(Engine<Read<Arc<std::fs::File>, Vec<u8>>>: Send);

impl<T: Operation> Engine<T> {
    /// Makes an engine; see [`Options::build`].
    ///
    /// # Errors
    ///
    /// As [`Options::build`].
    pub fn new(options: &Options) -> io::Result<Self> {
        options.build()
    }

    pub(crate) fn with_parts(backend: AnyBackend, choice: Choice, options: &Options) -> Self {
        Self::from_parts(backend, choice, options)
    }
}

impl<T: Operation, B: Backend> Engine<T, B> {
    /// Makes an engine on a back end of the caller's, which has room for as many requests as the options say.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a depth out of range.
    pub fn with_backend(backend: B, options: &Options) -> io::Result<Self> {
        options.check()?;
        let choice = Choice { kind: backend.kind(), passed: Vec::new() };
        Ok(Self::from_parts(backend, choice, options))
    }

    fn from_parts(backend: B, choice: Choice, options: &Options) -> Self {
        trace::chosen(&choice);
        Self {
            backend: ManuallyDrop::new(backend),
            slots: ManuallyDrop::new(Slots::new(options.depth)),
            attention: false,
            held: VecDeque::new(),
            stalled: Vec::new(),
            continued: false,
            failed: None,
            error: None,
            scoped: ScopedTable::default(),
            bounces: Bounces::new(options.bounce),
            choice,
            counts: Counts::default(),
            ended: false,
        }
    }

    /// Adds an operation, which starts with the next [`submit`](Self::submit) or wait.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if as many are in flight as there is room for, and what the back end says; the operation comes
    /// back.
    #[inline]
    pub fn add(&mut self, operation: T) -> Result<Id, Rejected<T>> {
        let Some(vacancy) = self.slots.vacancy() else {
            return Err(Rejected { error: Error::Full, operation });
        };
        let mut placed = vacancy.place(operation);
        let id = Id(placed.name());
        // SAFETY: the operation guarantees what the request names (contract of `Operation`) while it is in its place,
        // which it leaves only when its completion has been taken or the back end is closed. The name is new.
        match unsafe { add_to(&mut *self.backend, placed.operation(), id.0) } {
            Ok(()) => {
                let trace = Trace::begin(|| placed.operation().request());
                placed.commit(trace);
                Ok(id)
            }
            Err(error) => Err(Rejected { error, operation: placed.into_operation() }),
        }
    }

    /// Starts what was added. Without it, the next wait does.
    ///
    /// # Errors
    ///
    /// What the kernel says; nothing is lost by it.
    pub fn submit(&mut self) -> io::Result<()> {
        if self.attention {
            self.attend()?;
        }
        Ok(self.backend.submit()?)
    }

    /// Starts what was added, and waits until at least one operation is done, if any is in flight.
    ///
    /// # Errors
    ///
    /// What the kernel says; nothing is lost by it.
    #[inline]
    pub fn wait(&mut self) -> io::Result<Completions<'_, T, B>> {
        self.wait_nr(1)
    }

    /// As [`wait`](Self::wait) for `nr` operations, or as many as are in flight if they are fewer: the iterator yields
    /// that many, and waits itself should more be needed for it.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    #[inline(always)]
    pub fn wait_nr(&mut self, nr: usize) -> io::Result<Completions<'_, T, B>> {
        let nr = nr.min(self.slots.taken());
        let mut wanted = nr;
        if self.attention {
            self.attend()?;
            wanted = self.waitable(wanted.saturating_sub(self.held.len()));
        }
        if wanted > 0 {
            self.backend.wait(wanted)?;
        }
        Ok(Completions::new(self, nr))
    }

    /// As [`wait`](Self::wait) for `timeout` at the most; then the iterator may be empty.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Completions<'_, T, B>> {
        if self.attention {
            self.attend()?;
        }
        // A deadline past what the clock can tell is none.
        let deadline = Instant::now().checked_add(timeout);
        if self.held.is_empty() && self.slots.taken() > 0 {
            self.backend.wait_timeout(timeout)?;
        }
        Ok(Completions::with_deadline(self, deadline))
    }

    /// Starts what was added, and returns what is done, without waiting.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn completions(&mut self) -> io::Result<Completions<'_, T, B>> {
        self.submit()?;
        Ok(Completions::new(self, 0))
    }

    /// Hands out completions until nothing is in flight.
    ///
    /// It waits as long as that takes: what never ends by itself, such as a poll, has to be [cancelled](Self::cancel)
    /// before.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the completions so far have been handed out.
    pub fn drain(&mut self, mut each: impl FnMut(Completion<T>)) -> io::Result<()> {
        while self.in_flight() > 0 {
            let before = self.counts.completed;
            self.wait()?.for_each(&mut each);
            if self.counts.completed == before && self.failed.is_none() {
                // An operation whose own code panicked does not complete any more.
                break;
            }
        }
        Ok(())
    }

    /// Asks to end an operation early. It completes all the same, with `ECANCELED` if that was possible: polls always,
    /// reads and writes of pipes and sockets on io_uring and threads, those of files only before they have begun.
    ///
    /// # Errors
    ///
    /// What the kernel says. An operation that is not in flight any more is none.
    pub fn cancel(&mut self, id: Id) -> io::Result<()> {
        let Some(slot) = self.slots.get_mut(id.0 as u32 as usize) else { return Ok(()) };
        if slot.name() != id.0 {
            return Ok(());
        }
        slot.progress_mut().cancelled = true;
        if self.bounces.stop_waiting(id.0) {
            self.hold(id.0, Err(cancelled()));
        }
        let window = if self.bounces.has(id.0) { u64::from(BOUNCED) } else { 0 };
        Ok(self.backend.cancel(id.0 | window)?)
    }

    /// As [`cancel`](Self::cancel) for all that is in flight.
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn cancel_all(&mut self) -> io::Result<()> {
        let ids: Vec<_> = self.slots.names().map(Id).collect();
        ids.into_iter().try_for_each(|id| self.cancel(id))
    }

    /// Runs a closure that may use plain slices; see [`Scope`].
    ///
    /// # Errors
    ///
    /// What the closure returns; else the first error, or short count ([`io::ErrorKind::UnexpectedEof`]), of an operation whose result
    /// nobody has asked for.
    pub fn scope<'env, R>(
        &mut self,
        run: impl FnOnce(&Scope<'_, 'env, T, B>) -> io::Result<R>,
    ) -> io::Result<R> {
        crate::scope::run(self, run)
    }

    /// Puts a file in the table of the ring, which spares the kernel the look-up of each operation (about a tenth of a small
    /// cached read). Where there is no ring, or its 64 places are taken, the file is used as it is.
    pub fn register_file(&mut self, file: impl Into<OwnedFd>) -> RegisteredFile {
        self.backend.register_file(Arc::new(file.into()))
    }

    /// Makes a pool of `count` buffers of `size` bytes, registered with the ring where there is one and it has no pool yet.
    #[must_use]
    pub fn buffer_pool(&mut self, count: usize, size: usize) -> BufferPool {
        let mut pool = BufferPool::new(count, size);
        self.backend.register_buffers(&mut pool);
        pool
    }

    /// Operations that were added and not handed out yet.
    #[inline]
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.slots.taken()
    }

    /// Operations that can be added now.
    #[inline]
    #[must_use]
    pub fn space(&self) -> usize {
        self.slots.len() - self.slots.taken()
    }

    /// Operations that may be in flight at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Which back end it runs on, and why not on a better one.
    #[must_use]
    pub fn backend(&self) -> &Choice {
        &self.choice
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            submitted: self.counts.completed + self.in_flight() as u64,
            completed: self.counts.completed,
            in_flight: self.in_flight(),
            retries: self.counts.retries,
            short_transfers: self.counts.short_transfers,
            bounces: self.bounces.count,
            fallbacks: self.backend.fallbacks(),
        }
    }

    /// Ends everything in flight as a drop does, and says whether the kernel has let go of all memory.
    ///
    /// # Errors
    ///
    /// What the kernel says. The memory of operations in flight is leaked then, since it may be used at any later time.
    pub fn close(self) -> io::Result<()> {
        self.close_with(drop)
    }

    /// As [`close`](Self::close), and gives back what was in flight. What has become of it is not known.
    pub(crate) fn close_with(mut self, each: impl FnMut(T)) -> io::Result<()> {
        self.end(each)
    }

    /// What is in flight. Nothing may be done with the operations that their [contract](Operation) forbids.
    pub(crate) fn operations(&mut self) -> impl Iterator<Item = (Id, &mut T)> + '_ {
        self.slots.iter_mut().map(|(name, operation)| (Id(name), operation))
    }

    /// Closes the back end and hands out what was in flight, or leaks it. Only for `close` and `drop`: neither is used
    /// afterwards.
    fn end(&mut self, each: impl FnMut(T)) -> io::Result<()> {
        self.ended = true;
        // SAFETY: `drop` does not come here once `ended` is set, also by a panic below, so it is taken once.
        let backend = unsafe { ManuallyDrop::take(&mut self.backend) };
        let closed = backend.close();
        if closed.is_ok() {
            // SAFETY: as above.
            let mut slots = unsafe { ManuallyDrop::take(&mut self.slots) };
            slots.drain(each);
        } else {
            self.bounces.leak();
        }
        closed
    }
}

/// Ends what is in flight, and waits until the kernel is done with its memory. If that cannot be had, it says so on standard error and
/// leaks the memory.
impl<T: Operation, B: Backend> Drop for Engine<T, B> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let in_flight = self.in_flight();
        if let Err(error) = self.end(drop) {
            // Nothing can be done about a failure to say it.
            let _ = writeln!(
                io::stderr(),
                "engine: dropped with {in_flight} operations in flight that cannot be waited for ({error}): their \
                 memory is leaked"
            );
        }
    }
}

/// Readable when completions may be there: take them with [`completions`](Engine::completions) until there are none before waiting
/// for it again. Ask for it before the first submit: kernel AIO has it readable all the time while operations from before are in
/// flight.
impl<T: Operation, B: Backend> AsFd for Engine<T, B> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.backend.as_fd()
    }
}

impl<T: Operation, B: Backend> fmt::Debug for Engine<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("backend", &self.choice.kind)
            .field("in_flight", &self.in_flight())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
