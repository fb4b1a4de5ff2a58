//! Reads to provided buffers.
//!
//! Who provides a buffer vouches for its memory; a request that takes one names no memory of its own.

use super::length;
use crate::codes::Op;
use crate::entry::{Sqe, SqeFlags};

op! {
    /// Reads to a buffer that the kernel takes from a group when there is something to read
    /// ([`BUFFER_SELECT`](crate::SqeFlags::BUFFER_SELECT)); since 5.7. The result is the count of bytes, the
    /// [buffer](crate::Cqe::buffer_id) is told with it; `ENOBUFS` if the group is empty.
    ReadSelect
}

impl_on_file!(
    ReadSelect,
    /// Reads `len` bytes at most, and at most what the buffer holds, at `offset` of `fd` to a buffer of the group
    /// `buf_group`; the offset `u64::MAX` stands for the file's position, the length 0 for that of the buffer (Linux 5.10
    /// then reads nothing).
    (buf_group: u16, len: usize, offset: u64) => Sqe {
        off: offset,
        len: length(len),
        buf_index: buf_group,
        flags: SqeFlags::BUFFER_SELECT.bits(),
        ..Sqe::new(Op::READ)
    }
);

impl_rw!(ReadSelect);

op! {
    /// Reads again and again, each time there is something to read, to a buffer that the kernel takes from a group; since
    /// 6.7.
    ///
    /// Each completion has the count of bytes and the [buffer](crate::Cqe::buffer_id). The last one is without
    /// [`MORE`](crate::CqeFlags::MORE): 0 at the end, `ENOBUFS` if the group was empty, or another errno; one of a read
    /// may be without it, too, and then a new request goes on. `EBADFD` for a file that cannot be polled, as regular
    /// ones cannot.
    ReadMultishot
}

impl_on_file!(
    ReadMultishot,
    /// Reads from `fd` to buffers of the group `buf_group`, as much as each holds; the offset `u64::MAX` stands for the
    /// file's position, which pipes and terminals want.
    (buf_group: u16, offset: u64) => Sqe {
        off: offset,
        buf_index: buf_group,
        flags: SqeFlags::BUFFER_SELECT.bits(),
        ..Sqe::new(Op::READ_MULTISHOT)
    }
);

impl_rw!(ReadMultishot);

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_READ, IORING_OP_READ_MULTISHOT, IOSQE_BUFFER_SELECT, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, same};

    #[test]
    fn reads_to_provided_buffers_are_what_liburing_makes_of_them() {
        let mut expected = entry(IORING_OP_READ_MULTISHOT, 0, 0, 0, u64::MAX);
        expected.__bindgen_anon_4.buf_group = 4;
        expected.flags = IOSQE_BUFFER_SELECT as u8;
        // SAFETY: nothing is pushed.
        same(unsafe { ReadMultishot::new(std::io::stdin(), 4, u64::MAX) }, &expected);

        let mut expected = entry(IORING_OP_READ, 8, 0, 100, 5);
        expected.__bindgen_anon_4.buf_group = 4;
        expected.flags = (IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE) as u8;
        same(ReadSelect::fixed(Fixed(8), 4, 100, 5), &expected);
    }
}
