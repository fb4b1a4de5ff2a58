//! To receive to provided buffers, and to send from them.
//!
//! Who provides a buffer vouches for its memory; a request that takes one names no memory of its own.

use uring_sys::{IORING_RECV_MULTISHOT, IORING_RECVSEND_BUNDLE};

use crate::codes::Op;
use crate::entry::{Sqe, SqeFlags};

/// Several buffers at once.
macro_rules! impl_bundle {
    ($name:ident) => {
        impl $name {
            /// Takes as many buffers of a [ring](crate::ring::BufRing) at once as there is data for
            /// (`IORING_RECVSEND_BUNDLE`, since 6.10): the result is the count of bytes in all of them, in the order of
            /// the ring, from the one that the completion names. `EINVAL` before 6.10.
            #[inline]
            pub fn bundle(mut self) -> Self {
                self.0.ioprio |= IORING_RECVSEND_BUNDLE as u16;
                self
            }
        }

        impl_poll_first!($name);
    };
}

op! {
    /// Receives to a buffer that the kernel takes from a group when there is something to receive; since 5.7. The
    /// result is the count of bytes, the [buffer](crate::Cqe::buffer_id) is told with it; `ENOBUFS` if the group is
    /// empty.
    RecvSelect
}

impl_on_file!(
    RecvSelect,
    /// Receives up to `len` bytes of the socket `fd`, and at most what the buffer holds, to a buffer of the group
    /// `buf_group`; the length 0 stands for that of the buffer, since 5.19. `flags` are
    /// `libc::MSG_*`.
    (buf_group: u16, len: u32, flags: i32) => Sqe {
        len,
        op_flags: flags.cast_unsigned(),
        buf_index: buf_group,
        flags: SqeFlags::BUFFER_SELECT.bits(),
        ..Sqe::new(Op::RECV)
    }
);

impl_bundle!(RecvSelect);

op! {
    /// Receives again and again, each time to a buffer that the kernel takes from a group; since 6.0.
    ///
    /// Each completion has the count of bytes and the [buffer](crate::Cqe::buffer_id). The last one is without
    /// [`MORE`](crate::CqeFlags::MORE): 0 at the end of a stream, `ENOBUFS` if the group was empty, or another errno; one
    /// with data may be without it, too, and then a new request goes on.
    RecvMultishot
}

impl_on_file!(
    RecvMultishot,
    /// Receives from the socket `fd` to buffers of the group `buf_group`; `flags` are `libc::MSG_*`.
    (buf_group: u16, flags: i32) => Sqe {
        op_flags: flags.cast_unsigned(),
        buf_index: buf_group,
        flags: SqeFlags::BUFFER_SELECT.bits(),
        ioprio: IORING_RECV_MULTISHOT as u16,
        ..Sqe::new(Op::RECV)
    }
);

impl_bundle!(RecvMultishot);

impl RecvMultishot {
    /// Receives at most so many bytes at once; since 6.17, `EINVAL` before.
    #[inline]
    pub fn cap(mut self, bytes: u32) -> Self {
        self.0.len = bytes;
        self
    }

    /// Ends with the receive that reaches so many bytes in all; since 6.17, `EINVAL` before. 0 is no limit.
    #[inline]
    pub fn limit(mut self, bytes: u32) -> Self {
        self.0.file_index = bytes;
        self
    }
}

op! {
    /// Sends a buffer of a group, the first there is, so that sends that are in flight at once keep their order; since
    /// 6.10 ([`RECVSEND_BUNDLE`](crate::Features::RECVSEND_BUNDLE)). The result is the count of bytes, the
    /// [buffer](crate::Cqe::buffer_id) is told with it; `ENOBUFS` if the group is empty.
    SendSelect
}

impl_on_file!(
    SendSelect,
    /// Sends up to `len` bytes of a buffer of the group `buf_group` to the socket `fd`; the length 0 stands for what is
    /// in the buffer. `flags` are `libc::MSG_*`.
    (buf_group: u16, len: u32, flags: i32) => Sqe {
        len,
        op_flags: flags.cast_unsigned(),
        buf_index: buf_group,
        flags: SqeFlags::BUFFER_SELECT.bits(),
        ..Sqe::new(Op::SEND)
    }
);

impl_bundle!(SendSelect);

#[cfg(test)]
mod tests {
    use std::io::stdin;

    use uring_sys::{IORING_OP_RECV, IORING_OP_SEND, IOSQE_BUFFER_SELECT, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{flagged, same};

    #[test]
    fn receives_to_provided_buffers_are_what_liburing_makes_of_them() {
        let mut expected = flagged(IORING_OP_RECV, 0, 0, 100, 0, libc::MSG_WAITALL);
        expected.__bindgen_anon_4.buf_group = 4;
        (expected.flags, expected.ioprio) = (IOSQE_BUFFER_SELECT as u8, 1 | 16);
        // SAFETY: nothing is pushed.
        let recv = unsafe { RecvSelect::new(stdin(), 4, 100, libc::MSG_WAITALL) };
        same(recv.bundle().poll_first(), &expected);

        let mut expected = flagged(IORING_OP_RECV, 8, 0, 100, 0, 0);
        expected.__bindgen_anon_4.buf_group = 4;
        expected.__bindgen_anon_5.optlen = 1000;
        (expected.flags, expected.ioprio) = ((IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE) as u8, 2 | 16);
        same(RecvMultishot::fixed(Fixed(8), 4, 0).bundle().cap(100).limit(1000), &expected);
    }

    #[test]
    fn sends_of_provided_buffers_are_what_liburing_makes_of_them() {
        let mut expected = flagged(IORING_OP_SEND, 0, 0, 100, 0, libc::MSG_MORE);
        expected.__bindgen_anon_4.buf_group = 4;
        (expected.flags, expected.ioprio) = (IOSQE_BUFFER_SELECT as u8, 16);
        // SAFETY: nothing is pushed.
        same(unsafe { SendSelect::new(stdin(), 4, 100, libc::MSG_MORE) }.bundle(), &expected);
    }
}
