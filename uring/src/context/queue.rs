//! The half of a context that adds and submits requests.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::time::Duration;

use uring_sys::__kernel_timespec;

use crate::UserData;
use crate::codes::Op;
use crate::entry::{Sqe, Target};
use crate::error::{Rejected, Result};
use crate::flags::{IoPriority, RwFlags};
use crate::fork::Wiped;
use crate::op;
use crate::ring::enter::timespec;
use crate::ring::submit::Submit;

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

/// What each entry of a queue points to.
pub(crate) struct Slots(Box<[Slot]>);

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The slots, thousands of them perhaps, say nothing.
        f.debug_tuple("Slots").field(&self.0.len()).finish()
    }
}

impl Slots {
    pub(crate) fn new(entries: u32) -> Self {
        Self((0..entries).map(|_| Slot::default()).collect())
    }
}

/// Adds requests with what they point to.
pub(crate) struct Queue<'a> {
    pub(crate) submit: &'a mut Submit<Sqe>,
    pub(crate) slots: &'a mut Slots,
}

impl<'a> Queue<'a> {
    /// Adds a request as it is.
    #[inline]
    pub(crate) fn add(self, sqe: Sqe) -> Result<Queued<'a>> {
        let position = self.submit.sq.vacancy()?;
        // SAFETY: `position` is fresh from `vacancy`.
        let sqe = unsafe { self.submit.sq.push(position, sqe) };
        Ok(self.queued(sqe))
    }

    #[inline]
    fn queued(self, sqe: NonNull<Sqe>) -> Queued<'a> {
        Queued { sqe, owner: self.submit.owner, queue: PhantomData }
    }

    /// Adds a read or write of the vector that `keep` leaves in the entry's slot.
    #[inline]
    fn add_kept(
        self,
        position: usize,
        op: Op,
        target: &impl Target,
        offset: u64,
        user_data: UserData,
        keep: impl FnOnce(&mut Vec<libc::iovec>),
    ) -> Queued<'a> {
        let kept = &mut self.slots.0[position].iovecs;
        keep(kept);
        let addr = op::address(kept.as_ptr());
        // Far more than the 1024 that the kernel takes are still far too many when cut.
        let len = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        let sqe = Sqe { off: offset, addr, len, user_data, ..Sqe::new(op) }.on(target);
        // SAFETY: both callers have just had `position` from `vacancy`.
        let sqe = unsafe { self.submit.sq.push(position, sqe) };
        self.queued(sqe)
    }

    /// Adds a vectored request and keeps the caller's vector.
    ///
    /// # Safety
    ///
    /// The [contract](crate::URingContext#contract), for what the request names.
    pub(crate) unsafe fn add_vec(
        self,
        op: Op,
        iovecs: Vec<libc::iovec>,
        target: &impl Target,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'a>, Rejected> {
        match self.submit.sq.vacancy() {
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
        self,
        op: Op,
        iovecs: impl IntoIterator<Item = libc::iovec>,
        target: &impl Target,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'a>> {
        let position = self.submit.sq.vacancy()?;
        Ok(self.add_kept(position, op, target, offset, user_data, |kept| {
            kept.clear();
            kept.extend(iovecs);
        }))
    }

    pub(crate) fn add_timeout(self, timeout: Duration, user_data: UserData) -> Result<()> {
        let position = self.submit.sq.vacancy()?;
        let kept = &mut self.slots.0[position].timespec;
        *kept = timespec(timeout);
        let sqe = Sqe { addr: op::address(&raw const *kept), len: 1, user_data, ..Sqe::new(Op::TIMEOUT) };
        // SAFETY: `position` is fresh from `vacancy`.
        unsafe { self.submit.sq.push(position, sqe) };
        Ok(())
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
    queue: PhantomData<&'a mut Submit<Sqe>>,
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
