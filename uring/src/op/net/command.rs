//! Questions to sockets: commands to the socket's driver.

use uring_sys::{
    IORING_CQE_F_TSTAMP_HW, IORING_TIMESTAMP_TYPE_SHIFT, SOCKET_URING_OP_GETSOCKNAME,
    SOCKET_URING_OP_SIOCINQ, SOCKET_URING_OP_SIOCOUTQ, SOCKET_URING_OP_TX_TIMESTAMP,
};

use super::address;
use crate::codes::Op;
use crate::entry::{Cqe, Cqe32, MixedCqe, Sqe, Target};
use crate::op::command::command;

op! {
    /// Asks how much waits to be received (`SOCKET_URING_OP_SIOCINQ`), as the `ioctl(2)` `SIOCINQ` does; since 6.7. The
    /// result is the count of bytes; `EOPNOTSUPP` for a socket that does not count, such as one of the UNIX domain.
    Siocinq
}

impl_on_file!(
    Siocinq,
    /// Asks the socket `fd`.
    () => command(Op::URING_CMD, SOCKET_URING_OP_SIOCINQ)
);

op! {
    /// Asks how much was sent that the peer has not acknowledged (`SOCKET_URING_OP_SIOCOUTQ`), as the `ioctl(2)`
    /// `SIOCOUTQ` does; since 6.7. The result is as that of [`Siocinq`].
    Siocoutq
}

impl_on_file!(
    Siocoutq,
    /// Asks the socket `fd`.
    () => command(Op::URING_CMD, SOCKET_URING_OP_SIOCOUTQ)
);

op! {
    /// Asks for the address of a socket (`SOCKET_URING_OP_GETSOCKNAME`); see `getsockname(2)`; since 6.19. The result is
    /// 0; `EOPNOTSUPP` before.
    Getsockname
}

impl Getsockname {
    /// Has the address of the socket `fd` written to `name`; its room in bytes is at `len`, where then its length is.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `len` is valid for reads and writes, and `name` for writes of that many
    /// bytes.
    #[inline]
    pub unsafe fn new(fd: impl Target, name: *mut libc::sockaddr, len: *mut libc::socklen_t) -> Self {
        let sqe = command(Op::URING_CMD, SOCKET_URING_OP_GETSOCKNAME);
        Self(Sqe { addr: address(name), addr3: address(len), ..sqe }.on(&fd))
    }

    /// Asks for the peer's address instead, as `getpeername(2)` does; `ENOTCONN` if there is no peer.
    #[inline]
    pub fn peer(mut self) -> Self {
        self.0.file_index = 1;
        self
    }
}

op! {
    /// Takes the times at which data was sent from the error queue of a socket, again and again
    /// (`SOCKET_URING_OP_TX_TIMESTAMP`); since 6.17.
    ///
    /// The socket was told to keep them (`SO_TIMESTAMPING` with `SOF_TIMESTAMPING_OPT_TSONLY`), and the ring has large
    /// completions, each of which is a [`Timestamp`]; `EINVAL` if it has not. The last one is without
    /// [`MORE`](crate::CqeFlags::MORE) and says why.
    TxTimestamp
}

impl_on_file!(
    TxTimestamp,
    /// Takes the times of the socket `fd`.
    () => command(Op::URING_CMD, SOCKET_URING_OP_TX_TIMESTAMP)
);

/// When data was sent, as a completion of [`TxTimestamp`] tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds of the clock.
    pub seconds: u64,
    /// Nanoseconds of the second.
    pub nanoseconds: u64,
    /// Which data it was, as `SOF_TIMESTAMPING_OPT_ID` counts; else 0.
    pub key: u32,
    /// What happened then, `SCM_TSTAMP_*`: 0 is that it was sent.
    pub kind: u32,
    /// Whether it is the clock of the device.
    pub is_hardware: bool,
}

impl Timestamp {
    fn new(cqe: &Cqe, [seconds, nanoseconds]: [u64; 2]) -> Option<Self> {
        let key = cqe.has_more().then(|| cqe.result().ok())??;
        let kind = cqe.flags >> IORING_TIMESTAMP_TYPE_SHIFT;
        let is_hardware = cqe.flags & IORING_CQE_F_TSTAMP_HW != 0;
        Some(Self { seconds, nanoseconds, key, kind, is_hardware })
    }

    /// Takes it from a completion that goes on; the last one has none.
    #[must_use]
    pub fn of(cqe: &Cqe32) -> Option<Self> {
        Self::new(cqe, cqe.extra())
    }

    /// As [`of`](Self::of), in rings with completions of both sizes.
    #[must_use]
    pub fn of_mixed(cqe: &MixedCqe) -> Option<Self> {
        Self::new(cqe, cqe.extra()?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::stdin;
    use std::ptr;

    use uring_sys::{IORING_OP_URING_CMD, IOSQE_FIXED_FILE, io_uring_sqe};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, same};

    fn expected(cmd_op: u32) -> io_uring_sqe {
        let mut sqe = entry(IORING_OP_URING_CMD, 3, 0, 0, 0);
        sqe.flags = IOSQE_FIXED_FILE as u8;
        sqe.__bindgen_anon_1.__bindgen_anon_1.cmd_op = cmd_op;
        sqe
    }

    #[test]
    fn questions_to_sockets_are_what_liburing_makes_of_them() {
        same(Siocinq::fixed(Fixed(3)), &expected(0));
        same(Siocoutq::fixed(Fixed(3)), &expected(1));
        same(TxTimestamp::fixed(Fixed(3)), &expected(4));

        let mut expected = expected(5);
        (expected.fd, expected.flags) = (0, 0);
        expected.__bindgen_anon_2.addr = 0x1000;
        expected.__bindgen_anon_6.__bindgen_anon_1.addr3 = 0x2000;
        let (name, len) = (ptr::without_provenance_mut(0x1000), ptr::without_provenance_mut(0x2000));
        // SAFETY: nothing is pushed.
        let getsockname = || unsafe { Getsockname::new(stdin(), name, len) };
        same(getsockname(), &expected);
        expected.__bindgen_anon_5.optlen = 1;
        same(getsockname().peer(), &expected);
    }

    #[test]
    fn a_time_is_taken_from_a_completion_that_goes_on() {
        let cqe = |res, flags| Cqe { user_data: 0, res, flags };
        let time = Timestamp { seconds: 5, nanoseconds: 6, key: 7, kind: 2, is_hardware: true };
        assert_eq!(Timestamp::new(&cqe(7, 2 << 17 | 1 << 16 | 2), [5, 6]), Some(time));
        assert_eq!(Timestamp::new(&cqe(7, 0), [5, 6]), None);
        assert_eq!(Timestamp::new(&cqe(-libc::EINVAL, 2), [5, 6]), None);
    }
}
