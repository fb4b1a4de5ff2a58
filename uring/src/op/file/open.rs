//! To open files.

use std::ffi::c_char;
use std::os::fd::{AsFd, AsRawFd};

use uring_sys::{OPENAT2_REGULAR, open_how};

use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

/// How to open a file, `struct open_how` of [`openat2(2)`](https://man7.org/linux/man-pages/man2/openat2.2.html).
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
#[must_use]
pub struct OpenHow(open_how);

impl OpenHow {
    /// Opens with `flags`, `libc::O_*`.
    pub const fn new(flags: i32) -> Self {
        // The kernel refuses bits past the 32 that there are.
        Self(open_how { flags: flags.cast_unsigned() as u64, mode: 0, resolve: 0 })
    }

    /// Sets the permissions of a file that this makes; only with `O_CREAT` or `O_TMPFILE`.
    pub const fn mode(mut self, mode: libc::mode_t) -> Self {
        self.0.mode = mode as u64;
        self
    }

    /// Opens nothing but a regular file (`OPENAT2_REGULAR`, since 7.2; `EINVAL` before). Anything else is `EFTYPE`, which
    /// is 134 nearly everywhere.
    pub const fn regular(mut self) -> Self {
        self.0.flags |= OPENAT2_REGULAR;
        self
    }

    /// Restricts how the path is resolved, `libc::RESOLVE_*`.
    pub const fn resolve(mut self, resolve: u64) -> Self {
        self.0.resolve = resolve;
        self
    }
}

op! {
    /// Opens a file; see `openat(2)`; since 5.6. The result is the descriptor, which is the caller's to close.
    ///
    /// ```
    /// use std::os::fd::{FromRawFd, OwnedFd};
    /// use uring::{Ring, op};
    ///
    /// let mut ring: Ring = Ring::new(8)?;
    /// let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    /// // SAFETY: the path lives for ever, and `CWD` is no descriptor that could be closed.
    /// ring.push(unsafe { op::file::Openat::new(op::file::CWD, c"/dev/null".as_ptr(), flags, 0) })?;
    /// let fd = ring.wait(1)?.next().expect("one was waited for").result()?;
    /// // SAFETY: the kernel has just opened it, for this request alone.
    /// let file = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Openat
}

impl Openat {
    /// Opens `path` with `flags`, `libc::O_*`; a file that this makes has the permissions `mode`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `path` is a C string, and `dirfd` stays open.
    #[inline]
    pub unsafe fn new(dirfd: impl AsFd, path: *const c_char, flags: i32, mode: libc::mode_t) -> Self {
        Self(Sqe {
            fd: dirfd.as_fd().as_raw_fd(),
            addr: address(path),
            len: mode,
            op_flags: flags.cast_unsigned(),
            ..Sqe::new(Op::OPENAT)
        })
    }
}

impl_direct!(Openat);

op! {
    /// Opens a file with all that there is to say of it; see `openat2(2)`; since 5.6. The result is the descriptor,
    /// which is the caller's to close.
    Openat2
}

impl Openat2 {
    /// Opens `path` as `how` has it.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `path` is a C string, `how` is valid for reads, and `dirfd` stays open.
    #[inline]
    pub unsafe fn new(dirfd: impl AsFd, path: *const c_char, how: *const OpenHow) -> Self {
        Self(Sqe {
            fd: dirfd.as_fd().as_raw_fd(),
            addr: address(path),
            off: address(how),
            len: size_of::<OpenHow>() as u32,
            ..Sqe::new(Op::OPENAT2)
        })
    }
}

impl_direct!(Openat2);

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_OPENAT, IORING_OP_OPENAT2};

    use super::*;
    use crate::entry::{FileIndex, Fixed};
    use crate::op::expected::{entry, flagged, same};
    use crate::op::file::CWD;

    #[test]
    fn opening_is_what_liburing_makes_of_it() {
        let path = ptr::without_provenance(0x1000);
        let mut expected = flagged(IORING_OP_OPENAT, -100, 0x1000, 0o640, 0, libc::O_CREAT);
        // SAFETY: nothing is pushed.
        let open = || unsafe { Openat::new(CWD, path, libc::O_CREAT, 0o640) };
        same(open(), &expected);
        expected.__bindgen_anon_5.file_index = 4;
        same(open().direct(Fixed(3)), &expected);
        expected.__bindgen_anon_5.file_index = u32::MAX;
        same(open().direct(FileIndex::ALLOC), &expected);
    }

    #[test]
    fn opening_with_a_structure_is_what_liburing_makes_of_it() {
        let (path, how) = (ptr::without_provenance(0x1000), ptr::without_provenance(0x2000));
        let mut expected = entry(IORING_OP_OPENAT2, -100, 0x1000, 24, 0x2000);
        // SAFETY: nothing is pushed.
        let open = || unsafe { Openat2::new(CWD, path, how) };
        same(open(), &expected);
        expected.__bindgen_anon_5.file_index = 1;
        same(open().direct(Fixed(0)), &expected);
        let how = OpenHow::new(libc::O_CREAT).mode(0o600).resolve(libc::RESOLVE_BENEATH).0;
        assert_eq!((how.flags, how.mode, how.resolve), (libc::O_CREAT as u64, 0o600, 8));
        assert_eq!(OpenHow::new(-1).regular().0.flags, 0x1_ffff_ffff);
    }
}
