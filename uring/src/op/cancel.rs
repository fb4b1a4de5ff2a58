//! To cancel requests.

use std::os::fd::{AsFd, AsRawFd};

use uring_sys::{
    IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ASYNC_CANCEL_FD, IORING_ASYNC_CANCEL_FD_FIXED,
    IORING_ASYNC_CANCEL_OP, IORING_ASYNC_CANCEL_USERDATA,
};

use crate::UserData;
use crate::codes::Op;
use crate::entry::{Fixed, Sqe, Target};

op! {
    /// Cancels requests of this ring; see `io_uring_enter(2)`; since 5.5.
    ///
    /// What is cancelled completes with `ECANCELED`, mostly, and its memory is the kernel's until then. The result is 0;
    /// `ENOENT` if nothing matches *or nothing that does can be cancelled*, as reads of a disk cannot; `EALREADY` if it
    /// is running, which may yet end it. With [`all`](Self::all) and [`any`](Self::any) it is how many were cancelled,
    /// 0 included.
    AsyncCancel
}

impl AsyncCancel {
    /// Cancels the request that was named `target`, the first one if there are several.
    #[inline]
    pub fn new(target: UserData) -> Self {
        Self(Sqe { addr: target, ..Sqe::new(Op::ASYNC_CANCEL) })
    }

    /// Cancels every request (`IORING_ASYNC_CANCEL_ANY`, since 5.19).
    #[inline]
    pub fn any() -> Self {
        Self::with(IORING_ASYNC_CANCEL_ANY)
    }

    /// Cancels a request on a file (`IORING_ASYNC_CANCEL_FD`, since 5.19), whichever descriptor it was named by.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `fd` stays open.
    #[inline]
    pub unsafe fn fd(fd: impl AsFd) -> Self {
        let Self(sqe) = Self::with(IORING_ASYNC_CANCEL_FD);
        Self(Sqe { fd: fd.as_fd().as_raw_fd(), ..sqe })
    }

    /// As [`fd`](Self::fd), for a registered file (`IORING_ASYNC_CANCEL_FD_FIXED`, since 6.0).
    #[inline]
    pub fn fixed(file: Fixed) -> Self {
        let Self(sqe) = Self::with(IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED);
        // The flag of the operation says what the flag of the entry says elsewhere.
        Self(Sqe { fd: file.resolve().fd, ..sqe })
    }

    /// Cancels a request of an operation (`IORING_ASYNC_CANCEL_OP`, since 6.6).
    #[inline]
    pub fn op(op: Op) -> Self {
        Self::with(0).and_op(op)
    }

    fn with(op_flags: u32) -> Self {
        Self(Sqe { op_flags, ..Sqe::new(Op::ASYNC_CANCEL) })
    }

    /// Cancels only what is of this operation, too (`IORING_ASYNC_CANCEL_OP`, since 6.6).
    #[inline]
    pub fn and_op(mut self, op: Op) -> Self {
        self.0.op_flags |= IORING_ASYNC_CANCEL_OP;
        self.0.len = op.code().into();
        self
    }

    /// Cancels only what is named so, too (`IORING_ASYNC_CANCEL_USERDATA`, since 6.6).
    #[inline]
    pub fn and_user_data(mut self, target: UserData) -> Self {
        self.0.op_flags |= IORING_ASYNC_CANCEL_USERDATA;
        self.0.addr = target;
        self
    }

    /// Cancels all that match instead of the first one (`IORING_ASYNC_CANCEL_ALL`, since 5.19).
    #[inline]
    pub fn all(mut self) -> Self {
        self.0.op_flags |= IORING_ASYNC_CANCEL_ALL;
        self
    }
}

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_ASYNC_CANCEL, IORING_OP_POLL_ADD};

    use super::*;
    use crate::op::expected::{entry, flagged, same};

    #[test]
    fn cancelling_is_what_liburing_makes_of_it() {
        same(AsyncCancel::new(77), &entry(IORING_OP_ASYNC_CANCEL, -1, 77, 0, 0));
        same(AsyncCancel::new(77).all(), &flagged(IORING_OP_ASYNC_CANCEL, -1, 77, 0, 0, 1));
        same(AsyncCancel::any(), &flagged(IORING_OP_ASYNC_CANCEL, -1, 0, 0, 0, 4));
        // SAFETY: nothing is pushed.
        let by_fd = unsafe { AsyncCancel::fd(std::io::stdout()) };
        same(by_fd, &flagged(IORING_OP_ASYNC_CANCEL, 1, 0, 0, 0, 2));
        same(AsyncCancel::fixed(Fixed(3)).all(), &flagged(IORING_OP_ASYNC_CANCEL, 3, 0, 0, 0, 1 | 2 | 8));
        let by_op = AsyncCancel::op(Op::POLL_ADD).and_user_data(9);
        same(by_op, &flagged(IORING_OP_ASYNC_CANCEL, -1, 9, IORING_OP_POLL_ADD, 0, 32 | 16));
    }
}
