//! Names of files.

use std::os::fd::{AsFd, AsRawFd};

use uring_sys::{IORING_FILE_INDEX_ALLOC, IOSQE_FIXED_FILE};

/// A file registered with [`URingContext::register_files`](crate::URingContext::register_files), named
/// by its index in the table.
///
/// It stands wherever a descriptor may stand and saves the kernel the look-up and the reference count of
/// each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fixed(pub u32);

/// The place in the table of registered files where a request puts a file that it makes, which then has no descriptor;
/// since 5.15.
///
/// A [`Fixed`] names the place, and a file that is there is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct FileIndex(u32);

impl FileIndex {
    /// A free place of the kernel's choice, which is then the result (`IORING_FILE_INDEX_ALLOC`, since 5.19); `ENFILE`
    /// if there is none.
    pub const ALLOC: Self = Self(IORING_FILE_INDEX_ALLOC);

    /// The place as an entry has it: 0 stands for a descriptor.
    #[must_use]
    #[inline]
    pub(crate) const fn raw(self) -> u32 {
        self.0
    }
}

impl From<Fixed> for FileIndex {
    #[inline]
    fn from(place: Fixed) -> Self {
        // An index past every table (the kernel takes 2^20 files) stays one, instead of wrapping to a word for
        // something else; the kernel answers EINVAL.
        Self(place.0.min(IORING_FILE_INDEX_ALLOC - 2) + 1)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_from_one_and_never_taken_for_another_word() {
        assert_eq!(FileIndex::from(Fixed(0)).raw(), 1);
        assert_eq!(FileIndex::ALLOC.raw(), u32::MAX);
        for past_every_table in [u32::MAX - 2, u32::MAX - 1, u32::MAX] {
            assert_eq!(FileIndex::from(Fixed(past_every_table)).raw(), u32::MAX - 1);
        }
    }
}
