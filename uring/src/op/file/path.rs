//! Names of files: to make, change and remove them.

use std::ffi::c_char;
use std::os::fd::{AsFd, AsRawFd};

use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

op! {
    /// Renames a file; see `renameat2(2)`. Since 5.11. The result is 0.
    Renameat
}

impl Renameat {
    /// Renames `old_path` to `new_path`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): the paths are C strings, and the directories stay open.
    #[inline]
    pub unsafe fn new(
        old_dirfd: impl AsFd,
        old_path: *const c_char,
        new_dirfd: impl AsFd,
        new_path: *const c_char,
    ) -> Self {
        Self(two_paths(Op::RENAMEAT, &old_dirfd, old_path, &new_dirfd, new_path))
    }

    /// Sets flags, `libc::RENAME_*`.
    #[inline]
    pub fn rename_flags(mut self, flags: u32) -> Self {
        self.0.op_flags = flags;
        self
    }
}

op! {
    /// Gives a file one more name; see `linkat(2)`. Since 5.15. The result is 0.
    Linkat
}

impl Linkat {
    /// Makes `new_path` a name of the file at `old_path`.
    ///
    /// # Safety
    ///
    /// As [`Renameat::new`].
    #[inline]
    pub unsafe fn new(
        old_dirfd: impl AsFd,
        old_path: *const c_char,
        new_dirfd: impl AsFd,
        new_path: *const c_char,
    ) -> Self {
        Self(two_paths(Op::LINKAT, &old_dirfd, old_path, &new_dirfd, new_path))
    }

    /// Sets flags, `libc::AT_SYMLINK_FOLLOW` and `libc::AT_EMPTY_PATH`.
    #[inline]
    pub fn hardlink_flags(mut self, flags: i32) -> Self {
        self.0.op_flags = flags.cast_unsigned();
        self
    }
}

/// An entry with two paths.
fn two_paths(
    op: Op,
    old_dirfd: &impl AsFd,
    old_path: *const c_char,
    new_dirfd: &impl AsFd,
    new_path: *const c_char,
) -> Sqe {
    Sqe {
        fd: old_dirfd.as_fd().as_raw_fd(),
        addr: address(old_path),
        len: new_dirfd.as_fd().as_raw_fd().cast_unsigned(),
        off: address(new_path),
        ..Sqe::new(op)
    }
}

op! {
    /// Makes a symbolic link; see `symlinkat(2)`. Since 5.15. The result is 0.
    Symlinkat
}

impl Symlinkat {
    /// Makes `link_path` a symbolic link to `target`, which need not exist.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): the paths are C strings, and `dirfd`, where `link_path` starts, stays open.
    #[inline]
    pub unsafe fn new(target: *const c_char, dirfd: impl AsFd, link_path: *const c_char) -> Self {
        Self(Sqe {
            fd: dirfd.as_fd().as_raw_fd(),
            addr: address(target),
            off: address(link_path),
            ..Sqe::new(Op::SYMLINKAT)
        })
    }
}

op! {
    /// Makes a directory; see `mkdirat(2)`. Since 5.15. The result is 0.
    Mkdirat
}

impl Mkdirat {
    /// Makes the directory `path` with the permissions `mode`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `path` is a C string, and `dirfd` stays open.
    #[inline]
    pub unsafe fn new(dirfd: impl AsFd, path: *const c_char, mode: libc::mode_t) -> Self {
        let fd = dirfd.as_fd().as_raw_fd();
        Self(Sqe { fd, addr: address(path), len: mode, ..Sqe::new(Op::MKDIRAT) })
    }
}

op! {
    /// Removes a name of a file, or a directory; see `unlinkat(2)`. Since 5.11. The result is 0.
    Unlinkat
}

impl Unlinkat {
    /// Removes `path`, which is no directory.
    ///
    /// # Safety
    ///
    /// As [`Mkdirat::new`].
    #[inline]
    pub unsafe fn new(dirfd: impl AsFd, path: *const c_char) -> Self {
        let fd = dirfd.as_fd().as_raw_fd();
        Self(Sqe { fd, addr: address(path), ..Sqe::new(Op::UNLINKAT) })
    }

    /// Sets flags: `libc::AT_REMOVEDIR` removes an empty directory instead.
    #[inline]
    pub fn unlink_flags(mut self, flags: i32) -> Self {
        self.0.op_flags = flags.cast_unsigned();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{
        IORING_OP_LINKAT, IORING_OP_MKDIRAT, IORING_OP_RENAMEAT, IORING_OP_SYMLINKAT, IORING_OP_UNLINKAT,
    };

    use super::*;
    use crate::op::expected::{entry, flagged, same};
    use crate::op::file::CWD;

    const CWD_AS_LEN: u32 = libc::AT_FDCWD as u32;

    #[test]
    fn requests_with_two_paths_are_what_liburing_makes_of_them() {
        let (old, new) = (ptr::without_provenance(0x1000), ptr::without_provenance(0x2000));
        // SAFETY: nothing is pushed.
        let rename = unsafe { Renameat::new(std::io::stdin(), old, CWD, new) };
        let expected = flagged(IORING_OP_RENAMEAT, 0, 0x1000, CWD_AS_LEN, 0x2000, libc::RENAME_NOREPLACE);
        same(rename.rename_flags(libc::RENAME_NOREPLACE), &expected);
        // SAFETY: as above.
        let link = unsafe { Linkat::new(CWD, old, std::io::stdout(), new) };
        let expected = flagged(IORING_OP_LINKAT, -100, 0x1000, 1, 0x2000, libc::AT_SYMLINK_FOLLOW);
        same(link.hardlink_flags(libc::AT_SYMLINK_FOLLOW), &expected);
        // SAFETY: as above.
        let symlink = unsafe { Symlinkat::new(old, std::io::stdout(), new) };
        same(symlink, &entry(IORING_OP_SYMLINKAT, 1, 0x1000, 0, 0x2000));
    }

    #[test]
    fn requests_with_a_path_are_what_liburing_makes_of_them() {
        let path = ptr::without_provenance(0x1000);
        // SAFETY: nothing is pushed.
        same(unsafe { Mkdirat::new(CWD, path, 0o755) }, &entry(IORING_OP_MKDIRAT, -100, 0x1000, 0o755, 0));
        // SAFETY: as above.
        let unlink = unsafe { Unlinkat::new(CWD, path) }.unlink_flags(libc::AT_REMOVEDIR);
        same(unlink, &flagged(IORING_OP_UNLINKAT, -100, 0x1000, 0, 0, libc::AT_REMOVEDIR));
    }
}
