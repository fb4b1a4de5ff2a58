//! [`URingContext`]: add, submit, wait.

mod builder;
mod ops;
mod queue;
mod reap;
mod registered;
mod split;
mod teardown;

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::{Duration, Instant};

use static_assertions::{assert_impl_all, assert_not_impl_any};
use uring_sys::{IORING_ENTER_GETEVENTS, IORING_FSYNC_DATASYNC};

pub use self::builder::Builder;
use self::ops::impl_ops;
use self::queue::Queue;
pub use self::queue::Queued;
pub use self::reap::Completions;
use self::reap::Reap;
pub use self::split::{Completer, Submitter};
use self::teardown::{teardown, try_teardown};
use crate::UserData;
use crate::codes::Op;
use crate::error::{Error, Rejected, Result};
use crate::features::{Features, SetupFlags};
use crate::probe::Probe;
use crate::ring::Core;
use crate::ring::setup::Request;
use crate::ring::sqe::{Sqe, Target};
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
/// After a `fork` the child's copy fails with [`Error::Forked`]. Memory that is mapped shared stays the
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
    queue: Queue,
    reap: Reap,
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
    /// [`Error::Kernel`] whose text says what forbids the ring: `EPERM` (the sysctl
    /// `kernel.io_uring_disabled`, a seccomp filter), `ENOSYS`, `ENOMEM`, `EMFILE`, `EINVAL` for a size
    /// out of range, `EOPNOTSUPP` on a kernel that lacks what 5.10 has.
    pub fn new(num_entries: usize) -> Result<Self> {
        Self::builder(num_entries).build()
    }

    /// Starts a context with options.
    pub fn builder(num_entries: usize) -> Builder {
        Builder::new(num_entries)
    }

    fn with(request: &Request) -> Result<Self> {
        let (core, sq, cq) = Core::new(request)?;
        let (sq_head, cq_head) = (sq.head(), cq.head());
        let queue = Queue::new(core.clone(), sq, cq_head);
        let reap = Reap::new(core, cq, sq_head);
        Ok(Self { queue, reap })
    }

    /// Submits what was added and waits until at least one completion is there, if anything is in flight;
    /// if nothing is, returns an empty iterator at once.
    ///
    /// A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says; no request is lost by it. `EBADR`: the kernel itself lost
    /// completions for want of memory. [`Error::Forked`] in a forked child.
    #[inline]
    pub fn wait(&mut self) -> Result<Completions<'_>> {
        self.wait_for(1)
    }

    /// As [`wait`](Self::wait) for `nr` completions, or as many as are in flight or fit the completion
    /// ring, whichever is least.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    #[inline]
    pub fn wait_nr(&mut self, nr: usize) -> Result<Completions<'_>> {
        self.wait_for(u32::try_from(nr).unwrap_or(u32::MAX))
    }

    /// As [`wait`](Self::wait) for `timeout` at the most, counted from the call; then the iterator may be
    /// empty.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Completions<'_>> {
        // A deadline past what the clock can tell is none.
        self.wait_until(1, Instant::now().checked_add(timeout))
    }

    /// Returns the completions that are there, without waiting and without submitting.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn completions(&mut self) -> Result<Completions<'_>> {
        self.reap.completions()
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
        self.reap.next_completion()
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

    /// The usual wait: one enter submits everything and returns with what is wanted. Whatever is not as
    /// usual is left to [`wait_until`](Self::wait_until), which starts from what the rings say.
    ///
    /// It becomes part of the caller: as a call of its own it would cost a request alone in its batch a
    /// sixth of all its instructions.
    #[inline(always)]
    fn wait_for(&mut self, nr: u32) -> Result<Completions<'_>> {
        if self.reap.is_usual() {
            // What was taken without an iterator that would tell the kernel.
            self.reap.cq.publish();
            let to_submit = self.queue.sq.publish();
            let taken = self.reap.cq.local_head();
            let wanted = nr.min(self.queue.sq.local_tail().wrapping_sub(taken));
            if to_submit > 0 || self.reap.cq.tail().wrapping_sub(taken) < wanted {
                self.reap.enters += 1;
                match self.queue.core.enter(to_submit, wanted, IORING_ENTER_GETEVENTS) {
                    Ok(consumed) => {
                        let tail = self.reap.cq.tail();
                        if consumed == to_submit && tail.wrapping_sub(taken) >= wanted {
                            self.queue.sq.consumed_all();
                            return Ok(self.reap.iter_to(tail));
                        }
                    }
                    Err(error) => {
                        if !self.recover(error, None)? {
                            return Ok(self.reap.iter());
                        }
                    }
                }
            }
        }
        self.wait_until(nr, None)
    }

    fn wait_until(&mut self, nr: u32, deadline: Option<Instant>) -> Result<Completions<'_>> {
        self.reap.check()?;
        self.reap.publish();
        loop {
            let to_submit = self.queue.publish();
            let owed = self.queue.sq.local_tail().wrapping_sub(self.reap.cq.local_head());
            let wanted = nr.min(owed).min(self.reap.cq.entries());
            let enough = self.reap.cq.ready() >= wanted;
            if enough && to_submit == 0 {
                break;
            }
            if self.reap.lost && !enough {
                // What is missing may never come.
                if self.reap.cq.ready() > 0 {
                    break;
                }
                return Err(self.reap.lost_completions());
            }
            let missing = if enough { 0 } else { wanted };
            self.reap.enters += 1;
            let entered = match deadline {
                Some(deadline) if missing > 0 => self.queue.core.enter_until(to_submit, missing, deadline),
                _ => {
                    let flags = if enough { self.queue.flush_flags() } else { IORING_ENTER_GETEVENTS };
                    self.queue.core.enter(to_submit, missing, flags)
                }
            };
            match entered {
                Ok(0) if enough => break,
                Ok(_) => {}
                Err(error) => {
                    if !self.recover(error, deadline)? {
                        break;
                    }
                }
            }
        }
        Ok(self.reap.iter())
    }

    /// Decides after a failed enter: go on (`true`), return what there is (`false`), or fail.
    #[cold]
    fn recover(&mut self, error: io::Error, deadline: Option<Instant>) -> Result<bool> {
        match error.raw_os_error() {
            Some(libc::EINTR) => Ok(true),
            Some(libc::ETIME) => Ok(false),
            // No room for more requests: the completions that are there, or the next one, make some.
            Some(libc::EAGAIN | libc::EBUSY) if self.reap.cq.ready() > 0 => Ok(false),
            Some(libc::EAGAIN | libc::EBUSY) if self.reap.in_flight() > 0 => {
                self.reap.enters += 1;
                let waited = match deadline {
                    Some(deadline) => self.queue.core.enter_until(0, 1, deadline),
                    None => self.queue.core.enter(0, 1, IORING_ENTER_GETEVENTS),
                };
                match waited {
                    Ok(_) => Ok(true),
                    Err(error) => match error.raw_os_error() {
                        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY) => Ok(true),
                        Some(libc::ETIME) => Ok(false),
                        _ => Err(self.reap.error(error)),
                    },
                }
            }
            _ => Err(self.reap.error(error)),
        }
    }

    /// Requests that the kernel has accepted and whose completions have not been taken; none, in a forked
    /// child.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        if self.queue.check().is_err() { 0 } else { self.reap.in_flight() as usize }
    }

    /// What the context has done so far; nothing, in a forked child.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.queue.check().is_err() {
            return Stats::default();
        }
        Stats {
            enters: self.queue.enters + self.reap.enters,
            submitted: self.queue.sq.consumed(),
            completed: self.reap.cq.taken(),
        }
    }

    /// What the kernel can do with this ring.
    #[must_use]
    pub fn features(&self) -> Features {
        Features::from_bits_retain(self.queue.core.features())
    }

    /// How the ring was set up: what was asked for, and the best of the rest that the kernel has.
    #[must_use]
    pub fn setup_flags(&self) -> SetupFlags {
        SetupFlags::from_bits_retain(self.queue.core.setup_flags())
    }

    /// Asks the kernel what it offers.
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`] before 6.18, if a restricted ring does not allow `REGISTER_PROBE`.
    pub fn probe(&self) -> Result<Probe> {
        Probe::new(&self.queue.core)
    }

    /// Splits the context, so that one thread submits while another takes completions.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a ring that is bound to one thread ([`Builder::defer_taskrun`]), `EMFILE` without a
    /// descriptor for an eventfd; the context is then dropped, with all that a drop means.
    /// [`Error::Forked`] in a forked child.
    pub fn split(self) -> Result<(Submitter, Completer)> {
        self.queue.check()?;
        if self.queue.core.is_bound_to_thread() {
            return Err(Error::invalid("split", "a ring with `defer_taskrun` belongs to one thread"));
        }
        split::split(self)
    }

    /// Ends the context as a drop does, and says whether the kernel has let go of all memory.
    ///
    /// For whoever owns that memory and frees it afterwards.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says. The ring is leaked, and the kernel may use the memory of requests in
    /// flight at any later time: leak it, too.
    pub fn close(self) -> Result<()> {
        let (mut queue, mut reap) = self.into_halves();
        try_teardown(&mut queue, &mut reap).map_err(Error::enter)
    }

    fn into_halves(self) -> (Queue, Reap) {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used or dropped again, so the field is moved out once.
        let queue = unsafe { ptr::read(&raw const this.queue) };
        // SAFETY: as above.
        let reap = unsafe { ptr::read(&raw const this.reap) };
        (queue, reap)
    }
}

/// Waits until the kernel is done with the memory of every request; see the
/// [contract](URingContext#contract).
///
/// Requests that were added but not submitted are forgotten. If the wait cannot be had (the kernel refuses
/// `io_uring_enter` since), the drop says so on standard error and leaks the ring.
impl Drop for URingContext {
    fn drop(&mut self) {
        teardown(&mut self.queue, &mut self.reap);
    }
}

/// The descriptor of the ring is readable while completions wait.
impl AsFd for URingContext {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.core.as_fd()
    }
}

impl AsRawFd for URingContext {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
