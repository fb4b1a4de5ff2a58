//! Reads and writes.

pub use self::attr::PiAttr;
pub use self::fixed::{ReadFixed, WriteFixed};
pub use self::select::{ReadMultishot, ReadSelect};
pub use self::vectored::{Readv, ReadvFixed, Writev, WritevFixed};
use super::address;
use crate::codes::Op;
use crate::entry::{Sqe, Target};

/// Most bytes of one transfer: the kernel cuts every read and write to this (`MAX_RW_COUNT`).
const MAX_RW_COUNT: usize = 0x7fff_f000;

/// A length as an entry has it.
#[inline]
fn length(len: usize) -> u32 {
    // The minimum fits 32 bits.
    len.min(MAX_RW_COUNT) as u32
}

/// What every transfer takes.
macro_rules! impl_rw {
    ($name:ident) => {
        impl $name {
            /// Sets the flags of this transfer, `RWF_*` of `preadv2(2)`.
            #[inline]
            pub fn rw_flags(mut self, flags: crate::flags::RwFlags) -> Self {
                self.0.op_flags = flags.bits().cast_unsigned();
                self
            }

            /// Sets the I/O priority of this transfer.
            #[inline]
            pub fn ioprio(mut self, priority: crate::flags::IoPriority) -> Self {
                self.0.ioprio = priority.raw();
                self
            }
        }
    };
}

/// What transfers take that know their memory beforehand.
macro_rules! impl_attr {
    ($name:ident) => {
        impl $name {
            /// Transfers integrity metadata beside the data (`IORING_RW_ATTR_FLAG_PI`), to or from a file opened with
            /// `O_DIRECT` whose device keeps some; since 6.14
            /// ([`RW_ATTR`](crate::Features::RW_ATTR)). Elsewhere the request completes with `EINVAL`.
            ///
            /// # Safety
            ///
            /// The [contract](crate::op#contract): `attr` is valid for reads, and so is the memory that it names, for
            /// writes if this is a read.
            #[inline]
            pub unsafe fn attr_pi(mut self, attr: *const crate::op::rw::PiAttr) -> Self {
                self.0.addr3 = crate::op::address(attr);
                self.0.pad = u64::from(uring_sys::IORING_RW_ATTR_FLAG_PI);
                self
            }
        }
    };
}

/// What writes take.
macro_rules! impl_write {
    ($name:ident) => {
        impl $name {
            /// Says which stream of the device the data belongs to, so that what dies together lies together; 0 is
            /// none. Since 6.16. A block device answers `EINVAL` for a stream that it does not have, and a file system
            /// that has none ignores it.
            #[inline]
            pub fn write_stream(mut self, stream: u8) -> Self {
                // The first byte of its union.
                self.0.file_index = u32::from_ne_bytes([stream, 0, 0, 0]);
                self
            }
        }
    };
}

mod attr;
mod fixed;
mod select;
mod vectored;

op! {
    /// Reads to one buffer; see `pread(2)`; since 5.6. The result is the count of bytes, fewer than asked for at the
    /// end of the file.
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
impl_attr!(Read);

op! {
    /// Writes one buffer; see `pwrite(2)`; since 5.6. The result is the count of bytes, which may be fewer than asked
    /// for.
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
impl_attr!(Write);
impl_write!(Write);

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_READ, IORING_OP_WRITE, RWF_APPEND, RWF_NOWAIT};

    use super::*;
    use crate::entry::{Fixed, SqeFlags};
    use crate::op::expected::{entry, flagged, same};
    use crate::ring::Personality;
    use crate::{IoPriority, RwFlags};

    #[test]
    fn read_and_write_are_what_liburing_makes_of_them() {
        let ptr = ptr::without_provenance_mut::<u8>(0x1000);
        // SAFETY: nothing is pushed.
        let read = unsafe { Read::new(std::io::stdin(), ptr, 512, 1 << 40) };
        same(read, &entry(IORING_OP_READ, 0, 0x1000, 512, 1 << 40));
        // SAFETY: as above.
        let write = unsafe { Write::new(std::io::stdout(), ptr, usize::MAX, u64::MAX) };
        let write = write.rw_flags(RwFlags::APPEND).user_data(9).ioprio(IoPriority::from_raw(3));
        let mut expected = flagged(IORING_OP_WRITE, 1, 0x1000, 0x7fff_f000, u64::MAX, RWF_APPEND);
        (expected.user_data, expected.ioprio) = (9, 3);
        same(write, &expected);
    }

    #[test]
    fn flags_streams_and_attributes_have_their_places() {
        let attr = PiAttr::new(ptr::without_provenance_mut(0x2000), 8);
        // SAFETY: nothing is pushed.
        let write = unsafe { Write::new(Fixed(5), ptr::null(), 0, 0) };
        // SAFETY: as above.
        let write = unsafe { write.write_stream(3).attr_pi(&raw const attr) };
        let mut expected = entry(IORING_OP_WRITE, 5, 0, 0, 0);
        expected.flags = 1;
        expected.__bindgen_anon_5.__bindgen_anon_2.write_stream = 3;
        expected.__bindgen_anon_6.__bindgen_anon_2.attr_ptr = address(&raw const attr);
        expected.__bindgen_anon_6.__bindgen_anon_2.attr_type_mask = 1;
        same(write, &expected);

        // SAFETY: as above.
        let read = unsafe { Read::new(Fixed(5), ptr::null_mut(), 0, 0) };
        let read =
            read.rw_flags(RwFlags::NOWAIT).flags(SqeFlags::ASYNC).personality(Personality::from_raw(7));
        let mut expected = flagged(IORING_OP_READ, 5, 0, 0, 0, RWF_NOWAIT);
        (expected.flags, expected.personality) = (1 | 16, 7);
        same(read, &expected);
    }
}
