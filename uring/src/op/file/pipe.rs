//! Pipes, and data that moves through them inside the kernel.

use std::os::fd::RawFd;

use uring_sys::SPLICE_F_FD_IN_FIXED;

use crate::codes::Op;
use crate::entry::{FileIndex, Fixed, Resolved, Sqe, Target};
use crate::op::address;

op! {
    /// Moves data from one file to another, one of which is a pipe; see `splice(2)`; since 5.7. The result is the count
    /// of bytes, 0 at the end.
    Splice
}

/// An entry that moves data.
#[inline]
fn moving(op: Op, fd_in: &impl Target, off_in: u64, fd_out: &impl Target, off_out: u64, len: u32) -> Sqe {
    let Resolved { fd, flags } = fd_in.resolve();
    Sqe {
        off: off_out,
        addr: off_in,
        len,
        op_flags: if flags == 0 { 0 } else { SPLICE_F_FD_IN_FIXED },
        file_index: fd.cast_unsigned(),
        ..Sqe::new(op)
    }
    .on(fd_out)
}

impl Splice {
    /// Moves `len` bytes at most from `off_in` of `fd_in` to `off_out` of `fd_out`; the offset `u64::MAX` stands for the
    /// file's position, and a pipe has no other.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): both descriptors stay open.
    #[inline]
    pub unsafe fn new(fd_in: impl Target, off_in: u64, fd_out: impl Target, off_out: u64, len: u32) -> Self {
        Self(moving(Op::SPLICE, &fd_in, off_in, &fd_out, off_out, len))
    }

    /// As [`new`](Self::new), for registered files, which the kernel holds by itself.
    #[inline]
    pub fn fixed(file_in: Fixed, off_in: u64, file_out: Fixed, off_out: u64, len: u32) -> Self {
        Self(moving(Op::SPLICE, &file_in, off_in, &file_out, off_out, len))
    }

    /// Adds flags, `libc::SPLICE_F_*`.
    #[inline]
    pub fn splice_flags(mut self, flags: u32) -> Self {
        self.0.op_flags |= flags;
        self
    }
}

op! {
    /// Copies data from one pipe to another and leaves it in the first; see `tee(2)`; since 5.8. The result is the
    /// count of bytes.
    Tee
}

impl Tee {
    /// Copies `len` bytes at most from the pipe `fd_in` to the pipe `fd_out`.
    ///
    /// # Safety
    ///
    /// As [`Splice::new`].
    #[inline]
    pub unsafe fn new(fd_in: impl Target, fd_out: impl Target, len: u32) -> Self {
        Self(moving(Op::TEE, &fd_in, 0, &fd_out, 0, len))
    }

    /// As [`new`](Self::new), for registered files, which the kernel holds by itself.
    #[inline]
    pub fn fixed(file_in: Fixed, file_out: Fixed, len: u32) -> Self {
        Self(moving(Op::TEE, &file_in, 0, &file_out, 0, len))
    }

    /// Adds flags, `libc::SPLICE_F_*`.
    #[inline]
    pub fn splice_flags(mut self, flags: u32) -> Self {
        self.0.op_flags |= flags;
        self
    }
}

op! {
    /// Makes a pipe; see `pipe2(2)`. Since 6.16. The result is 0.
    Pipe
}

impl Pipe {
    /// Makes a pipe and writes its two descriptors to `fds`, the one to read from first; they are the caller's to close.
    /// `flags` are `libc::O_*`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `fds` is valid for writes.
    #[inline]
    pub unsafe fn new(fds: *mut [RawFd; 2], flags: i32) -> Self {
        // The kernel wants no descriptor, not even -1.
        Self(Sqe { fd: 0, addr: address(fds), op_flags: flags.cast_unsigned(), ..Sqe::new(Op::PIPE) })
    }

    /// Puts the two files into the table of registered ones, without descriptors: one at this place and the other at the
    /// next, or at two that are free. What is written is their places then.
    #[inline]
    pub fn direct(mut self, place: impl Into<FileIndex>) -> Self {
        self.0.file_index = place.into().raw();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_PIPE, IORING_OP_SPLICE, IORING_OP_TEE, IOSQE_FIXED_FILE};

    use super::*;
    use crate::op::expected::{flagged, same};

    #[test]
    fn moving_data_is_what_liburing_makes_of_it() {
        let mut expected = flagged(IORING_OP_SPLICE, 1, 7, 100, u64::MAX, libc::SPLICE_F_MOVE);
        // SAFETY: nothing is pushed.
        let splice = unsafe { Splice::new(std::io::stdin(), 7, std::io::stdout(), u64::MAX, 100) };
        same(splice.splice_flags(libc::SPLICE_F_MOVE), &expected);
        expected = flagged(IORING_OP_SPLICE, 4, 7, 100, u64::MAX, SPLICE_F_FD_IN_FIXED | libc::SPLICE_F_MORE);
        expected.__bindgen_anon_5.splice_fd_in = 3;
        expected.flags = IOSQE_FIXED_FILE as u8;
        let splice = Splice::fixed(Fixed(3), 7, Fixed(4), u64::MAX, 100);
        same(splice.splice_flags(libc::SPLICE_F_MORE), &expected);

        let mut expected = flagged(IORING_OP_TEE, 0, 0, 100, 0, libc::SPLICE_F_NONBLOCK);
        expected.__bindgen_anon_5.splice_fd_in = 1;
        // SAFETY: as above.
        let tee = unsafe { Tee::new(std::io::stdout(), std::io::stdin(), 100) };
        same(tee.splice_flags(libc::SPLICE_F_NONBLOCK), &expected);
    }

    #[test]
    fn making_a_pipe_is_what_liburing_makes_of_it() {
        let mut expected = flagged(IORING_OP_PIPE, 0, 0x1000, 0, 0, libc::O_NONBLOCK);
        // SAFETY: nothing is pushed.
        let pipe = || unsafe { Pipe::new(ptr::without_provenance_mut(0x1000), libc::O_NONBLOCK) };
        same(pipe(), &expected);
        expected.__bindgen_anon_5.file_index = 3;
        same(pipe().direct(Fixed(2)), &expected);
    }
}
