//! Reads and writes.

use super::address;
use crate::codes::Op;
use crate::entry::{Sqe, Target};
use crate::flags::{IoPriority, RwFlags};

/// Most bytes of one transfer: the kernel cuts every read and write to this (`MAX_RW_COUNT`).
const MAX_RW_COUNT: usize = 0x7fff_f000;

/// A length as an entry has it.
#[inline]
fn length(len: usize) -> u32 {
    // The minimum fits 32 bits.
    len.min(MAX_RW_COUNT) as u32
}

macro_rules! impl_rw {
    ($name:ident) => {
        impl $name {
            /// Sets the flags of this transfer, `RWF_*` of `preadv2(2)`.
            #[inline]
            pub fn rw_flags(mut self, flags: RwFlags) -> Self {
                self.0.op_flags = flags.bits().cast_unsigned();
                self
            }

            /// Sets the I/O priority of this transfer.
            #[inline]
            pub fn ioprio(mut self, priority: IoPriority) -> Self {
                self.0.ioprio = priority.raw();
                self
            }
        }
    };
}

op! {
    /// Reads to one buffer; see `pread(2)`. The result is the count of bytes, fewer than asked for at the end of the
    /// file.
    Read
}

impl Read {
    /// Reads `len` bytes at `offset` of `fd`; the offset `u64::MAX` stands for the file's position. More than
    /// 0x7ffff000 bytes are cut to that.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `ptr` is valid for writes of `len` bytes.
    #[inline]
    pub unsafe fn new(fd: impl Target, ptr: *mut u8, len: usize, offset: u64) -> Self {
        Self(Sqe { off: offset, addr: address(ptr), len: length(len), ..Sqe::new(Op::READ) }.on(&fd))
    }
}

impl_rw!(Read);

op! {
    /// Writes one buffer; see `pwrite(2)`. The result is the count of bytes, which may be fewer than asked for.
    Write
}

impl Write {
    /// Writes `len` bytes to `offset` of `fd`; the offset `u64::MAX` stands for the file's position. More than
    /// 0x7ffff000 bytes are cut to that.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `ptr` is valid for reads of `len` bytes.
    #[inline]
    pub unsafe fn new(fd: impl Target, ptr: *const u8, len: usize, offset: u64) -> Self {
        Self(Sqe { off: offset, addr: address(ptr), len: length(len), ..Sqe::new(Op::WRITE) }.on(&fd))
    }
}

impl_rw!(Write);

op! {
    /// Reads to a part of a registered buffer; see `pread(2)` and
    /// [`register_buffers`](crate::URingContext::register_buffers).
    ReadFixed
}

impl ReadFixed {
    /// Reads `len` bytes at `offset` of `fd` to `ptr`, which lies with all of them in the registered buffer `buf_index`,
    /// else the request completes with `EFAULT`.
    ///
    /// # Safety
    ///
    /// As [`Read::new`].
    #[inline]
    pub unsafe fn new(fd: impl Target, ptr: *mut u8, len: usize, buf_index: u16, offset: u64) -> Self {
        Self(
            Sqe { off: offset, addr: address(ptr), len: length(len), buf_index, ..Sqe::new(Op::READ_FIXED) }
                .on(&fd),
        )
    }
}

impl_rw!(ReadFixed);

op! {
    /// Writes a part of a registered buffer; see `pwrite(2)` and
    /// [`register_buffers`](crate::URingContext::register_buffers).
    WriteFixed
}

impl WriteFixed {
    /// Writes `len` bytes to `offset` of `fd` from `ptr`, which lies with all of them in the registered buffer
    /// `buf_index`, else the request completes with `EFAULT`.
    ///
    /// # Safety
    ///
    /// As [`Write::new`].
    #[inline]
    pub unsafe fn new(fd: impl Target, ptr: *const u8, len: usize, buf_index: u16, offset: u64) -> Self {
        Self(
            Sqe { off: offset, addr: address(ptr), len: length(len), buf_index, ..Sqe::new(Op::WRITE_FIXED) }
                .on(&fd),
        )
    }
}

impl_rw!(WriteFixed);
