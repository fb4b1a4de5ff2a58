//! What is known of a file.

use std::ffi::c_char;
use std::os::fd::{AsFd, AsRawFd};

use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

op! {
    /// Asks what is known of a file; see `statx(2)`; since 5.6. The result is 0.
    Statx
}

impl Statx {
    /// Asks for what `mask` says, `libc::STATX_*`, of the file at `path`; `flags` are `libc::AT_*`, and with
    /// `AT_EMPTY_PATH` the empty path is `dirfd` itself.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `path` is a C string, `buffer` is valid for writes, and `dirfd` stays open.
    #[inline]
    pub unsafe fn new(
        dirfd: impl AsFd,
        path: *const c_char,
        flags: i32,
        mask: u32,
        buffer: *mut libc::statx,
    ) -> Self {
        Self(Sqe {
            fd: dirfd.as_fd().as_raw_fd(),
            addr: address(path),
            len: mask,
            off: address(buffer),
            op_flags: flags.cast_unsigned(),
            ..Sqe::new(Op::STATX)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::IORING_OP_STATX;

    use super::*;
    use crate::op::expected::{flagged, same};

    #[test]
    fn asking_is_what_liburing_makes_of_it() {
        let (path, buffer) = (ptr::without_provenance(0x1000), ptr::without_provenance_mut(0x2000));
        // SAFETY: nothing is pushed.
        let statx =
            unsafe { Statx::new(std::io::stdin(), path, libc::AT_EMPTY_PATH, libc::STATX_SIZE, buffer) };
        let expected = flagged(IORING_OP_STATX, 0, 0x1000, libc::STATX_SIZE, 0x2000, libc::AT_EMPTY_PATH);
        same(statx, &expected);
    }
}
