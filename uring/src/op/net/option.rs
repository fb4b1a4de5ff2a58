//! Options of sockets: commands to the socket's driver.

use uring_sys::{SOCKET_URING_OP_GETSOCKOPT, SOCKET_URING_OP_SETSOCKOPT};

use super::address;
use crate::codes::Op;
use crate::entry::{Sqe, Target};
use crate::op::command::command;

/// Two numbers in one field.
#[inline]
fn level_and_name(level: i32, name: i32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (level.to_ne_bytes(), name.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

op! {
    /// Asks for an option of a socket (`SOCKET_URING_OP_GETSOCKOPT`); see `getsockopt(2)`; since 6.7. The result is the
    /// length of its value; `EOPNOTSUPP` for a level other than `libc::SOL_SOCKET`.
    Getsockopt
}

impl Getsockopt {
    /// Asks for the option `name` of the `level` of the socket `fd`; its value goes to the `len` bytes at `value`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `value` is valid for writes of `len` bytes.
    #[inline]
    pub unsafe fn new(fd: impl Target, level: i32, name: i32, value: *mut u8, len: u32) -> Self {
        let sqe = command(Op::URING_CMD, SOCKET_URING_OP_GETSOCKOPT);
        let (addr, addr3) = (level_and_name(level, name), address(value));
        Self(Sqe { addr, addr3, file_index: len, ..sqe }.on(&fd))
    }
}

op! {
    /// Sets an option of a socket (`SOCKET_URING_OP_SETSOCKOPT`); see `setsockopt(2)`; since 6.7. The result is 0;
    /// `ENOPROTOOPT` if there is no such option.
    Setsockopt
}

impl Setsockopt {
    /// Sets the option `name` of the `level` of the socket `fd` to the value of `len` bytes at `value`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `value` is valid for reads of `len` bytes, and so is what it may name.
    #[inline]
    pub unsafe fn new(fd: impl Target, level: i32, name: i32, value: *const u8, len: u32) -> Self {
        let sqe = command(Op::URING_CMD, SOCKET_URING_OP_SETSOCKOPT);
        let (addr, addr3) = (level_and_name(level, name), address(value));
        Self(Sqe { addr, addr3, file_index: len, ..sqe }.on(&fd))
    }
}

#[cfg(test)]
mod tests {
    use std::io::stdin;
    use std::ptr;

    use uring_sys::{IORING_OP_URING_CMD, io_uring_sqe, io_uring_sqe__bindgen_ty_2__bindgen_ty_1};

    use super::*;
    use crate::op::expected::{entry, same};

    fn expected(cmd_op: u32) -> io_uring_sqe {
        let mut sqe = entry(IORING_OP_URING_CMD, 0, 0, 0, 0);
        sqe.__bindgen_anon_1.__bindgen_anon_1.cmd_op = cmd_op;
        sqe.__bindgen_anon_2.__bindgen_anon_1 =
            io_uring_sqe__bindgen_ty_2__bindgen_ty_1 { level: 1, optname: 2 };
        sqe.__bindgen_anon_5.optlen = 4;
        sqe.__bindgen_anon_6.optval = 0x1000;
        sqe
    }

    #[test]
    fn options_are_asked_for_and_set_as_liburing_does() {
        let (level, name, value) =
            (libc::SOL_SOCKET, libc::SO_REUSEADDR, ptr::without_provenance_mut(0x1000));
        // SAFETY: nothing is pushed.
        same(unsafe { Getsockopt::new(stdin(), level, name, value, 4) }, &expected(2));
        // SAFETY: as above.
        same(unsafe { Setsockopt::new(stdin(), level, name, value, 4) }, &expected(3));
    }
}
