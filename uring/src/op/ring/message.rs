//! Messages to other rings, which are descriptors: the kernel registers no ring as a file.

use std::os::fd::{AsFd, AsRawFd};

use uring_sys::{IORING_MSG_RING_CQE_SKIP, IORING_MSG_RING_FLAGS_PASS, IORING_MSG_SEND_FD};

use crate::UserData;
use crate::codes::Op;
use crate::entry::{CqeFlags, FileIndex, Fixed, Sqe};

op! {
    /// Posts a completion to another ring, or to this one; since 5.18. The result is 0; `EBADFD` if it is no ring or a
    /// disabled one, `EOVERFLOW` if it has no memory for one more.
    MsgRing
}

impl MsgRing {
    /// Posts a completion that is named `user_data` and has `result`, an errno if it is negative.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `ring` stays open.
    ///
    /// And a [`URingContext`](crate::URingContext) that receives it takes it for the completion of a request, whatever flags
    /// are [passed](Self::pass_flags): before one is dropped that has received one, the completion of each of its own
    /// requests that names memory has been taken. A [`Ring`](crate::Ring) does not.
    #[inline]
    pub unsafe fn new(ring: impl AsFd, user_data: UserData, result: i32) -> Self {
        let fd = ring.as_fd().as_raw_fd();
        Self(Sqe { fd, off: user_data, len: result.cast_unsigned(), ..Sqe::new(Op::MSG_RING) })
    }

    /// Gives the completion flags (`IORING_MSG_RING_FLAGS_PASS`, since 6.3), but for [`LARGE`](CqeFlags::LARGE) and
    /// [`SKIP`](CqeFlags::SKIP): they say how completions lie in a queue, which is not the sender's business.
    #[inline]
    pub fn pass_flags(mut self, flags: CqeFlags) -> Self {
        // A ring whose completions have one size would be given fillers by the kernel, and a mixed one would lose this.
        const OF_THE_QUEUE: u32 = CqeFlags::LARGE.union(CqeFlags::SKIP).bits();
        self.0.op_flags |= IORING_MSG_RING_FLAGS_PASS;
        self.0.file_index = flags.bits() & !OF_THE_QUEUE;
        self
    }
}

op! {
    /// Puts a registered file of this ring into the table of another one (`IORING_MSG_SEND_FD`), and posts a completion
    /// there that says so; since 6.0. The result, of this request and of that completion, is 0, or the place for
    /// [`FileIndex::ALLOC`]; `EBADF` if there is no such file, `EINVAL` if it is the same ring, otherwise as for
    /// [`MsgRing`].
    MsgRingFd
}

impl MsgRingFd {
    /// Puts `source` at `place` of the table of `ring`, where the completion is named `user_data`.
    ///
    /// # Safety
    ///
    /// As [`MsgRing::new`], unless no completion is [posted](Self::cqe_skip).
    #[inline]
    pub unsafe fn new(
        ring: impl AsFd,
        source: Fixed,
        place: impl Into<FileIndex>,
        user_data: UserData,
    ) -> Self {
        Self(Sqe {
            fd: ring.as_fd().as_raw_fd(),
            off: user_data,
            addr: IORING_MSG_SEND_FD.into(),
            addr3: source.0.into(),
            file_index: place.into().raw(),
            ..Sqe::new(Op::MSG_RING)
        })
    }

    /// Posts nothing to the other ring (`IORING_MSG_RING_CQE_SKIP`, since 6.0).
    #[inline]
    pub fn cqe_skip(mut self) -> Self {
        self.0.op_flags |= IORING_MSG_RING_CQE_SKIP;
        self
    }
}

#[cfg(test)]
mod tests {
    use uring_sys::IORING_OP_MSG_RING;

    use super::*;
    use crate::op::expected::{entry, flagged, same};

    #[test]
    fn messages_are_what_liburing_makes_of_them() {
        // SAFETY: nothing is pushed.
        let message = || unsafe { MsgRing::new(std::io::stdout(), 77, -5) };
        same(message(), &entry(IORING_OP_MSG_RING, 1, 0, -5_i32 as u32, 77));
        let mut expected = flagged(IORING_OP_MSG_RING, 1, 0, -5_i32 as u32, 77, 2);
        expected.__bindgen_anon_5.file_index = 2;
        same(message().pass_flags(CqeFlags::MORE), &expected);
    }

    #[test]
    fn sending_a_file_is_what_liburing_makes_of_it() {
        let mut expected = flagged(IORING_OP_MSG_RING, 1, 1, 0, 77, 1);
        expected.__bindgen_anon_5.file_index = 6;
        expected.__bindgen_anon_6.__bindgen_anon_1.addr3 = 3;
        // SAFETY: nothing is pushed.
        same(unsafe { MsgRingFd::new(std::io::stdout(), Fixed(3), Fixed(5), 77) }.cqe_skip(), &expected);
        expected.__bindgen_anon_3.msg_ring_flags = 0;
        expected.__bindgen_anon_5.file_index = u32::MAX;
        // SAFETY: as above.
        same(unsafe { MsgRingFd::new(std::io::stdout(), Fixed(3), FileIndex::ALLOC, 77) }, &expected);
    }
}
