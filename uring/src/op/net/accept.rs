//! To accept connections.

use uring_sys::{IORING_ACCEPT_DONTWAIT, IORING_ACCEPT_MULTISHOT, IORING_ACCEPT_POLL_FIRST};

use super::address;
use crate::codes::Op;
use crate::entry::Sqe;

op! {
    /// Accepts a connection; see `accept4(2)`; since 5.5. The result is a descriptor, which is the caller's to close.
    ///
    /// The completion has [`SOCK_NONEMPTY`](crate::CqeFlags::SOCK_NONEMPTY) if more of them wait.
    Accept
}

impl_on_file!(
    Accept,
    /// Accepts a connection on the socket `fd`; `flags` are `libc::SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
    (flags: i32) => Sqe { op_flags: flags.cast_unsigned(), ..Sqe::new(Op::ACCEPT) }
);

impl_direct!(Accept);

impl Accept {
    /// Accepts again and again (`IORING_ACCEPT_MULTISHOT`, since 5.19): each connection completes with
    /// [`MORE`](crate::CqeFlags::MORE), until one without it ends the request. With [`direct`](Self::direct) the kernel
    /// chooses the places ([`FileIndex::ALLOC`](crate::FileIndex::ALLOC)).
    #[inline]
    pub fn multishot(mut self) -> Self {
        self.0.ioprio |= IORING_ACCEPT_MULTISHOT as u16;
        self
    }

    /// Completes with `EAGAIN` if none waits (`IORING_ACCEPT_DONTWAIT`, since 6.10).
    #[inline]
    pub fn dont_wait(mut self) -> Self {
        self.0.ioprio |= IORING_ACCEPT_DONTWAIT as u16;
        self
    }

    /// Waits until the socket is ready before it is tried, for one that mostly is not (`IORING_ACCEPT_POLL_FIRST`, since
    /// 6.10).
    #[inline]
    pub fn poll_first(mut self) -> Self {
        self.0.ioprio |= IORING_ACCEPT_POLL_FIRST as u16;
        self
    }

    /// Has the peer's address written to `peer`; its room in bytes is at `len`, where then its length is. Of a
    /// [`multishot`](Self::multishot) accept each connection overwrites both.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `len` is valid for reads and writes, and `peer` for writes of that many
    /// bytes.
    #[inline]
    pub unsafe fn peer(mut self, peer: *mut libc::sockaddr, len: *mut libc::socklen_t) -> Self {
        (self.0.addr, self.0.off) = (address(peer), address(len));
        self
    }
}

#[cfg(test)]
mod tests {
    use std::io::stdin;
    use std::ptr;

    use uring_sys::{IORING_OP_ACCEPT, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::{FileIndex, Fixed};
    use crate::op::expected::{flagged, same};

    #[test]
    fn an_accept_is_what_liburing_makes_of_it() {
        let mut expected = flagged(IORING_OP_ACCEPT, 0, 0x1000, 0, 0x2000, libc::SOCK_CLOEXEC);
        expected.ioprio = 2 | 4;
        let (peer, len) = (ptr::without_provenance_mut(0x1000), ptr::without_provenance_mut(0x2000));
        // SAFETY: nothing is pushed.
        let accept = unsafe { Accept::new(stdin(), libc::SOCK_CLOEXEC) };
        // SAFETY: as above.
        let accept = unsafe { accept.peer(peer, len) };
        same(accept.dont_wait().poll_first(), &expected);

        let mut expected = flagged(IORING_OP_ACCEPT, 5, 0, 0, 0, libc::SOCK_NONBLOCK);
        (expected.ioprio, expected.flags) = (1, IOSQE_FIXED_FILE as u8);
        expected.__bindgen_anon_5.file_index = u32::MAX;
        let accept = Accept::fixed(Fixed(5), libc::SOCK_NONBLOCK);
        same(accept.multishot().direct(FileIndex::ALLOC), &expected);
    }
}
