//! The addresses of a socket and of its peer.

use super::address;
use crate::codes::Op;
use crate::entry::{Sqe, Target};

op! {
    /// Connects a socket; see `connect(2)`; since 5.5. The result is 0; `ECONNREFUSED` if nobody listens there.
    Connect
}

impl Connect {
    /// Connects the socket `fd` to the address of `len` bytes at `to`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `to` is valid for reads of `len` bytes.
    #[inline]
    pub unsafe fn new(fd: impl Target, to: *const libc::sockaddr, len: libc::socklen_t) -> Self {
        Self(Sqe { addr: address(to), off: len.into(), ..Sqe::new(Op::CONNECT) }.on(&fd))
    }
}

op! {
    /// Gives a socket its address; see `bind(2)`; since 6.11. The result is 0; `EADDRINUSE` if another one has it.
    Bind
}

impl Bind {
    /// Binds the socket `fd` to the address of `len` bytes at `to`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `to` is valid for reads of `len` bytes.
    #[inline]
    pub unsafe fn new(fd: impl Target, to: *const libc::sockaddr, len: libc::socklen_t) -> Self {
        Self(Sqe { addr: address(to), off: len.into(), ..Sqe::new(Op::BIND) }.on(&fd))
    }
}

#[cfg(test)]
mod tests {
    use std::io::stdin;
    use std::ptr;

    use uring_sys::{IORING_OP_BIND, IORING_OP_CONNECT};

    use super::*;
    use crate::op::expected::{entry, same};

    #[test]
    fn addresses_are_given_as_liburing_does() {
        let to = ptr::without_provenance(0x1000);
        // SAFETY: nothing is pushed.
        same(unsafe { Connect::new(stdin(), to, 16) }, &entry(IORING_OP_CONNECT, 0, 0x1000, 0, 16));
        // SAFETY: as above.
        same(unsafe { Bind::new(stdin(), to, 28) }, &entry(IORING_OP_BIND, 0, 0x1000, 0, 28));
    }
}
