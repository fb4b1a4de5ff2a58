//! The table of registered files.

use std::os::fd::RawFd;

use uring_sys::{IORING_FILE_INDEX_ALLOC, IORING_FIXED_FD_NO_CLOEXEC};

use crate::codes::Op;
use crate::entry::{Fixed, Sqe};
use crate::op::address;

op! {
    /// Changes a part of the table of registered files; since 5.5. The result is how many places were changed, `ENXIO`
    /// if there is no table.
    FilesUpdate
}

impl FilesUpdate {
    /// Puts files in places of the table, from `first` on: an array of `nr` descriptors, where -1 empties a place and -2
    /// leaves it as it is.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `fds` is valid for reads of `nr` descriptors, and those stay open.
    #[inline]
    pub unsafe fn new(first: Fixed, fds: *const RawFd, nr: u32) -> Self {
        // The last index is taken for something else; the one before it is past every table as well.
        let off = first.0.min(IORING_FILE_INDEX_ALLOC - 1).into();
        Self(Sqe { off, addr: address(fds), len: nr, ..Sqe::new(Op::FILES_UPDATE) })
    }

    /// Puts files in free places, and writes these over the descriptors (`IORING_FILE_INDEX_ALLOC`, since 6.0). The
    /// result is how many found one; `ENFILE` if there is none.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `fds` is valid for reads and writes of `nr` descriptors, and those stay open.
    #[inline]
    pub unsafe fn alloc(fds: *mut RawFd, nr: u32) -> Self {
        let off = IORING_FILE_INDEX_ALLOC.into();
        Self(Sqe { off, addr: address(fds), len: nr, ..Sqe::new(Op::FILES_UPDATE) })
    }
}

op! {
    /// Makes a descriptor of a registered file, which stays registered; since 6.8. The result is the descriptor, which is
    /// the caller's to close; `EBADF` if there is no such file.
    FixedFdInstall
}

impl FixedFdInstall {
    /// Makes a descriptor of `file`, which a program that this process turns into does not inherit.
    #[inline]
    pub fn new(file: Fixed) -> Self {
        Self(Sqe::new(Op::FIXED_FD_INSTALL).on(&file))
    }

    /// Has the descriptor inherited (`IORING_FIXED_FD_NO_CLOEXEC`, since 6.8).
    #[inline]
    pub fn no_cloexec(mut self) -> Self {
        self.0.op_flags |= IORING_FIXED_FD_NO_CLOEXEC;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_FILES_UPDATE, IORING_OP_FIXED_FD_INSTALL, IOSQE_FIXED_FILE};

    use super::*;
    use crate::op::expected::{entry, flagged, same};

    #[test]
    fn changes_of_the_table_are_what_liburing_makes_of_them() {
        let fds = ptr::without_provenance_mut(0x1000);
        // SAFETY: nothing is pushed.
        let update = unsafe { FilesUpdate::new(Fixed(7), fds, 3) };
        same(update, &entry(IORING_OP_FILES_UPDATE, -1, 0x1000, 3, 7));
        // SAFETY: as above.
        let update = unsafe { FilesUpdate::alloc(fds, 3) };
        same(update, &entry(IORING_OP_FILES_UPDATE, -1, 0x1000, 3, u32::MAX.into()));
        // SAFETY: as above.
        let update = unsafe { FilesUpdate::new(Fixed(u32::MAX), fds, 3) };
        same(update, &entry(IORING_OP_FILES_UPDATE, -1, 0x1000, 3, (u32::MAX - 1).into()));
    }

    #[test]
    fn making_a_descriptor_is_what_liburing_makes_of_it() {
        let mut expected = flagged(IORING_OP_FIXED_FD_INSTALL, 3, 0, 0, 0, 1);
        expected.flags = IOSQE_FIXED_FILE as u8;
        same(FixedFdInstall::new(Fixed(3)).no_cloexec(), &expected);
    }
}
