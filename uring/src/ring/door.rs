//! What a ring is entered by.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use uring_sys::IORING_REGISTER_USE_REGISTERED_RING;

use super::thread::{self, Registration};

/// A descriptor, or a place among the registered descriptors of one thread (`IORING_SETUP_REGISTERED_FD_ONLY`).
#[derive(Debug)]
pub(crate) enum Door {
    Open(OwnedFd),
    Registered(Registration),
}

/// What no ring is entered by: the kernel answers `EBADF`. By -1 it would take some register operations for ones
/// that need no ring, and do them.
const CLOSED: RawFd = -2;

impl Door {
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Open(fd) => Some(fd.as_fd()),
            Self::Registered(_) => None,
        }
    }

    pub(crate) fn registered(&self) -> Option<&Registration> {
        match self {
            Self::Open(_) => None,
            Self::Registered(entry) => Some(entry),
        }
    }

    /// What to enter by from the calling thread, which is not the one that has registered.
    pub(crate) fn raw(&self) -> RawFd {
        self.descriptor().map_or(CLOSED, |fd| fd.as_raw_fd())
    }

    /// What to register by from the calling thread, and the flag that says what kind it is.
    pub(crate) fn for_register(&self) -> (RawFd, u32) {
        match self {
            Self::Registered(entry) if entry.thread() == thread::current() => {
                (entry.index().cast_signed(), IORING_REGISTER_USE_REGISTERED_RING)
            }
            _ => (self.raw(), 0),
        }
    }
}
