//! [`Ring`]: the whole kernel interface.
//!
//! For reads and writes of files [`URingContext`](crate::URingContext) has less to get wrong; a `Ring` is for all else
//! that the kernel can do. The [crate](crate#which-of-the-two) compares them, and the [`guide`](crate::guide) tells how
//! to use one.

// | room | what is in it |
// |---|---|
// | `builder`, `sizes`, `setup` | `io_uring_setup`: flags, fall-backs, refusals |
// | `layout`, `mapping` | the shared memory |
// | `index` | the shared counters and their orderings |
// | `sq`, `cq` | the two queues in shared memory |
// | `submit`, `reap` | the two halves of a ring: who fills the one, who empties the other |
// | `core` | what both stand on |
// | `door`, `enter`, `wait` | `io_uring_enter` |
// | `register` | `io_uring_register` |
// | `thread` | descriptors registered with a thread |
// | `provided` | rings of provided buffers |
// | `ledger` | what is in flight, for kernels that must be told |
// | `split`, `teardown`, `release` | two owners, and none |
// | `simulated`, `models` | tests with a kernel of their own: indices that wrap, and orderings |

mod builder;
pub(crate) mod core;
pub(crate) mod cq;
mod door;
pub(crate) mod enter;
pub(crate) mod index;
mod layout;
mod ledger;
mod mapping;
#[cfg(all(test, loom))]
mod models;
mod provided;
pub(crate) mod reap;
pub(crate) mod register;
mod release;
pub(crate) mod setup;
#[cfg(all(test, not(loom)))]
mod simulated;
mod sizes;
pub(crate) mod split;
pub(crate) mod sq;
pub(crate) mod submit;
mod teardown;
mod thread;
pub(crate) mod wait;

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::Arc;

use static_assertions::{assert_impl_all, assert_not_impl_any};

pub use self::builder::Builder;
use self::core::Core;
use self::cq::Cq;
pub use self::layout::Layout;
pub use self::provided::{BufRing, BufRingOptions, Buffer, Bundle};
pub use self::reap::Completions;
use self::reap::Reap;
pub use self::register::*;
use self::setup::Request;
pub use self::split::{CompletionQueue, SubmissionQueue};
use self::sq::Sq;
use self::submit::Submit;
use self::teardown::{teardown, try_teardown};
pub use self::wait::{Timeout, Wait};
use crate::entry::{Completion, Cqe, Sqe, Submission};
use crate::error::{Error, PushError, Result};
use crate::features::{Features, SetupFlags};
use crate::probe::Probe;
use crate::stats::Stats;

/// An io_uring with all that the kernel has for it.
///
/// `S` and `C` say what its entries are: of 64 bytes ([`Sqe`]) and 16 bytes ([`Cqe`]) unless something else is asked
/// for. Requests come from [`op`](crate::op), whose [contract](crate::op#contract) is all that the caller vouches
/// for: everything here is safe.
///
/// Dropping a ring cancels what can be cancelled and waits for the rest, so afterwards the kernel has no memory of
/// the caller's; [`close`](Self::close) does the same and says whether it could be had.
///
/// A [`URingContext`](crate::URingContext) stands on one and knows how many requests are in flight and what they name.
/// A ring does not: [`wait`](Self::wait) waits for as many completions as it is told, and whatever a request names,
/// vectors and times included, stays with the caller. See [the choice](crate#which-of-the-two), and the
/// [`guide`](crate::guide).
///
/// ```
/// use uring::{Ring, op};
///
/// let mut ring: Ring = Ring::new(8)?;
/// ring.push(op::ring::Nop::new().user_data(1))?;
/// for completion in ring.wait(1)? {
///     assert_eq!(completion.user_data(), 1);
///     completion.result()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Ring<S: Submission = Sqe, C: Completion = Cqe> {
    pub(crate) submit: Submit<S>,
    pub(crate) reap: Reap<C>,
}

// A queue has one producer and one consumer; the threads that they are may change.
assert_impl_all!(Ring: Send);
assert_not_impl_any!(Ring: Sync);

impl<S: Submission, C: Completion> Ring<S, C> {
    /// Makes a ring with room for `entries` requests between two submits, rounded up to a power of two; 1 to 32768.
    /// See [`io_uring_setup(2)`](https://man7.org/linux/man-pages/man2/io_uring_setup.2.html).
    ///
    /// # Errors
    ///
    /// As [`URingContext::new`](crate::URingContext::new).
    pub fn new(entries: usize) -> Result<Self> {
        Self::builder(entries).build()
    }

    /// Starts a ring with options.
    pub fn builder<'fd>(entries: usize) -> Builder<'fd, S, C> {
        Builder::new(entries)
    }

    pub(crate) fn with(request: &Request<'_>) -> Result<Self> {
        Ok(Self::of(Core::new(request)?))
    }

    /// A ring of what it consists of.
    fn of((core, sq, cq): (Arc<Core>, Sq<S>, Cq<C>)) -> Self {
        let (sq_head, cq_head) = (sq.head(), cq.head());
        let submit = Submit::new(core.clone(), sq, cq_head);
        let reap = Reap::new(core, cq, sq_head);
        Self { submit, reap }
    }

    /// Adds a request, which reaches the kernel with the next submit or wait.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`] if the queue is full and [`Error::Forked`] in a forked child, with the request.
    #[inline]
    pub fn push(&mut self, request: impl Into<S>) -> Result<(), PushError<S>> {
        self.submit.push(request.into())
    }

    /// Places of the submission queue that are free: how many requests can be pushed before a submit.
    #[must_use]
    pub fn space(&self) -> usize {
        if self.submit.check().is_err() { 0 } else { self.submit.sq.room() as usize }
    }

    /// Requests that were pushed and that the kernel has not consumed.
    #[must_use]
    pub fn queued(&self) -> usize {
        if self.submit.check().is_err() { 0 } else { self.submit.sq.queued() as usize }
    }

    /// Hands what was pushed to the kernel and returns how many places it has consumed; see
    /// [`io_uring_enter(2)`](https://man7.org/linux/man-pages/man2/io_uring_enter.2.html).
    ///
    /// In a ring with a polling thread it is the thread that consumes them: it is shown what was pushed, and woken if
    /// it sleeps.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says; no request is lost by it. [`Error::Forked`] in a forked child.
    pub fn submit(&mut self) -> Result<usize> {
        self.submit.submit()
    }

    /// Waits until the polling thread has made room in a full queue (`IORING_ENTER_SQ_WAIT`, since 5.10).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a ring without [`Builder::sqpoll`], `EOWNERDEAD` if its thread has died.
    pub fn wait_for_space(&mut self) -> Result<()> {
        self.submit.wait_for_room()
    }

    /// Returns the completions that are there, without waiting and without submitting. Those that the kernel holds
    /// back, for want of room or until it is entered, are let in first.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says. `EBADR`: the kernel itself lost completions for want of memory.
    /// [`Error::Forked`] in a forked child.
    pub fn completions(&mut self) -> Result<Completions<'_, C>> {
        self.reap.completions()
    }

    /// Takes the next completion that is there, as the iterator of the last [`wait`](Self::wait) or
    /// [`completions`](Self::completions) would, which may have been dropped: between two of them requests can be
    /// pushed.
    #[inline]
    pub fn next_completion(&mut self) -> Option<C> {
        self.reap.next_completion().inspect(|_| self.reap.publish())
    }

    /// Looks at the next completion and leaves it where it is.
    ///
    /// # Errors
    ///
    /// As [`completions`](Self::completions).
    pub fn peek(&mut self) -> Result<Option<C>> {
        self.reap.peek()
    }

    /// Places of the completion queue that hold completions not taken yet; in a ring of mixed ones, two for a large
    /// one and one for each filler. What the kernel holds back is not counted.
    #[must_use]
    pub fn ready(&self) -> usize {
        if self.reap.is_forked() { 0 } else { self.reap.cq.ready() as usize }
    }

    /// What the ring has done so far; nothing, in a forked child.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.submit.check().is_err() {
            return Stats::default();
        }
        Stats {
            enters: self.submit.enters + self.reap.enters,
            submitted: self.submit.sq.consumed(),
            completed: self.reap.cq.taken(),
        }
    }

    /// Entries that the kernel could not use, and completions that it dropped: always zero on the kernels that this
    /// crate takes, unless it made a mistake.
    #[must_use]
    pub fn lost(&self) -> (u32, u32) {
        if self.submit.check().is_err() { (0, 0) } else { (self.submit.dropped(), self.reap.overflow()) }
    }

    /// Whether waiting for completions counts as waiting for a disk, as it does by default (`IORING_ENTER_NO_IOWAIT`,
    /// since 6.15): it keeps the CPU's frequency up, and the load average.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` before 6.15.
    pub fn set_iowait(&mut self, counts: bool) -> Result<()> {
        if !counts && !self.features().contains(Features::NO_IOWAIT) {
            return Err(Error::unsupported("io_uring_enter", "NO_IOWAIT takes Linux 6.15 or newer"));
        }
        self.reap.set_iowait(counts);
        Ok(())
    }

    /// What the kernel can do with this ring.
    #[must_use]
    pub fn features(&self) -> Features {
        Features::from_bits_retain(self.submit.core.features())
    }

    /// How the ring was set up: what was asked for, and the best of the rest that the kernel has.
    #[must_use]
    pub fn setup_flags(&self) -> SetupFlags {
        SetupFlags::from_bits_retain(self.submit.core.setup_flags())
    }

    /// Sizes of the submission and the completion queue, in places.
    #[must_use]
    pub fn entries(&self) -> (usize, usize) {
        (self.submit.sq.entries() as usize, self.reap.cq.entries() as usize)
    }

    /// Asks the kernel what it offers.
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`] before 6.18, if a restricted ring does not allow `REGISTER_PROBE`.
    pub fn probe(&self) -> Result<Probe> {
        Probe::new(&self.submit.core)
    }

    /// Enables a ring that was made [disabled](Builder::disabled), in the calling thread.
    ///
    /// # Errors
    ///
    /// `EBADFD` if it is enabled.
    pub fn enable(&mut self) -> Result<()> {
        self.submit.check()?;
        self.submit.core.enable()
    }

    /// What the ring is told once: files, buffers, limits.
    #[must_use]
    pub fn registrar(&self) -> Registrar<'_> {
        Registrar::new(&self.submit.core)
    }

    /// The descriptor of the ring, readable while completions wait; none for a ring that was made
    /// [without](Builder::registered_fd_only).
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.submit.core.descriptor()
    }

    /// Splits the ring, so that one thread submits while another takes completions.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a ring that is bound to one thread ([`Builder::single_issuer`]); the ring is then dropped, with all
    /// that a drop means. [`Error::Forked`] in a forked child.
    pub fn split(self) -> Result<(SubmissionQueue<S, C>, CompletionQueue<S, C>)> {
        self.submit.check()?;
        if self.submit.core.is_bound_to_thread() {
            return Err(Error::invalid(
                "split",
                "a ring with `single_issuer` or `defer_taskrun` belongs to one thread",
            ));
        }
        Ok(split::split(self))
    }

    /// Ends the ring as a drop does, and says whether the kernel has let go of all memory.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says, and `ETIMEDOUT` for a ring that the kernel still has after a while though it was
    /// closed. The ring is leaked, and the kernel may use the memory of requests in flight at any later time: leak it, too.
    pub fn close(self) -> Result<()> {
        let (mut submit, mut reap) = self.into_halves();
        let is_forked = submit.check().is_err();
        try_teardown(&mut submit, &mut reap).map_err(Error::enter)?;
        let tenancy = Arc::clone(&submit.core.tenancy);
        // The last that has the descriptor: here the kernel's release of the ring is waited for, where it has to be.
        drop((submit, reap));
        if is_forked || tenancy.is_over() {
            return Ok(());
        }
        let error = io::Error::from_raw_os_error(libc::ETIMEDOUT);
        Err(Error::kernel(
            "close",
            error,
            "somebody else has the ring's descriptor, or its requests do not end",
        ))
    }

    fn into_halves(self) -> (Submit<S>, Reap<C>) {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used or dropped again, so the field is moved out once.
        let submit = unsafe { ptr::read(&raw const this.submit) };
        // SAFETY: as above.
        let reap = unsafe { ptr::read(&raw const this.reap) };
        (submit, reap)
    }
}

/// Waits until the kernel is done with the memory of every request; see the [contract](crate::op#contract).
///
/// Requests that were pushed but not submitted are forgotten. If the wait cannot be had (the kernel refuses
/// `io_uring_enter` since), the drop says so on standard error and leaks the ring.
impl<S: Submission, C: Completion> Drop for Ring<S, C> {
    fn drop(&mut self) {
        teardown(&mut self.submit, &mut self.reap);
    }
}

/// The descriptor of the ring is readable while completions wait.
///
/// # Panics
///
/// For a ring made [without a descriptor](Builder::registered_fd_only).
impl<S: Submission, C: Completion> AsFd for Ring<S, C> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.submit.core.as_fd()
    }
}

impl<S: Submission, C: Completion> AsRawFd for Ring<S, C> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
