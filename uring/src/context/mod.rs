//! [`URingContext`]: add, submit, wait.

mod builder;
mod completions;
mod ops;
mod queue;
mod registered;
mod split;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use static_assertions::{assert_impl_all, assert_not_impl_any};

pub use self::builder::Builder;
pub use self::completions::Completions;
use self::ops::impl_ops;
pub use self::queue::Queued;
use self::queue::{Queue, Slots};
pub use self::split::{Completer, Submitter};
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Sqe, SqeFlags, Target, result};
use crate::error::{Error, Rejected, Result};
use crate::features::{Features, SetupFlags};
use crate::op;
use crate::probe::Probe;
use crate::ring::Ring;
use crate::ring::enter::Limits;
use crate::ring::setup::Request;
use crate::ring::submit::Submit;
use crate::stats::Stats;

/// An io_uring for file I/O: queue requests with `add_*`, [`submit`](Self::submit) them, and iterate over
/// what [`wait`](Self::wait) returns.
///
/// Requests are told apart by the `user_data` they were added with; the context gives it no meaning, and
/// it may repeat. Requests run in no particular order.
///
/// # Contract
///
/// What names the caller's memory or descriptor is `unsafe`, and asks for one thing: **the memory lives
/// and is not otherwise touched until its completion has been taken; the descriptor stays open until the
/// kernel has accepted the request**, in [`submit`](Self::submit) or a `wait`, which submits. With fsync,
/// fdatasync and fallocate it stays open until the completion: newer kernels look it up in a worker, and
/// would find whatever file has its number by then.
///
/// Dropping the context also ends the kernel's use of the memory: it cancels what can be cancelled and waits
/// for the rest. Where it is refused that, it says so and leaks; [`close`](Self::close) tells. Leaking the
/// context ([`mem::forget`](std::mem::forget)) ends nothing.
///
/// Descriptors are passed by reference, `&file`: one that is passed by value is closed too early.
///
/// # Threads and forks
///
/// A context may move between threads; [`split`](Self::split) makes a half that submits and a half that
/// takes completions. Requests belong to the thread that submitted them: if it ends, the kernel cancels
/// those that wait for something (polls, timeouts, reads of pipes), which complete with `ECANCELED`.
///
/// After a `fork` the child's copy fails with [`Error::Forked`](crate::Error::Forked). Memory that is mapped shared stays the
/// kernel's there, too; and do not fork while direct I/O is in flight on private memory, unless the child does
/// without that memory (`MADV_DONTFORK`): see `open(2)`, `O_DIRECT`.
///
/// # Examples
///
/// ```
/// use uring::URingContext;
///
/// let file = std::fs::File::open("/proc/self/exe")?;
/// let mut ring = URingContext::new(16)?;
/// let mut block = [0; 64];
/// // SAFETY: `block` and `file` outlive the wait below, and nobody else looks at `block`.
/// unsafe { ring.add_read(block.as_mut_ptr(), block.len(), &file, 0, 1)? };
/// for (user_data, result) in ring.wait()? {
///     println!("request {user_data} read {} bytes", result?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct URingContext {
    ring: Ring,
    /// Dropped after the ring, whose entries point into it.
    slots: Slots,
}

// A queue has one producer and one consumer; the threads that they are may change.
assert_impl_all!(URingContext: Send);
assert_not_impl_any!(URingContext: Sync);

impl_ops!(URingContext);

impl URingContext {
    /// Makes a context with room for `num_entries` requests between two submits, rounded up to a power of
    /// two; 1 to 32768. More than that may be in flight. See
    /// [`io_uring_setup(2)`](https://man7.org/linux/man-pages/man2/io_uring_setup.2.html).
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`](crate::Error::Kernel) whose text says what forbids the ring: `EPERM` (the sysctl
    /// `kernel.io_uring_disabled`, a seccomp filter), `ENOSYS`, `ENOMEM`, `EMFILE`, `EINVAL` for a size
    /// out of range, `EOPNOTSUPP` on a kernel that lacks what 5.10 has.
    pub fn new(num_entries: usize) -> Result<Self> {
        Self::builder(num_entries).build()
    }

    /// Starts a context with options.
    pub fn builder(num_entries: usize) -> Builder {
        Builder::new(num_entries)
    }

    fn with(request: &Request<'_>) -> Result<Self> {
        let mut ring = Ring::with(request)?;
        ring.reap.counts = true;
        ring.submit.core.counts.store(true, Ordering::Relaxed);
        let slots = Slots::new(ring.submit.sq.entries());
        Ok(Self { ring, slots })
    }

    #[inline]
    fn queue(&mut self) -> Queue<'_> {
        Queue { submit: &mut self.ring.submit, slots: &mut self.slots }
    }

    #[inline]
    fn half(&self) -> &Submit<Sqe> {
        &self.ring.submit
    }

    /// Submits what was added and waits until at least one completion is there, if anything is in flight;
    /// if nothing is, returns an empty iterator at once.
    ///
    /// A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says; no request is lost by it. `EBADR`: the kernel itself lost
    /// completions for want of memory. [`Error::Forked`](crate::Error::Forked) in a forked child.
    #[inline]
    pub fn wait(&mut self) -> Result<Completions<'_>> {
        self.ring.wait_for::<true>(1).map(Completions)
    }

    /// As [`wait`](Self::wait) for `nr` completions, or as many as are in flight or fit the completion
    /// ring, whichever is least.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    #[inline]
    pub fn wait_nr(&mut self, nr: usize) -> Result<Completions<'_>> {
        self.ring.wait_for::<true>(nr).map(Completions)
    }

    /// As [`wait`](Self::wait) for `timeout` at the most, counted from the call; then the iterator may be
    /// empty.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Completions<'_>> {
        // A deadline past what the clock can tell is none.
        let limits = Limits { deadline: Instant::now().checked_add(timeout), ..Limits::default() };
        self.ring.wait_until::<true>(1, &limits).map(Completions)
    }

    /// Returns the completions that are there, without waiting and without submitting.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn completions(&mut self) -> Result<Completions<'_>> {
        self.ring.completions().map(Completions)
    }

    /// Takes the next completion that is there, as the iterator of the last [`wait`](Self::wait) would, which
    /// may have been dropped: between two of them requests can be added.
    ///
    /// `None` means what the end of that iterator means: look again by a `wait` or by
    /// [`completions`](Self::completions).
    ///
    /// ```
    /// # let mut ring = uring::URingContext::new(8)?;
    /// ring.add_nop(3)?;
    /// drop(ring.wait()?);
    /// while let Some((left, result)) = ring.next_completion() {
    ///     result?;
    ///     if left > 0 {
    ///         ring.add_nop(left - 1)?;
    ///         drop(ring.wait()?);
    ///     }
    /// }
    /// assert_eq!(ring.stats().completed, 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn next_completion(&mut self) -> Option<(UserData, io::Result<u32>)> {
        let cqe = self.ring.reap.next_completion()?;
        Some((cqe.user_data, result(cqe.res)))
    }

    /// Submits what was added and hands every completion to `each` until nothing is in flight.
    ///
    /// It waits for as long as that takes: a read on an empty pipe has to be [cancelled](Self::cancel)
    /// first.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); the completions so far have been handed out.
    pub fn drain(&mut self, mut each: impl FnMut(UserData, io::Result<u32>)) -> Result<()> {
        loop {
            let mut idle = true;
            for (user_data, result) in self.wait()? {
                idle = false;
                each(user_data, result);
            }
            if idle {
                return Ok(());
            }
        }
    }

    /// Gives the queues other sizes, as [`Ring::resize`](crate::Ring::resize) does, for a context with
    /// [`defer_taskrun`](Builder::defer_taskrun) (since 6.13); requests in flight go on.
    ///
    /// # Errors
    ///
    /// `EBUSY` if requests were added and not submitted; otherwise as `Ring::resize`.
    pub fn resize(&mut self, num_entries: usize, cq_entries: Option<usize>) -> Result<()> {
        if self.ring.queued() > 0 {
            return Err(Error::kernel(
                "io_uring_register",
                io::Error::from_raw_os_error(libc::EBUSY),
                "requests were added and not submitted: submit them first",
            ));
        }
        self.ring.resize(num_entries, cq_entries)?;
        // The kernel has consumed every entry, so nothing points to the slots of before.
        self.slots = Slots::new(self.ring.submit.sq.entries());
        Ok(())
    }

    /// Requests that the kernel has accepted and whose completions have not been taken; none, in a forked
    /// child.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        if self.half().check().is_err() { 0 } else { self.ring.reap.in_flight() as usize }
    }

    /// What the context has done so far; nothing, in a forked child.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// What the kernel can do with this ring.
    #[must_use]
    pub fn features(&self) -> Features {
        self.ring.features()
    }

    /// How the ring was set up: what was asked for, and the best of the rest that the kernel has.
    #[must_use]
    pub fn setup_flags(&self) -> SetupFlags {
        self.ring.setup_flags()
    }

    /// Asks the kernel what it offers.
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`](crate::Error::Kernel) before 6.18, if a restricted ring does not allow `REGISTER_PROBE`.
    pub fn probe(&self) -> Result<Probe> {
        self.ring.probe()
    }

    /// Splits the context, so that one thread submits while another takes completions.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a ring that is bound to one thread ([`Builder::defer_taskrun`]), `EMFILE` without a
    /// descriptor for an eventfd; the context is then dropped, with all that a drop means.
    /// [`Error::Forked`](crate::Error::Forked) in a forked child.
    pub fn split(self) -> Result<(Submitter, Completer)> {
        split::split(self)
    }

    /// Ends the context as a drop does, and says whether the kernel has let go of all memory.
    ///
    /// For whoever owns that memory and frees it afterwards. A drop that is refused the wait (the kernel refuses
    /// `io_uring_enter` since the ring was made) says so on standard error and leaks the ring.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says. The ring is leaked, and the kernel may use the memory of requests in
    /// flight at any later time: leak it, too.
    pub fn close(self) -> Result<()> {
        let Self { ring, slots } = self;
        // The kernel has consumed every entry that it knows of, so nothing points to the slots any more
        // (`IORING_FEAT_SUBMIT_STABLE`), even if the ring is leaked.
        let closed = ring.close();
        drop(slots);
        closed
    }
}

/// The descriptor of the ring is readable while completions wait.
impl AsFd for URingContext {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl AsRawFd for URingContext {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
