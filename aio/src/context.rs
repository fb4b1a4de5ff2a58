//! The context: both halves in one hand.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use libc::{c_short, iovec};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::UserData;
use crate::builder::Builder;
use crate::completer::Completer;
use crate::completion::{Completion, Completions};
use crate::error::{Error, Rejected, Result};
use crate::queued::Queued;
use crate::requests::impl_requests;
use crate::stats::Stats;
use crate::submission::Submission;
use crate::submitter::Submitter;

/// A kernel AIO context: a queue of requests, and an iterator over what is done.
///
/// `add_*` queue, [`submit`](Self::submit) hands the queue to the kernel, [`wait`](Self::wait) submits and
/// returns what is done. Each accepted request has exactly one completion, whatever happens to it: a request that the
/// kernel refuses completes with the error, and the ones behind it go on. Completions come in any order, and so do the
/// effects of requests that are in flight together: an `fsync` covers only the writes whose completions were taken before
/// it was queued.
///
/// One entry is in use from `add_*` until the completion is taken, and there are as many as [`new`](Self::new) was told.
///
/// # Safety
///
/// This is the contract of every `unsafe` method of the context and of a [`Submitter`]:
///
/// - The memory that a request names is valid for what the request does with it, **and not otherwise touched, until its
///   completion has been taken** from an iterator, or the context (after [`split`](Self::split): both halves of it) has been
///   dropped. A read writes to it, so nobody may look at it; a write reads it, so nobody may change it. It does not matter
///   whether somebody still wants the result: reads and writes cannot be cancelled.
/// - Of a vectored request this goes for the memory that the array names. The array itself is the context's.
/// - A context that is leaked (`mem::forget`) has not been dropped: the memory of requests in flight is the kernel's for ever.
/// - The descriptor stays open until [`submit`](Self::submit) or [`wait`](Self::wait) has passed the request on. From then
///   on the kernel holds the file by itself.
/// - In a forked child the *private* memory of requests in flight is a copy; what is mapped shared stays the kernel's.
///   Do not fork while direct I/O is in flight on private memory, unless the child does without that memory
///   (`MADV_DONTFORK`); see `open(2)`, `O_DIRECT`.
///
/// # Drop
///
/// Dropping a context cancels its polls, **waits until every request in flight is done** and throws the results away;
/// what is only queued is never done. With nothing in flight it still takes about 32 ms, and contexts are a
/// system-wide resource: make one and keep it, and drop it where waiting is allowed.
///
/// # Fork
///
/// A context serves the process that made it. In a forked child every method returns
/// [`Error::Forked`], and dropping it there does nothing to the parent's.
pub struct AioContext {
    // Each half holds the shared part, and the last one to go drops it; its order of fields does what has to
    // be done in order.
    pub(crate) submission: Submission,
    pub(crate) completion: Completion,
}

assert_impl_all!(AioContext: Send);
assert_not_impl_any!(AioContext: Sync, Clone);

impl_requests!(AioContext);

impl AioContext {
    /// Makes a context of `num_entries` entries: [io_setup(2)].
    ///
    /// # Errors
    ///
    /// As of [`Builder::build`].
    ///
    /// # Examples
    ///
    /// ```
    /// let context = aio::AioContext::new(10)?;
    /// assert_eq!(context.space(), 10);
    /// assert!(aio::AioContext::new(0).is_err());
    /// # Ok::<(), aio::Error>(())
    /// ```
    ///
    /// [io_setup(2)]: https://man7.org/linux/man-pages/man2/io_setup.2.html
    pub fn new(num_entries: usize) -> Result<Self> {
        Builder::new(num_entries).build()
    }

    /// Begins a context with more choices.
    pub fn builder(num_entries: usize) -> Builder {
        Builder::new(num_entries)
    }

    /// Hands the queued requests to the kernel, in order, and returns how many were accepted: [io_submit(2)].
    ///
    /// Fewer than [`queued`](Self::queued) means that the kernel wants completions taken first; the rest stays
    /// queued. A request that the kernel refuses is accepted here, and completes with its error.
    ///
    /// This call does the work of some requests itself and returns when they are done; see [the front page](crate#what-blocks).
    ///
    /// # Errors
    ///
    /// `EAGAIN`: the kernel has no room, and nothing is in flight that would make some. The queue is as it was.
    ///
    /// [io_submit(2)]: https://man7.org/linux/man-pages/man2/io_submit.2.html
    #[inline]
    pub fn submit(&mut self) -> Result<usize> {
        self.submission.shared().handle.check()?;
        // The kernel counts the room of events that a leaked iterator has taken only when told.
        self.completion.publish();
        self.submission.submit()
    }

    /// Submits, and waits until at least one completion is there; with nothing in flight the iterator is empty at once.
    ///
    /// Signals do not end the wait.
    ///
    /// # Errors
    ///
    /// As of [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::File;
    ///
    /// let zeros = File::open("/dev/zero")?;
    /// let mut buffer = [1; 16];
    /// let mut context = aio::AioContext::new(1)?;
    /// // SAFETY: the buffer outlives the context, and is not touched before its completion.
    /// unsafe { context.add_read(buffer.as_mut_ptr(), buffer.len(), &zeros, 0, 42)? };
    /// let (user_data, result) = context.wait()?.next().expect("one is in flight");
    /// assert_eq!((user_data, result?), (42, 16));
    /// assert_eq!(buffer, [0; 16]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn wait(&mut self) -> Result<Completions<'_>> {
        self.wait_nr(1)
    }

    /// Submits, and waits for `nr` completions, or for as many as are in flight if they are fewer.
    ///
    /// # Errors
    ///
    /// As of [`submit`](Self::submit).
    #[inline]
    pub fn wait_nr(&mut self, nr: usize) -> Result<Completions<'_>> {
        self.submit()?;
        self.completion.wait(nr, None)
    }

    /// Submits, and waits for a completion as [`wait`](Self::wait) does, but no longer than `timeout`: then the
    /// iterator is empty.
    ///
    /// # Errors
    ///
    /// As of [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (reader, _writer) = std::io::pipe()?;
    /// let mut context = aio::AioContext::new(1)?;
    /// // SAFETY: the pipe is open for longer than the context.
    /// unsafe { context.add_poll_fd(&reader, libc::POLLIN, 1)? };
    /// assert_eq!(context.wait_timeout(Duration::from_millis(1))?.count(), 0);
    /// assert_eq!(context.in_flight(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Completions<'_>> {
        self.submit()?;
        self.completion.wait(1, Some(timeout))
    }

    /// Returns the completions that are there; neither submits nor waits.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`], and with [`Builder::force_syscall`] what the call returns.
    #[inline]
    pub fn completions(&mut self) -> Result<Completions<'_>> {
        self.completion.completions()
    }

    /// Takes the next completion that is there, as the iterator of the last [`wait`](Self::wait) would, which may
    /// have been dropped: between two of them requests can be added.
    ///
    /// `None` means what the end of that iterator means: look again by a `wait` or by
    /// [`completions`](Self::completions). Take all before sleeping on the [descriptor](AsFd::as_fd).
    ///
    /// # Examples
    ///
    /// ```
    /// let zeros = std::fs::File::open("/dev/zero")?;
    /// let mut buffer = [1; 16];
    /// let mut context = aio::AioContext::new(1)?;
    /// for left in [2, 1, 0] {
    ///     // SAFETY: the buffer outlives the context, and is not touched before its completion.
    ///     unsafe { context.add_read(buffer.as_mut_ptr(), buffer.len(), &zeros, 0, left)? };
    ///     drop(context.wait()?);
    ///     let (user_data, result) = context.next_completion().expect("one is in flight");
    ///     assert_eq!((user_data, result?), (left, 16));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn next_completion(&mut self) -> Option<(UserData, io::Result<u32>)> {
        self.completion.next_completion()
    }

    /// Submits, and hands out completions until nothing is queued and nothing in flight.
    ///
    /// A poll that nobody fires keeps it waiting: [`cancel`](Self::cancel) it before.
    ///
    /// # Errors
    ///
    /// As of [`submit`](Self::submit).
    pub fn drain(&mut self, mut f: impl FnMut(UserData, io::Result<u32>)) -> Result<()> {
        self.submission.shared().handle.check()?;
        while self.queued() + self.in_flight() > 0 {
            for (user_data, result) in self.wait()? {
                f(user_data, result);
            }
        }
        Ok(())
    }

    /// Returns how many requests are queued and not yet accepted.
    #[inline]
    #[must_use]
    pub fn queued(&self) -> usize {
        self.submission.queued()
    }

    /// Returns how many requests are accepted and their completions not yet taken.
    #[inline]
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.submission.shared().in_flight()
    }

    /// Returns how many requests can be added now.
    #[inline]
    #[must_use]
    pub fn space(&self) -> usize {
        self.submission.space()
    }

    /// Returns what the context has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.submission.shared().stats()
    }

    /// Parts the context in two, so that one thread submits while another takes completions.
    ///
    /// From here on every request signals the eventfd, as if [`as_fd`](AsFd::as_fd) had been called, because the
    /// taking half sleeps on it. [`Submitter::reunite`] joins the halves again.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, io, thread};
    ///
    /// let file = File::open("/dev/zero")?;
    /// let mut buffers = vec![[1_u8; 512]; 8];
    /// let (mut submitter, mut completer) = aio::AioContext::new(8)?.split()?;
    /// thread::scope(|scope| {
    ///     let reaper = scope.spawn(move || {
    ///         let mut bytes = 0;
    ///         while bytes < 8 * 512 {
    ///             bytes += completer.wait()?.filter_map(|(_, result)| result.ok()).sum::<u32>();
    ///         }
    ///         io::Result::Ok(bytes)
    ///     });
    ///     for (n, buffer) in buffers.iter_mut().enumerate() {
    ///         // SAFETY: the buffers outlive the scope, and with it the reaper, which takes every completion.
    ///         unsafe { submitter.add_read(buffer.as_mut_ptr(), 512, &file, 0, n as u64)? };
    ///         submitter.submit()?;
    ///     }
    ///     assert_eq!(reaper.join().expect("no panic")?, 8 * 512);
    ///     io::Result::Ok(())
    /// })?;
    /// # io::Result::Ok(())
    /// ```
    pub fn split(self) -> Result<(Submitter, Completer)> {
        let shared = self.submission.shared();
        shared.handle.check()?;
        shared.signal();
        Ok((Submitter::new(self.submission), Completer::new(self.completion)))
    }

    /// Ends the context as a drop does, and says whether the kernel has let go of all memory.
    ///
    /// For whoever owns that memory and frees it afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`], and what [io_destroy(2)] says: then the kernel may use the memory of requests in flight at any
    /// later time.
    ///
    /// [io_destroy(2)]: https://man7.org/linux/man-pages/man2/io_destroy.2.html
    pub fn close(self) -> Result<()> {
        let Self { submission, completion } = self;
        submission.shared().handle.check()?;
        drop(submission);
        // Both halves were here, so this is the only owner.
        let Some(mut shared) = Arc::into_inner(completion.into_shared()) else { return Ok(()) };
        let hint = "the kernel may still use the memory of requests in flight";
        shared.handle.destroy().map_err(|error| Error::kernel("io_destroy", error, hint))
    }
}

/// An eventfd that is readable while completions wait, for `poll`, epoll or an event loop.
///
/// It is the context's: read completions, not the descriptor. Asking for it makes each request signal it, which costs
/// a quarter of a microsecond each; a context that was never asked does without. It may also be readable when nothing
/// waits: once after a completion that was taken in the instant between its arrival and its signal, and all the time
/// while requests are in flight that were submitted before it was first asked for. Ask early, and treat readable as a
/// reason to call [`completions`](AioContext::completions).
impl AsFd for AioContext {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let shared = self.submission.shared();
        shared.signal();
        shared.eventfd.as_fd()
    }
}

/// As [`as_fd`](AsFd::as_fd).
impl AsRawFd for AioContext {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for AioContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioContext")
            .field("queued", &self.queued())
            .field("in_flight", &self.in_flight())
            .field("space", &self.space())
            .finish_non_exhaustive()
    }
}
