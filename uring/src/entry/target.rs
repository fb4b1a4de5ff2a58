//! Names of files.

use std::os::fd::{AsFd, AsRawFd};

use uring_sys::IOSQE_FIXED_FILE;

/// A file registered with [`URingContext::register_files`](crate::URingContext::register_files), named
/// by its index in the table.
///
/// It stands wherever a descriptor may stand and saves the kernel the look-up and the reference count of
/// each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fixed(pub u32);

/// What a request may act on: anything with a descriptor ([`AsFd`]), or a registered file ([`Fixed`]).
///
/// The trait is sealed; it is implemented for all that there is.
pub trait Target: sealed::Sealed {
    #[doc(hidden)]
    fn resolve(&self) -> Resolved;
}

/// The two fields of an entry that name a file.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Resolved {
    pub(crate) fd: i32,
    pub(crate) flags: u8,
}

impl<T: AsFd> Target for T {
    #[inline]
    fn resolve(&self) -> Resolved {
        Resolved { fd: self.as_fd().as_raw_fd(), flags: 0 }
    }
}

impl Target for Fixed {
    #[inline]
    fn resolve(&self) -> Resolved {
        // An index past i32::MAX is past every table (the kernel takes 2^20 files); it stays positive, so
        // the kernel answers EBADF instead of taking it for something else.
        let fd = i32::try_from(self.0).unwrap_or(i32::MAX);
        Resolved { fd, flags: IOSQE_FIXED_FILE as u8 }
    }
}

mod sealed {
    use super::{AsFd, Fixed};

    pub trait Sealed {}
    impl<T: AsFd> Sealed for T {}
    impl Sealed for Fixed {}
}
