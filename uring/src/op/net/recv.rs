//! To receive.

use uring_sys::IORING_RECV_MULTISHOT;

use super::{address, length};
use crate::codes::Op;
use crate::entry::{Sqe, SqeFlags, Target};

op! {
    /// Receives from a socket; see `recv(2)`; since 5.6. The result is the count of bytes, 0 at the end of a stream.
    ///
    /// The completion has [`SOCK_NONEMPTY`](crate::CqeFlags::SOCK_NONEMPTY) if there is more.
    Recv
}

impl Recv {
    /// Receives up to `len` bytes of the socket `fd` to `ptr`; `flags` are `libc::MSG_*`. With `MSG_WAITALL` a stream
    /// fills all of it, unless it ends before.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `ptr` is valid for writes of `len` bytes.
    #[inline]
    pub unsafe fn new(fd: impl Target, ptr: *mut u8, len: usize, flags: i32) -> Self {
        let (addr, len, op_flags) = (address(ptr), length(len), flags.cast_unsigned());
        Self(Sqe { addr, len, op_flags, ..Sqe::new(Op::RECV) }.on(&fd))
    }
}

impl_poll_first!(Recv);

op! {
    /// Receives a message; see `recvmsg(2)`; since 5.3. The result is the count of bytes; the message tells the rest.
    Recvmsg
}

impl Recvmsg {
    /// Receives a message of the socket `fd` to what `message` names; `flags` are `libc::MSG_*`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `message` is valid for reads and writes, and all that it names for writes.
    #[inline]
    pub unsafe fn new(fd: impl Target, message: *mut libc::msghdr, flags: i32) -> Self {
        let (addr, op_flags) = (address(message), flags.cast_unsigned());
        Self(Sqe { addr, len: 1, op_flags, ..Sqe::new(Op::RECVMSG) }.on(&fd))
    }

    /// Takes a buffer of the group `buf_group` for the data when there is some, instead of the memory that the message
    /// names: of its vectors there is one at most, whose length limits what is taken. See
    /// [`Cqe::buffer_id`](crate::Cqe::buffer_id); `ENOBUFS` if the group is empty.
    #[inline]
    pub fn select(mut self, buf_group: u16) -> Self {
        self.0.flags |= SqeFlags::BUFFER_SELECT.bits();
        self.0.buf_index = buf_group;
        self
    }
}

impl_poll_first!(Recvmsg);

op! {
    /// Receives messages, again and again, each to a provided buffer; since 6.0.
    ///
    /// The result is the count of bytes in the [buffer](crate::Cqe::buffer_id), which [`RecvmsgOut`](super::RecvmsgOut)
    /// takes apart. The last completion is without [`MORE`](crate::CqeFlags::MORE): an error, `ENOBUFS` if the group was
    /// empty, or a message without data, after which a new request goes on.
    RecvmsgMultishot
}

impl RecvmsgMultishot {
    /// Receives messages of the socket `fd` to buffers of the group `buf_group`; `flags` are `libc::MSG_*`. Of the
    /// message its `msg_namelen` and `msg_controllen` count, the room that names and control messages have in each
    /// buffer.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `message` is valid for reads.
    #[inline]
    pub unsafe fn new(fd: impl Target, message: *const libc::msghdr, buf_group: u16, flags: i32) -> Self {
        Self(
            Sqe {
                addr: address(message),
                len: 1,
                op_flags: flags.cast_unsigned(),
                ioprio: IORING_RECV_MULTISHOT as u16,
                buf_index: buf_group,
                flags: SqeFlags::BUFFER_SELECT.bits(),
                ..Sqe::new(Op::RECVMSG)
            }
            .on(&fd),
        )
    }
}

impl_poll_first!(RecvmsgMultishot);

op! {
    /// Receives again and again, without copying, to an area that is registered with the queue of a network device
    /// (`IORING_REGISTER_ZCRX_IFQ`); since 6.15.
    ///
    /// The result is the count of bytes, and [`ZcrxQueue::offset`](crate::ring::ZcrxQueue::offset) says where in the area
    /// they are: the ring has large completions. The last one is without [`MORE`](crate::CqeFlags::MORE). `EINVAL`
    /// if no such queue is registered.
    RecvZc
}

impl_on_file!(
    RecvZc,
    /// Receives from the socket `fd` by the queue `ifq`, up to `len` bytes in all, without end if that is 0.
    (ifq: u32, len: u32) => Sqe {
        len,
        file_index: ifq,
        ioprio: IORING_RECV_MULTISHOT as u16,
        ..Sqe::new(Op::RECV_ZC)
    }
);

impl_poll_first!(RecvZc);

#[cfg(test)]
mod tests {
    use std::io::stdin;
    use std::ptr;

    use uring_sys::{
        IORING_OP_RECV, IORING_OP_RECV_ZC, IORING_OP_RECVMSG, IOSQE_BUFFER_SELECT, IOSQE_FIXED_FILE,
    };

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, flagged, same};

    #[test]
    fn receives_are_what_liburing_makes_of_them() {
        let mut expected = flagged(IORING_OP_RECV, 0, 0x1000, 512, 0, libc::MSG_PEEK);
        expected.ioprio = 1;
        // SAFETY: nothing is pushed.
        let recv = unsafe { Recv::new(stdin(), ptr::without_provenance_mut(0x1000), 512, libc::MSG_PEEK) };
        same(recv.poll_first(), &expected);

        let mut expected = entry(IORING_OP_RECV_ZC, 3, 0, 100, 0);
        (expected.ioprio, expected.flags) = (2, IOSQE_FIXED_FILE as u8);
        expected.__bindgen_anon_5.zcrx_ifq_idx = 6;
        same(RecvZc::fixed(Fixed(3), 6, 100), &expected);
    }

    #[test]
    fn receives_of_messages_are_what_liburing_makes_of_them() {
        let message = ptr::without_provenance_mut(0x1000);
        let mut expected = flagged(IORING_OP_RECVMSG, 0, 0x1000, 1, 0, libc::MSG_TRUNC);
        // SAFETY: nothing is pushed.
        let recvmsg = || unsafe { Recvmsg::new(stdin(), message, libc::MSG_TRUNC) };
        same(recvmsg(), &expected);
        expected.flags = IOSQE_BUFFER_SELECT as u8;
        expected.__bindgen_anon_4.buf_group = 9;
        same(recvmsg().select(9), &expected);
        expected.ioprio = 2;
        // SAFETY: as above.
        same(unsafe { RecvmsgMultishot::new(stdin(), message, 9, libc::MSG_TRUNC) }, &expected);
    }
}
