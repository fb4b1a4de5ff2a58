//! To close files.

use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Capabilities;
use crate::codes::{Op, RegisterOp};
use crate::entry::{FileIndex, Fixed, Sqe};

/// Whether a ring has shown that the kernel has places in the table of files.
static HAS_PLACES: AtomicBool = AtomicBool::new(false);

/// Notes that the kernel is newer than 5.16.
pub(crate) fn note_places() {
    HAS_PLACES.store(true, Ordering::Relaxed);
}

/// Whether the kernel sees the place of a request to close: 5.15, and updates of 5.10 with what that has.
#[inline]
fn sees_places() -> bool {
    HAS_PLACES.load(Ordering::Relaxed)
        || Capabilities::get()
            .is_ok_and(|kernel| kernel.supports_register(RegisterOp::REGISTER_IOWQ_MAX_WORKERS))
}

op! {
    /// Closes a descriptor or takes a file out of the table of registered ones; see `close(2)`; since 5.6. The result
    /// is 0.
    ///
    /// `EBADF`: there is none, or it is a ring's. A request that is cancelled, as a part of a chain for example, closes
    /// nothing.
    Close
}

impl Close {
    /// Closes a descriptor by its number.
    ///
    /// # Safety
    ///
    /// The descriptor is the caller's, who gives it up with the push: nobody uses or closes it from then on.
    #[inline]
    pub unsafe fn new(fd: RawFd) -> Self {
        Self(Sqe { fd, ..Sqe::new(Op::CLOSE) })
    }

    /// Closes a descriptor that is handed over. If the request never gets to run, it stays open.
    #[inline]
    pub fn owned(fd: impl Into<OwnedFd>) -> Self {
        let fd = fd.into().into_raw_fd();
        // SAFETY: it was owned, and nobody has it any more.
        unsafe { Self::new(fd) }
    }

    /// Takes a file out of the table of registered ones; since 5.15, also in the updates of 5.10. Requests in flight keep
    /// theirs. A kernel before that closes nothing and answers `EINVAL` or `EBADF`.
    #[inline]
    pub fn fixed(file: Fixed) -> Self {
        // The kernel wants one number only, or it would be the wrong one: one that does not see the place sees this.
        let fd = if sees_places() { 0 } else { -1 };
        Self(Sqe { fd, file_index: FileIndex::from(file).raw(), ..Sqe::new(Op::CLOSE) })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use uring_sys::IORING_OP_CLOSE;

    use super::*;
    use crate::op::expected::{entry, same};

    #[test]
    fn closing_is_what_liburing_makes_of_it() {
        // SAFETY: nothing is pushed.
        same(unsafe { Close::new(9) }, &entry(IORING_OP_CLOSE, 9, 0, 0, 0));
        let mut expected = entry(IORING_OP_CLOSE, 0, 0, 0, 0);
        expected.__bindgen_anon_5.file_index = 6;
        same(Close::fixed(Fixed(5)), &expected);
    }

    #[test]
    fn a_descriptor_that_is_handed_over_is_not_closed_here() {
        let file = File::open("/dev/null").unwrap();
        let fd = file.as_raw_fd();
        same(Close::owned(file), &entry(IORING_OP_CLOSE, fd, 0, 0, 0));
        // SAFETY: the request is gone, and the descriptor is still open and nobody's.
        drop(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    }
}
