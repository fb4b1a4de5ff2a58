//! To make sockets, to have them listen, and to end them.

use crate::codes::Op;
use crate::entry::Sqe;

op! {
    /// Makes a socket; see `socket(2)`; since 5.19. The result is a descriptor, which is the caller's to close.
    Socket
}

impl Socket {
    /// Makes a socket of the `domain`, `libc::AF_*`, and the `kind`, `libc::SOCK_*`, which may have `SOCK_CLOEXEC` and
    /// `SOCK_NONBLOCK` beside it, with that `protocol`, mostly 0.
    #[inline]
    pub fn new(domain: i32, kind: i32, protocol: i32) -> Self {
        Self(Sqe {
            fd: domain,
            off: u64::from(kind.cast_unsigned()),
            len: protocol.cast_unsigned(),
            ..Sqe::new(Op::SOCKET)
        })
    }
}

impl_direct!(Socket);

op! {
    /// Lets a socket take connections; see `listen(2)`; since 6.11. The result is 0; `EADDRINUSE` if another one listens
    /// there.
    Listen
}

impl_on_file!(
    Listen,
    /// Lets up to `backlog` connections to the socket `fd` wait to be accepted.
    (backlog: u32) => Sqe { len: backlog, ..Sqe::new(Op::LISTEN) }
);

op! {
    /// Ends one or both directions of a connection; see `shutdown(2)`; since 5.11. The result is 0; `ENOTCONN` if there
    /// is none.
    Shutdown
}

impl_on_file!(
    Shutdown,
    /// Ends what `how` says of the socket `fd`: `libc::SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
    (how: i32) => Sqe { len: how.cast_unsigned(), ..Sqe::new(Op::SHUTDOWN) }
);

#[cfg(test)]
mod tests {
    use std::io::stdin;

    use uring_sys::{IORING_OP_LISTEN, IORING_OP_SHUTDOWN, IORING_OP_SOCKET, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, same};

    #[test]
    fn a_socket_is_what_liburing_makes_of_it() {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        let mut expected = entry(IORING_OP_SOCKET, libc::AF_INET, 0, 6, kind as u64);
        same(Socket::new(libc::AF_INET, kind, libc::IPPROTO_TCP), &expected);
        expected.__bindgen_anon_5.file_index = 4;
        same(Socket::new(libc::AF_INET, kind, libc::IPPROTO_TCP).direct(Fixed(3)), &expected);
    }

    #[test]
    fn listening_and_shutting_down_are_what_liburing_makes_of_them() {
        // SAFETY: nothing is pushed.
        same(unsafe { Listen::new(stdin(), 128) }, &entry(IORING_OP_LISTEN, 0, 0, 128, 0));
        let mut expected = entry(IORING_OP_SHUTDOWN, 9, 0, 1, 0);
        expected.flags = IOSQE_FIXED_FILE as u8;
        same(Shutdown::fixed(Fixed(9), libc::SHUT_WR), &expected);
    }
}
