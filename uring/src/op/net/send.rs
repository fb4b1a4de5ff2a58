//! To send.

use super::{address, length};
use crate::codes::Op;
use crate::entry::{Sqe, Target};

/// The constructors of what sends.
macro_rules! impl_send {
    ($name:ident, $op:ident, $to_since:literal) => {
        impl $name {
            /// Sends the `len` bytes at `ptr` to the socket `fd`; `flags` are `libc::MSG_*`. With `MSG_WAITALL` a stream
            /// takes all of them, unless something fails in between.
            ///
            /// # Safety
            ///
            /// The [contract](crate::op#contract): `ptr` is valid for reads of `len` bytes.
            #[inline]
            pub unsafe fn new(fd: impl Target, ptr: *const u8, len: usize, flags: i32) -> Self {
                let (addr, len, op_flags) = (address(ptr), length(len), flags.cast_unsigned());
                Self(Sqe { addr, len, op_flags, ..Sqe::new(Op::$op) }.on(&fd))
            }

            /// Sends the pieces of memory that `nr` vectors name, 1024 at most (`IORING_SEND_VECTORIZED`, since 6.17);
            /// `EINVAL` before.
            ///
            /// # Safety
            ///
            /// The [contract](crate::op#contract): `iovecs` is an array of `nr`, each of them valid for reads. Linux
            /// before 6.0 does not know the flag and may take the array for the data.
            #[inline]
            pub unsafe fn vectored(
                fd: impl Target,
                iovecs: *const libc::iovec,
                nr: usize,
                flags: i32,
            ) -> Self {
                let (addr, len, op_flags) = (address(iovecs), length(nr), flags.cast_unsigned());
                let ioprio = uring_sys::IORING_SEND_VECTORIZED as u16;
                Self(Sqe { addr, len, op_flags, ioprio, ..Sqe::new(Op::$op) }.on(&fd))
            }

            #[doc = concat!("Sends to the address of `len` bytes at `to`, as `sendto(2)`; since ", $to_since, ".")]
            ///
            /// # Safety
            ///
            /// The [contract](crate::op#contract): `to` is valid for reads of `len` bytes.
            #[inline]
            pub unsafe fn to(mut self, to: *const libc::sockaddr, len: u16) -> Self {
                let [low, high] = len.to_ne_bytes();
                self.0.off = address(to);
                // The first half of the field.
                self.0.file_index = u32::from_ne_bytes([low, high, 0, 0]);
                self
            }
        }

        impl_poll_first!($name);
    };
}

/// The constructor of what sends a message.
macro_rules! impl_sendmsg {
    ($name:ident, $op:ident) => {
        impl $name {
            /// Sends the message at `message` to the socket `fd`; `flags` are `libc::MSG_*`.
            ///
            /// # Safety
            ///
            /// The [contract](crate::op#contract): `message` is valid for reads, and so is all that it names.
            #[inline]
            pub unsafe fn new(fd: impl Target, message: *const libc::msghdr, flags: i32) -> Self {
                let (addr, op_flags) = (address(message), flags.cast_unsigned());
                Self(Sqe { addr, len: 1, op_flags, ..Sqe::new(Op::$op) }.on(&fd))
            }
        }

        impl_poll_first!($name);
    };
}

pub(super) use {impl_send, impl_sendmsg};

op! {
    /// Sends to a socket; see `send(2)`; since 5.6. The result is the count of bytes.
    ///
    /// A connection that the peer has closed is `EPIPE`; there is no `SIGPIPE`.
    Send
}

impl_send!(Send, SEND, "6.1");

op! {
    /// Sends a message; see `sendmsg(2)`; since 5.3. The result is the count of bytes.
    Sendmsg
}

impl_sendmsg!(Sendmsg, SENDMSG);

#[cfg(test)]
mod tests {
    use std::io::stdin;
    use std::ptr;

    use uring_sys::{IORING_OP_SEND, IORING_OP_SENDMSG, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{flagged, same};

    #[test]
    fn sends_are_what_liburing_makes_of_them() {
        let mut expected = flagged(IORING_OP_SEND, 0, 0x1000, 512, 0, libc::MSG_WAITALL);
        // SAFETY: nothing is pushed.
        let send = || unsafe { Send::new(stdin(), ptr::without_provenance(0x1000), 512, libc::MSG_WAITALL) };
        same(send(), &expected);
        expected.ioprio = 1;
        expected.__bindgen_anon_1.addr2 = 0x2000;
        expected.__bindgen_anon_5.__bindgen_anon_1.addr_len = 0x1234;
        // SAFETY: as above.
        same(unsafe { send().to(ptr::without_provenance(0x2000), 0x1234) }.poll_first(), &expected);
    }

    #[test]
    fn vectors_and_messages_are_what_liburing_makes_of_them() {
        let mut expected = flagged(IORING_OP_SEND, 3, 0x1000, 4, 0, 0);
        (expected.ioprio, expected.flags) = (32, IOSQE_FIXED_FILE as u8);
        // SAFETY: nothing is pushed.
        same(unsafe { Send::vectored(Fixed(3), ptr::without_provenance(0x1000), 4, 0) }, &expected);

        let expected = flagged(IORING_OP_SENDMSG, 0, 0x1000, 1, 0, libc::MSG_MORE);
        // SAFETY: as above.
        same(unsafe { Sendmsg::new(stdin(), ptr::without_provenance(0x1000), libc::MSG_MORE) }, &expected);
    }
}
