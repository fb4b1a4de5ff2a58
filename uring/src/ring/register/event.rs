//! An eventfd that is told of completions.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use uring_sys::{
    IORING_CQ_EVENTFD_DISABLED, IORING_REGISTER_EVENTFD, IORING_REGISTER_EVENTFD_ASYNC,
    IORING_UNREGISTER_EVENTFD,
};

use super::{Registrar, refused};
use crate::error::{Error, Result};

#[cold]
fn eventfd_refused(error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EBUSY) => "eventfd: one is registered; unregister it first",
        Some(libc::ENXIO) => "eventfd: none is registered",
        Some(libc::EBADF) => "eventfd: the descriptor is not open",
        Some(libc::EINVAL) => "eventfd: the descriptor is of something else",
        _ => return refused(error, "eventfd"),
    };
    Error::kernel("io_uring_register", error, hint)
}

/// An eventfd that counts completions, for a loop that waits for several things; see `eventfd(2)`. What is told is that
/// there are some, not how many: several may be told of at once, and what a full queue holds back may be told of late.
impl Registrar<'_> {
    /// Has each completion add to an eventfd (`IORING_REGISTER_EVENTFD`, since 5.2). The ring holds the eventfd: the
    /// descriptor may be closed.
    ///
    /// # Errors
    ///
    /// `EBUSY` if one is registered, `EBADF` if `eventfd` is not open, `EINVAL` if it is something else.
    pub fn register_eventfd(self, eventfd: BorrowedFd<'_>) -> Result<()> {
        self.register_eventfd_by(IORING_REGISTER_EVENTFD, eventfd)
    }

    /// As [`register_eventfd`](Self::register_eventfd), but only for what worker threads complete
    /// (`IORING_REGISTER_EVENTFD_ASYNC`, since 5.6). The kernel means what did not complete as it was submitted; what a
    /// poll or an interrupt completes is not told of, though.
    ///
    /// # Errors
    ///
    /// As [`register_eventfd`](Self::register_eventfd).
    pub fn register_eventfd_async(self, eventfd: BorrowedFd<'_>) -> Result<()> {
        self.register_eventfd_by(IORING_REGISTER_EVENTFD_ASYNC, eventfd)
    }

    fn register_eventfd_by(self, opcode: u32, eventfd: BorrowedFd<'_>) -> Result<()> {
        let mut fd = eventfd.as_raw_fd();
        // SAFETY: the opcode takes one descriptor, which outlives the call.
        unsafe { self.core()?.register(opcode, (&raw mut fd).cast(), 1) }.map(drop).map_err(eventfd_refused)
    }

    /// Has completions tell no eventfd any more (`IORING_UNREGISTER_EVENTFD`, since 5.2).
    ///
    /// # Errors
    ///
    /// `ENXIO` if none is registered.
    pub fn unregister_eventfd(self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.core()?.register(IORING_UNREGISTER_EVENTFD, ptr::null_mut(), 0) }
            .map(drop)
            .map_err(eventfd_refused)
    }

    /// Has the registered eventfd be told, or for a while not, of completions that come from now on
    /// (`IORING_CQ_EVENTFD_DISABLED`, since 5.8). It takes no system call, and also holds for an eventfd that is
    /// registered later.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`] in a forked child.
    pub fn set_eventfd_enabled(self, enabled: bool) -> Result<()> {
        let flags = self.core()?.cq_word(|off| off.flags);
        // Nobody else writes the word: the ring is in no other thread's hands but its half's that takes completions.
        let others = flags.peek() & !IORING_CQ_EVENTFD_DISABLED;
        flags.set(if enabled { others } else { others | IORING_CQ_EVENTFD_DISABLED });
        Ok(())
    }

    /// Whether a registered eventfd is told of completions, as it is at first; since 5.8.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`] in a forked child.
    pub fn is_eventfd_enabled(self) -> Result<bool> {
        Ok(self.core()?.cq_word(|off| off.flags).peek() & IORING_CQ_EVENTFD_DISABLED == 0)
    }
}
