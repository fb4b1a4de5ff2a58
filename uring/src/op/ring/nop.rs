//! To do nothing.

use std::os::fd::{AsFd, AsRawFd};

use uring_sys::{
    IORING_NOP_CQE32, IORING_NOP_FILE, IORING_NOP_FIXED_BUFFER, IORING_NOP_FIXED_FILE,
    IORING_NOP_INJECT_RESULT, IORING_NOP_TW,
};

use crate::codes::Op;
use crate::entry::{Fixed, MixedSqe, Sqe, Sqe128, Target};

/// How much of a request to go through before nothing is done.
macro_rules! impl_nop {
    ($name:ident, $($field:tt)+) => {
        impl $name {
            /// Has this result, an errno if it is negative (`IORING_NOP_INJECT_RESULT`, since 6.10).
            #[inline]
            pub fn inject_result(mut self, result: i32) -> Self {
                self.$($field)+.op_flags |= IORING_NOP_INJECT_RESULT;
                self.$($field)+.len = result.cast_unsigned();
                self
            }

            /// Looks a descriptor up (`IORING_NOP_FILE`, since 6.13); `EBADF` if it is not open.
            ///
            /// # Safety
            ///
            /// The [contract](crate::op#contract): `fd` stays open.
            #[inline]
            pub unsafe fn file(mut self, fd: impl AsFd) -> Self {
                self.$($field)+.op_flags |= IORING_NOP_FILE;
                self.$($field)+.fd = fd.as_fd().as_raw_fd();
                self
            }

            /// Looks a registered file up (`IORING_NOP_FIXED_FILE`, since 6.13); `EBADF` if there is none.
            #[inline]
            pub fn fixed_file(mut self, file: Fixed) -> Self {
                // The flags of the operation say what the flag of the entry says elsewhere.
                self.$($field)+.op_flags |= IORING_NOP_FILE | IORING_NOP_FIXED_FILE;
                self.$($field)+.fd = file.resolve().fd;
                self
            }

            /// Looks a registered buffer up (`IORING_NOP_FIXED_BUFFER`, since 6.13); `EFAULT` if there is none.
            #[inline]
            pub fn fixed_buffer(mut self, buf_index: u16) -> Self {
                self.$($field)+.op_flags |= IORING_NOP_FIXED_BUFFER;
                self.$($field)+.buf_index = buf_index;
                self
            }

            /// Completes by task work instead of at once (`IORING_NOP_TW`, since 6.17).
            #[inline]
            pub fn task_work(mut self) -> Self {
                self.$($field)+.op_flags |= IORING_NOP_TW;
                self
            }

            /// Has a completion of 32 bytes with these at its end (`IORING_NOP_CQE32`, since 6.18); `EINVAL` in a ring
            /// that has none.
            #[inline]
            pub fn cqe32(mut self, extra: [u64; 2]) -> Self {
                self.$($field)+.op_flags |= IORING_NOP_CQE32;
                [self.$($field)+.off, self.$($field)+.addr] = extra;
                self
            }
        }
    };
}

op! {
    /// Does nothing; since 5.1. The result is 0, or what it is told.
    ///
    /// Without updates, kernels before 7.1 have that result also where it is said to be an errno here, for want of a file
    /// or a buffer; chains break all the same.
    Nop
}

impl Nop {
    /// Makes a request that does nothing.
    #[inline]
    #[expect(clippy::new_without_default, reason = "a request is made on purpose")]
    pub fn new() -> Self {
        Self(Sqe::new(Op::NOP))
    }
}

impl_nop!(Nop, 0);

op128! {
    /// Does nothing in 128 bytes; since 6.19. The result is 0, or what it is told.
    Nop128
}

impl Nop128 {
    /// Makes a request that does nothing.
    #[inline]
    #[expect(clippy::new_without_default, reason = "a request is made on purpose")]
    pub fn new() -> Self {
        Self(Sqe128 { sqe: Sqe::new(Op::NOP128), more: [0; 8] })
    }
}

impl_nop!(Nop128, 0.sqe);

impl From<Nop128> for MixedSqe {
    #[inline]
    fn from(request: Nop128) -> Self {
        Self::Large(request.0)
    }
}

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_NOP, IORING_OP_NOP128};

    use super::*;
    use crate::op::expected::{entry, flagged, same, same_large};

    #[test]
    fn nothing_is_what_liburing_makes_of_it() {
        same(Nop::new(), &entry(IORING_OP_NOP, -1, 0, 0, 0));
        same_large(Nop128::new(), &entry(IORING_OP_NOP128, -1, 0, 0, 0), [0; 8]);
    }

    #[test]
    fn each_flag_has_its_field() {
        let mut expected = flagged(IORING_OP_NOP, 3, 12, -5_i32 as u32, 11, 1 | 2 | 4 | 8 | 16 | 32);
        expected.__bindgen_anon_4.buf_index = 6;
        let nop = Nop::new().inject_result(-5).fixed_file(Fixed(3)).fixed_buffer(6).task_work();
        same(nop.cqe32([11, 12]), &expected);
        // SAFETY: nothing is pushed.
        let nop = unsafe { Nop128::new().file(std::io::stdout()) };
        same_large(nop.user_data(5).user_data(0), &flagged(IORING_OP_NOP128, 1, 0, 0, 0, 2), [0; 8]);
    }
}
