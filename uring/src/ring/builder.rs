//! How to make a ring that is not the default one.

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::time::Duration;

use uring_sys::{
    IORING_SETUP_CLAMP, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_HYBRID_IOPOLL,
    IORING_SETUP_IOPOLL, IORING_SETUP_NO_SQARRAY, IORING_SETUP_R_DISABLED, IORING_SETUP_REGISTERED_FD_ONLY,
    IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SQ_AFF, IORING_SETUP_SQ_REWIND, IORING_SETUP_SQPOLL,
    IORING_SETUP_TASKRUN_FLAG,
};

use super::Ring;
use super::layout::Layout;
use super::setup::{Memory, Request};
use crate::entry::{Completion, Cqe, Sqe, Submission};
use crate::error::Result;
use crate::features::SetupFlags;
use crate::restriction::Restrictions;

/// Options of a [`Ring`].
///
/// What is asked for here the ring has, or `build` fails: only `NO_SQARRAY` and `SUBMIT_ALL`, which every ring wants
/// and nobody has to know of, are left out where the kernel does not have them.
///
/// ```
/// use uring::{Ring, ring};
///
/// let ring: Ring = Ring::builder(64).cq_entries(1024).single_issuer().defer_taskrun().build()?;
/// # Ok::<(), uring::Error>(())
/// ```
#[must_use]
pub struct Builder<'fd, S: Submission = Sqe, C: Completion = Cqe> {
    request: Request<'fd>,
    entries: PhantomData<fn() -> (S, C)>,
}

impl<S: Submission, C: Completion> Clone for Builder<'_, S, C> {
    fn clone(&self) -> Self {
        Self { request: self.request.clone(), entries: PhantomData }
    }
}

impl<S: Submission, C: Completion> fmt::Debug for Builder<'_, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.fmt(f)
    }
}

impl<'fd, S: Submission, C: Completion> Builder<'fd, S, C> {
    pub(crate) fn new(entries: usize) -> Self {
        let request = Request { entries, flags: S::SETUP | C::SETUP, ..Request::default() };
        Self { request, entries: PhantomData }
    }

    fn with(mut self, flags: u32) -> Self {
        self.request.flags |= flags;
        self
    }

    /// Sizes the completion queue, in places, at least as many as the submission queue has and at most 65536; the
    /// kernel rounds up to a power of two. By default it is twice the submission queue.
    pub fn cq_entries(mut self, entries: usize) -> Self {
        self.request.cq_entries = Some(entries);
        self
    }

    /// Cuts sizes that are too large to what the kernel has (`IORING_SETUP_CLAMP`, since 5.6).
    pub fn clamp(self) -> Self {
        self.with(IORING_SETUP_CLAMP)
    }

    /// Has a thread of the kernel's take requests as they are pushed, without system calls (`IORING_SETUP_SQPOLL`,
    /// since 5.1); it sleeps after `idle`, in milliseconds, without any, and 0 is a second. Before 5.11 requests can
    /// name registered files only.
    pub fn sqpoll(mut self, idle: Duration) -> Self {
        self.request.sq_thread_idle = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX);
        self.with(IORING_SETUP_SQPOLL)
    }

    /// Binds that thread to a CPU (`IORING_SETUP_SQ_AFF`, since 5.1).
    pub fn sqpoll_cpu(mut self, cpu: u32) -> Self {
        self.request.sq_thread_cpu = cpu;
        self.with(IORING_SETUP_SQ_AFF)
    }

    /// Polls the device for completions instead of being interrupted (`IORING_SETUP_IOPOLL`, since 5.1): for direct I/O
    /// on files whose device has queues for that; everything else is `EOPNOTSUPP`.
    pub fn iopoll(self) -> Self {
        self.with(IORING_SETUP_IOPOLL)
    }

    /// Sleeps for a part of the expected time before it polls (`IORING_SETUP_HYBRID_IOPOLL`, since 6.13), beside
    /// [`iopoll`](Self::iopoll).
    pub fn hybrid_iopoll(self) -> Self {
        self.with(IORING_SETUP_HYBRID_IOPOLL)
    }

    /// Shares the workers, and the thread of [`sqpoll`](Self::sqpoll), of another ring (`IORING_SETUP_ATTACH_WQ`, since
    /// 5.6).
    pub fn attach_wq(mut self, ring: BorrowedFd<'fd>) -> Self {
        self.request.wq = Some(ring);
        self
    }

    /// Starts the ring disabled (`IORING_SETUP_R_DISABLED`, since 5.10): files, buffers and regions are registered
    /// first, and [`Ring::enable`] lets requests in.
    pub fn disabled(self) -> Self {
        self.with(IORING_SETUP_R_DISABLED)
    }

    /// Binds the ring to the thread that first submits or waits (`IORING_SETUP_SINGLE_ISSUER`, since 6.0). Another
    /// thread gets `EEXIST`, and [`Ring::split`] is refused. Drop the ring in that thread, too: elsewhere it cannot
    /// wait for requests in flight, says so and leaks. Before it is bound, [messages](crate::op::ring::MsgRing) to it are
    /// refused as to a ring that is disabled: a wait for 0 completions binds it.
    pub fn single_issuer(self) -> Self {
        self.with(IORING_SETUP_SINGLE_ISSUER)
    }

    /// Runs completion work only when completions are asked for (`IORING_SETUP_DEFER_TASKRUN`, since 6.1), beside
    /// [`single_issuer`](Self::single_issuer): about a tenth of the time of a small request.
    pub fn defer_taskrun(self) -> Self {
        self.with(IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG)
    }

    /// Lets completion work wait until the submitting thread enters the kernel anyway, instead of interrupting it
    /// (`IORING_SETUP_COOP_TASKRUN`, since 5.19).
    pub fn coop_taskrun(self) -> Self {
        self.with(IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)
    }

    /// Begins each submit at the first place of the queue (`IORING_SETUP_SQ_REWIND`, since 7.0): a queue that is
    /// submitted in small batches then stays in the cache.
    pub fn rewind(self) -> Self {
        self.with(IORING_SETUP_SQ_REWIND | IORING_SETUP_NO_SQARRAY)
    }

    /// Lays the rings into memory of the process instead of the kernel's (`IORING_SETUP_NO_MMAP`, since 6.5).
    ///
    /// Before 6.10 the entries fit into one page, and so do the queues with the completions, be it a
    /// [huge](Self::huge_pages) one, or the kernel refuses with `EINVAL`.
    pub fn no_mmap(mut self) -> Self {
        self.request.memory = Memory::Own { huge: None };
        self
    }

    /// As [`no_mmap`](Self::no_mmap), in whole huge pages of 2<sup>`log2`</sup> bytes, 21 for the usual ones of 2 MiB: large
    /// rings then take one entry of the page table.
    pub fn huge_pages(mut self, log2: u8) -> Self {
        self.request.memory = Memory::Own { huge: Some(log2) };
        self
    }

    /// As [`no_mmap`](Self::no_mmap), in memory of the caller's: [`Layout::pages`] of [`layout`](Self::layout) bytes
    /// from the start of a page on. Children do not inherit it (`MADV_DONTFORK`).
    ///
    /// # Safety
    ///
    /// The memory is mapped and nobody else's until the ring has been dropped, and for ever if that leaks it. That is one
    /// ring: of this builder and those that are cloned from it no other is built.
    pub unsafe fn memory(mut self, start: NonNull<u8>, len: usize) -> Self {
        self.request.memory = Memory::Lent { start, len };
        self
    }

    /// Makes a ring without a descriptor, by its place in the thread's table of registered rings
    /// (`IORING_SETUP_REGISTERED_FD_ONLY`, since 6.5), beside [`no_mmap`](Self::no_mmap). Only the thread that makes it
    /// can use it: in another one it answers `EBADF`.
    pub fn registered_fd_only(self) -> Self {
        self.with(IORING_SETUP_REGISTERED_FD_ONLY)
    }

    /// Restricts the ring to an allow-list, from when it is enabled on.
    pub fn restrictions(mut self, restrictions: Restrictions) -> Self {
        self.request.restrictions = Some(restrictions);
        self
    }

    /// Adds flags as they are, also such as this crate has no word for yet.
    ///
    /// # Safety
    ///
    /// They do not change what the entries of the queues are or where they lie, as `SQE128`, `CQE32` and `NO_MMAP` do:
    /// that is said by the type parameters and by [`no_mmap`](Self::no_mmap).
    pub unsafe fn flags(self, flags: SetupFlags) -> Self {
        self.with(flags.bits())
    }

    /// Computes how much memory the rings will take, the index array of kernels before 6.6 included.
    ///
    /// # Errors
    ///
    /// `EINVAL` for sizes out of range.
    pub fn layout(&self) -> Result<Layout> {
        self.request.expected_layout()
    }

    /// Makes the ring.
    ///
    /// # Errors
    ///
    /// As [`URingContext::new`](crate::URingContext::new), and `EINVAL` with a text for flags that exclude or take one
    /// another, or that this kernel does not know.
    pub fn build(self) -> Result<Ring<S, C>> {
        Ring::with(&self.request)
    }
}
