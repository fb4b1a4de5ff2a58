//! What a ring is entered by.

#[cfg(test)]
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
#[cfg(test)]
use std::sync::Arc;

use uring_sys::IORING_REGISTER_USE_REGISTERED_RING;

use super::thread::{self, Registration};

/// A descriptor, or a place among the registered descriptors of one thread (`IORING_SETUP_REGISTERED_FD_ONLY`).
#[derive(Debug)]
pub(crate) enum Door {
    Open(OwnedFd),
    Registered(Registration),
    #[cfg(test)]
    Simulated(Arc<dyn Kernel>),
}

/// A kernel of a test's own.
#[cfg(test)]
pub(crate) trait Kernel: std::fmt::Debug + Send + Sync {
    /// As `io_uring_enter`; a wait that would never end fails by `ETIME`, whether it has limits or not.
    fn enter(&self, to_submit: u32, min_complete: u32, flags: u32) -> io::Result<u32>;
}

/// What no ring is entered by: the kernel answers `EBADF`. By -1 it would take some register operations for ones
/// that need no ring, and do them.
const CLOSED: RawFd = -2;

impl Door {
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Open(fd) => Some(fd.as_fd()),
            _ => None,
        }
    }

    pub(crate) fn registered(&self) -> Option<&Registration> {
        match self {
            Self::Registered(entry) => Some(entry),
            _ => None,
        }
    }

    #[cfg(test)]
    pub(crate) fn simulated(&self) -> Option<&dyn Kernel> {
        match self {
            Self::Simulated(kernel) => Some(&**kernel),
            _ => None,
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
