//! The half of a context that adds and submits requests.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use uring_sys::{__kernel_timespec, IORING_ENTER_GETEVENTS, IORING_SQ_CQ_OVERFLOW, IORING_SQ_TASKRUN};

use crate::UserData;
use crate::codes::Op;
use crate::error::{Error, Rejected, Result};
use crate::flags::{IoPriority, RwFlags};
use crate::fork::Wiped;
use crate::ring::Core;
use crate::ring::enter::timespec;
use crate::ring::index::Index;
use crate::ring::sqe::{Sqe, Target};
use crate::ring::submission::SubmissionQueue;

/// Most bytes of one transfer: the kernel cuts every read and write to this (`MAX_RW_COUNT`).
const MAX_RW_COUNT: usize = 0x7fff_f000;

/// Bits of the submission ring's flags that say: enter, or completions stay behind.
pub(crate) const WANTS_ENTER: u32 = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

/// What an entry points to and the caller does not keep, until the kernel has consumed the entry.
///
/// It belongs to the entry's position: only the next request at that position replaces it, and that one
/// comes after the kernel has consumed this one.
#[derive(Debug, Default)]
struct Slot {
    iovecs: Vec<libc::iovec>,
    timespec: __kernel_timespec,
}

// SAFETY: the pointers in `iovecs` are not followed here, only handed to the kernel; that the memory may
// be used from wherever the context goes is part of the contract of the call that brought them.
unsafe impl Send for Slot {}

/// Adds and submits.
pub(crate) struct Queue {
    pub(crate) sq: SubmissionQueue,
    slots: Box<[Slot]>,
    sq_flags: Index,
    owner: Wiped,
    /// Where the other half has told the kernel that it is.
    cq_head: Index,
    /// Whether to write down what is in flight, see `Core::ledger`.
    keeps_ledger: bool,
    pub(crate) enters: u64,
    /// Last: what is above points into its mappings.
    pub(crate) core: Arc<Core>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The slots, thousands of them perhaps, say nothing.
        f.debug_struct("Queue").field("sq", &self.sq).field("core", &self.core).finish_non_exhaustive()
    }
}

impl Queue {
    pub(crate) fn new(core: Arc<Core>, sq: SubmissionQueue, cq_head: Index) -> Self {
        Self {
            slots: (0..sq.entries()).map(|_| Slot::default()).collect(),
            sq_flags: core.sq_flags(),
            owner: core.gate().owner(),
            cq_head,
            keeps_ledger: core.ledger().is_some(),
            enters: 0,
            sq,
            core,
        }
    }

    /// Fails in a forked child, which must not touch the rings.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        self.sq.check()
    }

    /// Adds a request as it is.
    ///
    /// # Safety
    ///
    /// The [contract](crate::URingContext#contract), for what the request names.
    #[inline]
    pub(crate) unsafe fn add(&mut self, sqe: Sqe) -> Result<Queued<'_>> {
        let position = self.sq.vacancy()?;
        // SAFETY: `position` is fresh from `vacancy`.
        let sqe = unsafe { self.sq.push(position, sqe) };
        Ok(self.queued(sqe))
    }

    #[inline]
    fn queued(&mut self, sqe: NonNull<Sqe>) -> Queued<'_> {
        Queued { sqe, owner: self.owner, queue: PhantomData }
    }

    /// Adds a read or write of one buffer.
    ///
    /// # Safety
    ///
    /// The [contract](crate::URingContext#contract), for what the request names.
    #[inline]
    pub(crate) unsafe fn add_rw(
        &mut self,
        op: Op,
        buffer: (u64, usize),
        buf_index: u16,
        target: &impl Target,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        let (addr, len) = buffer;
        // The minimum fits 32 bits.
        let len = len.min(MAX_RW_COUNT) as u32;
        let sqe = Sqe { off: offset, addr, len, buf_index, ..Sqe::new(op, user_data) };
        // SAFETY: this fn's contract.
        unsafe { self.add(sqe.on(target)) }
    }

    /// Adds a read or write of the vector that `keep` leaves in the entry's slot.
    #[inline]
    fn add_kept(
        &mut self,
        position: usize,
        op: Op,
        target: &impl Target,
        offset: u64,
        user_data: UserData,
        keep: impl FnOnce(&mut Vec<libc::iovec>),
    ) -> Queued<'_> {
        let kept = &mut self.slots[position].iovecs;
        keep(kept);
        let addr = kept.as_ptr().expose_provenance() as u64;
        // Far more than the 1024 that the kernel takes are still far too many when cut.
        let len = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        let sqe = Sqe { off: offset, addr, len, ..Sqe::new(op, user_data) }.on(target);
        // SAFETY: both callers have just had `position` from `vacancy`.
        let sqe = unsafe { self.sq.push(position, sqe) };
        self.queued(sqe)
    }

    /// Adds a vectored request and keeps the caller's vector.
    ///
    /// # Safety
    ///
    /// The [contract](crate::URingContext#contract), for what the request names.
    pub(crate) unsafe fn add_vec(
        &mut self,
        op: Op,
        iovecs: Vec<libc::iovec>,
        target: &impl Target,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>, Rejected> {
        match self.sq.vacancy() {
            Ok(position) => Ok(self.add_kept(position, op, target, offset, user_data, |kept| *kept = iovecs)),
            Err(error) => Err(Rejected { error, iovecs }),
        }
    }

    /// Adds a vectored request and reuses the slot's vector.
    ///
    /// # Safety
    ///
    /// The [contract](crate::URingContext#contract), for what the request names.
    pub(crate) unsafe fn add_iter(
        &mut self,
        op: Op,
        iovecs: impl IntoIterator<Item = libc::iovec>,
        target: &impl Target,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        let position = self.sq.vacancy()?;
        Ok(self.add_kept(position, op, target, offset, user_data, |kept| {
            kept.clear();
            kept.extend(iovecs);
        }))
    }

    pub(crate) fn add_timeout(&mut self, timeout: Duration, user_data: UserData) -> Result<()> {
        let position = self.sq.vacancy()?;
        let kept = &mut self.slots[position].timespec;
        *kept = timespec(timeout);
        let addr = (&raw const *kept).expose_provenance() as u64;
        let sqe = Sqe { addr, len: 1, ..Sqe::new(Op::TIMEOUT, user_data) };
        // SAFETY: `position` is fresh from `vacancy`.
        unsafe { self.sq.push(position, sqe) };
        Ok(())
    }

    /// Flags for an enter that does not wait: none, unless completions would stay behind.
    #[inline]
    pub(crate) fn flush_flags(&self) -> u32 {
        if self.sq_flags.peek() & WANTS_ENTER == 0 { 0 } else { IORING_ENTER_GETEVENTS }
    }

    /// Hands all added entries to the kernel's view of the queue and returns how many it has yet to
    /// consume.
    #[inline]
    pub(crate) fn publish(&mut self) -> u32 {
        if self.keeps_ledger {
            self.core.note_added(self.sq.unpublished());
        }
        self.sq.publish()
    }

    /// Forgets the requests that the kernel has not consumed.
    pub(crate) fn discard(&mut self) {
        self.sq.discard();
    }

    pub(crate) fn submit(&mut self) -> Result<usize> {
        self.check()?;
        let mut accepted = 0;
        loop {
            let to_submit = self.publish();
            if to_submit == 0 {
                return Ok(accepted);
            }
            self.enters += 1;
            match self.core.enter(to_submit, 0, self.flush_flags()) {
                Ok(0) => return Ok(accepted),
                Ok(consumed) => accepted += consumed as usize,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    // Completions have to be taken first; there are some to come.
                    Some(libc::EAGAIN | libc::EBUSY) if self.owed() > 0 => return Ok(accepted),
                    _ => return Err(Error::enter(error)),
                },
            }
        }
    }

    /// Requests that the kernel has consumed and whose completions it does not know to be taken.
    fn owed(&self) -> u32 {
        self.sq.head().observe().wrapping_sub(self.cq_head.observe())
    }
}

/// A read or write that was just added, to be refined before it is submitted.
///
/// ```
/// # use uring::{RwFlags, URingContext};
/// # let file = std::fs::File::options().write(true).open("/dev/null")?;
/// # let mut ring = URingContext::new(8)?;
/// let data = *b"durable";
/// // SAFETY: `data` and `file` outlive the wait below.
/// unsafe { ring.add_write(data.as_ptr(), data.len(), &file, 0, 1)? }.rw_flags(RwFlags::DSYNC);
/// let (_, written) = ring.wait()?.next().expect("one request is in flight");
/// assert_eq!(written?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Queued<'a> {
    /// Points to an entry that is ours until the queue publishes, which `'a` forbids.
    sqe: NonNull<Sqe>,
    /// Wiped in a forked child, where the entry is not mapped.
    owner: Wiped,
    queue: PhantomData<&'a mut Queue>,
}

impl Queued<'_> {
    /// Sets the flags of this read or write, `RWF_*` of `preadv2(2)`.
    #[allow(
        clippy::return_self_not_must_use,
        reason = "the change is made in place; the value is for chaining"
    )]
    pub fn rw_flags(self, flags: RwFlags) -> Self {
        if !self.owner.is_wiped() {
            // SAFETY: the entry is valid and unpublished (the field's invariant), so nobody else touches it.
            unsafe { (*self.sqe.as_ptr()).op_flags = flags.bits().cast_unsigned() };
        }
        self
    }

    /// Sets the I/O priority of this read or write.
    #[allow(
        clippy::return_self_not_must_use,
        reason = "the change is made in place; the value is for chaining"
    )]
    pub fn ioprio(self, priority: IoPriority) -> Self {
        if !self.owner.is_wiped() {
            // SAFETY: as in `rw_flags`.
            unsafe { (*self.sqe.as_ptr()).ioprio = priority.raw() };
        }
        self
    }
}
