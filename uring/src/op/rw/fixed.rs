//! Transfers to and from registered buffers.

use super::length;
use crate::codes::Op;
use crate::entry::{Sqe, Target};
use crate::op::address;

op! {
    /// Reads to a part of a registered buffer; see `pread(2)` and
    /// [`register_buffers`](crate::URingContext::register_buffers); since 5.1. The result is the count of bytes.
    ReadFixed
}

impl ReadFixed {
    /// Reads `len` bytes at `offset` of `fd` to `ptr`, which lies with all of them in the registered buffer `buf_index`,
    /// else the request completes with `EFAULT`.
    ///
    /// # Safety
    ///
    /// As [`Read::new`](super::Read::new).
    #[inline]
    pub unsafe fn new(fd: impl Target, ptr: *mut u8, len: usize, buf_index: u16, offset: u64) -> Self {
        Self(
            Sqe { off: offset, addr: address(ptr), len: length(len), buf_index, ..Sqe::new(Op::READ_FIXED) }
                .on(&fd),
        )
    }
}

impl_rw!(ReadFixed);
impl_attr!(ReadFixed);

op! {
    /// Writes a part of a registered buffer; see `pwrite(2)` and
    /// [`register_buffers`](crate::URingContext::register_buffers); since 5.1. The result is the count of bytes.
    WriteFixed
}

impl WriteFixed {
    /// Writes `len` bytes to `offset` of `fd` from `ptr`, which lies with all of them in the registered buffer
    /// `buf_index`, else the request completes with `EFAULT`.
    ///
    /// # Safety
    ///
    /// As [`Write::new`](super::Write::new).
    #[inline]
    pub unsafe fn new(fd: impl Target, ptr: *const u8, len: usize, buf_index: u16, offset: u64) -> Self {
        Self(
            Sqe { off: offset, addr: address(ptr), len: length(len), buf_index, ..Sqe::new(Op::WRITE_FIXED) }
                .on(&fd),
        )
    }
}

impl_rw!(WriteFixed);
impl_attr!(WriteFixed);
impl_write!(WriteFixed);

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED};

    use super::*;
    use crate::op::expected::{entry, same};

    #[test]
    fn transfers_of_registered_buffers_are_what_liburing_makes_of_them() {
        let ptr = ptr::without_provenance_mut::<u8>(0x1000);
        let mut expected = entry(IORING_OP_READ_FIXED, 0, 0x1000, 512, 77);
        expected.__bindgen_anon_4.buf_index = 6;
        // SAFETY: nothing is pushed.
        same(unsafe { ReadFixed::new(std::io::stdin(), ptr, 512, 6, 77) }, &expected);
        expected.opcode = u8::try_from(IORING_OP_WRITE_FIXED).unwrap();
        // SAFETY: as above.
        same(unsafe { WriteFixed::new(std::io::stdin(), ptr, 512, 6, 77) }, &expected);
    }
}
