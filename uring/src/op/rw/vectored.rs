//! Transfers of several buffers.

use crate::codes::Op;
use crate::entry::{Sqe, Target};
use crate::op::address;

op! {
    /// Reads to several buffers; see `preadv(2)`; since 5.1. The result is the count of bytes, fewer than asked for at
    /// the end of the file.
    Readv
}

impl Readv {
    /// Reads at `offset` of `fd` to the memory that `nr` iovecs name, 1024 at most; the offset `u64::MAX` stands for the
    /// file's position.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `iovecs` is valid for reads of `nr` iovecs, and what each of them names for
    /// writes.
    #[inline]
    pub unsafe fn new(fd: impl Target, iovecs: *const libc::iovec, nr: u32, offset: u64) -> Self {
        Self(Sqe { off: offset, addr: address(iovecs), len: nr, ..Sqe::new(Op::READV) }.on(&fd))
    }
}

impl_rw!(Readv);
impl_attr!(Readv);

op! {
    /// Writes several buffers; see `pwritev(2)`; since 5.1. The result is the count of bytes, which may be fewer than
    /// asked for.
    Writev
}

impl Writev {
    /// Writes the memory that `nr` iovecs name, 1024 at most, to `offset` of `fd`; the offset `u64::MAX` stands for the
    /// file's position.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `iovecs` is valid for reads of `nr` iovecs, and so is what each of them
    /// names.
    #[inline]
    pub unsafe fn new(fd: impl Target, iovecs: *const libc::iovec, nr: u32, offset: u64) -> Self {
        Self(Sqe { off: offset, addr: address(iovecs), len: nr, ..Sqe::new(Op::WRITEV) }.on(&fd))
    }
}

impl_rw!(Writev);
impl_attr!(Writev);
impl_write!(Writev);

op! {
    /// Reads to several parts of a registered buffer; since 6.15. The result is the count of bytes.
    ReadvFixed
}

impl ReadvFixed {
    /// As [`Readv::new`], to parts of the registered buffer `buf_index`; with one that is empty or lies outside it
    /// completes with `EFAULT`.
    ///
    /// # Safety
    ///
    /// As [`Readv::new`].
    #[inline]
    pub unsafe fn new(
        fd: impl Target,
        iovecs: *const libc::iovec,
        nr: u32,
        buf_index: u16,
        offset: u64,
    ) -> Self {
        let sqe = Sqe { off: offset, addr: address(iovecs), len: nr, buf_index, ..Sqe::new(Op::READV_FIXED) };
        Self(sqe.on(&fd))
    }
}

impl_rw!(ReadvFixed);
impl_attr!(ReadvFixed);

op! {
    /// Writes several parts of a registered buffer; since 6.15. The result is the count of bytes.
    WritevFixed
}

impl WritevFixed {
    /// As [`Writev::new`], from parts of the registered buffer `buf_index`; with one that is empty or lies outside it
    /// completes with `EFAULT`.
    ///
    /// # Safety
    ///
    /// As [`Writev::new`].
    #[inline]
    pub unsafe fn new(
        fd: impl Target,
        iovecs: *const libc::iovec,
        nr: u32,
        buf_index: u16,
        offset: u64,
    ) -> Self {
        let sqe =
            Sqe { off: offset, addr: address(iovecs), len: nr, buf_index, ..Sqe::new(Op::WRITEV_FIXED) };
        Self(sqe.on(&fd))
    }
}

impl_rw!(WritevFixed);
impl_attr!(WritevFixed);
impl_write!(WritevFixed);

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{
        IORING_OP_READV, IORING_OP_READV_FIXED, IORING_OP_WRITEV, IORING_OP_WRITEV_FIXED, RWF_DSYNC,
    };

    use super::*;
    use crate::RwFlags;
    use crate::op::expected::{flagged, same};

    #[test]
    fn vectored_transfers_are_what_liburing_makes_of_them() {
        let iovecs = ptr::without_provenance(0x3000);
        let fd = std::io::stdin;
        let mut expected = flagged(IORING_OP_READV, 0, 0x3000, 4, 99, RWF_DSYNC);
        // SAFETY: nothing is pushed.
        same(unsafe { Readv::new(fd(), iovecs, 4, 99) }.rw_flags(RwFlags::DSYNC), &expected);
        expected.opcode = u8::try_from(IORING_OP_WRITEV).unwrap();
        // SAFETY: as above.
        same(unsafe { Writev::new(fd(), iovecs, 4, 99) }.rw_flags(RwFlags::DSYNC), &expected);
        expected.__bindgen_anon_4.buf_index = 2;
        expected.opcode = u8::try_from(IORING_OP_READV_FIXED).unwrap();
        // SAFETY: as above.
        same(unsafe { ReadvFixed::new(fd(), iovecs, 4, 2, 99) }.rw_flags(RwFlags::DSYNC), &expected);
        expected.opcode = u8::try_from(IORING_OP_WRITEV_FIXED).unwrap();
        // SAFETY: as above.
        same(unsafe { WritevFixed::new(fd(), iovecs, 4, 2, 99) }.rw_flags(RwFlags::DSYNC), &expected);
    }
}
