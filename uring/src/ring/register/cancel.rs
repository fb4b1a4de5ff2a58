//! Cancellation by call.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use uring_sys::{
    __kernel_timespec, IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ASYNC_CANCEL_FD,
    IORING_ASYNC_CANCEL_FD_FIXED, IORING_ASYNC_CANCEL_OP, IORING_ASYNC_CANCEL_USERDATA,
    IORING_REGISTER_SYNC_CANCEL, io_uring_sync_cancel_reg,
};

use super::{Registrar, refused};
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Fixed, Target as _};
use crate::error::{Error, Result};
use crate::ring::core::Core;
use crate::ring::enter::timespec;

/// What [`Registrar::cancel`] cancels, in the words of [`AsyncCancel`](crate::op::cancel::AsyncCancel).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct SyncCancel<'fd> {
    arg: io_uring_sync_cancel_reg,
    fd: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> SyncCancel<'fd> {
    /// The request that was named `target`, the first one if there are several.
    pub fn new(target: UserData) -> Self {
        let mut cancel = Self::with(0);
        cancel.arg.addr = target;
        cancel
    }

    /// Any request (`IORING_ASYNC_CANCEL_ANY`, since 6.0).
    pub fn any() -> Self {
        Self::with(IORING_ASYNC_CANCEL_ANY)
    }

    /// A request on a file (`IORING_ASYNC_CANCEL_FD`, since 6.0), whichever descriptor it was named by.
    pub fn fd(fd: BorrowedFd<'fd>) -> Self {
        let mut cancel = Self::with(IORING_ASYNC_CANCEL_FD);
        cancel.arg.fd = fd.as_raw_fd();
        cancel
    }

    /// As [`fd`](Self::fd), for a registered file (`IORING_ASYNC_CANCEL_FD_FIXED`, since 6.0).
    pub fn fixed(file: Fixed) -> Self {
        let mut cancel = Self::with(IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED);
        cancel.arg.fd = file.resolve().fd;
        cancel
    }

    /// A request of an operation (`IORING_ASYNC_CANCEL_OP`, since 6.6).
    pub fn op(op: Op) -> Self {
        Self::with(0).and_op(op)
    }

    fn with(flags: u32) -> Self {
        let never = __kernel_timespec { tv_sec: -1, tv_nsec: -1 };
        let arg = io_uring_sync_cancel_reg { fd: -1, flags, timeout: never, ..Default::default() };
        Self { arg, fd: PhantomData }
    }

    /// Only what is of this operation, too (`IORING_ASYNC_CANCEL_OP`, since 6.6).
    pub fn and_op(mut self, op: Op) -> Self {
        self.arg.flags |= IORING_ASYNC_CANCEL_OP;
        self.arg.opcode = op.code();
        self
    }

    /// Only what is named so, too (`IORING_ASYNC_CANCEL_USERDATA`, since 6.6).
    pub fn and_user_data(mut self, target: UserData) -> Self {
        self.arg.flags |= IORING_ASYNC_CANCEL_USERDATA;
        self.arg.addr = target;
        self
    }

    /// All that match instead of the first one (`IORING_ASYNC_CANCEL_ALL`, since 6.0).
    pub fn all(mut self) -> Self {
        self.arg.flags |= IORING_ASYNC_CANCEL_ALL;
        self
    }

    /// How long to wait for what is running and can be cancelled no more; for ever by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.arg.timeout = timespec(timeout);
        self
    }
}

impl Core {
    fn sync_cancel(&self, mut arg: io_uring_sync_cancel_reg) -> io::Result<u32> {
        // SAFETY: `arg` outlives the call; the kernel only reads it.
        unsafe { self.register(IORING_REGISTER_SYNC_CANCEL, (&raw mut arg).cast(), 1) }
    }

    /// Cancels what can be cancelled, without waiting.
    pub(crate) fn cancel_all(&self) -> io::Result<u32> {
        self.sync_cancel(SyncCancel::any().all().timeout(Duration::ZERO).arg)
    }
}

#[cold]
fn cancel_refused(error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::ENOENT) => "cancel: nothing matches, or nothing that does can be cancelled",
        Some(libc::ETIME) => "cancel: what matches is running, and has not ended in that time",
        Some(libc::EALREADY) => "cancel: what matches is running",
        Some(libc::EBADF) => "cancel: there is no such file",
        Some(libc::EINVAL) => {
            "cancel: what was asked for takes Linux 6.0, or 6.6 for operations, or does not go together"
        }
        _ => return refused(error, "cancel"),
    };
    Error::kernel("io_uring_register", error, hint)
}

impl Registrar<'_> {
    /// Cancels requests before it returns, where an [`AsyncCancel`](crate::op::cancel::AsyncCancel) is a request itself
    /// (`IORING_REGISTER_SYNC_CANCEL`, since 6.0).
    ///
    /// What is cancelled completes with `ECANCELED`, mostly, and its memory is the kernel's until that completion has
    /// been taken. Returned is how many were cancelled with [`all`](SyncCancel::all) or [`any`](SyncCancel::any), 0
    /// included, and 0 for the one without.
    ///
    /// In a ring with a [polling thread](crate::ring::Builder::sqpoll) it does not reach what a worker runs, which an
    /// `AsyncCancel` does.
    ///
    /// # Errors
    ///
    /// `ENOENT` if nothing matches or nothing that does can be cancelled, `ETIME` if what is running has not ended
    /// in the time given, `EBADF` for a file that there is not, `EINTR`, and `EINVAL` before 6.0.
    pub fn cancel(self, what: &SyncCancel<'_>) -> Result<u32> {
        let core = self.core()?;
        let narrower = IORING_ASYNC_CANCEL_OP | IORING_ASYNC_CANCEL_USERDATA;
        if what.arg.flags & IORING_ASYNC_CANCEL_ANY != 0 && what.arg.flags & narrower != 0 {
            // The kernel would take it for all there is, where it refuses the same of a request.
            return Err(Error::invalid(
                "io_uring_register",
                "cancel: `any` and something narrower do not go together",
            ));
        }
        core.sync_cancel(what.arg).map_err(cancel_refused)
    }
}
