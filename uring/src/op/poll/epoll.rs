//! Sets of files, [`epoll(7)`](https://man7.org/linux/man-pages/man7/epoll.7.html).

use std::os::fd::{AsFd, AsRawFd};

use crate::codes::Op;
use crate::entry::{Sqe, Target};
use crate::op::address;

op! {
    /// Adds, changes or removes a descriptor of a set; see `epoll_ctl(2)`; since 5.6. The result is 0.
    EpollCtl
}

impl EpollCtl {
    /// Does `op`, `libc::EPOLL_CTL_*`, with `fd` in the set `epfd`; `event` may be null to remove.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): both descriptors stay open, and `event` is valid for reads or null.
    #[inline]
    pub unsafe fn new(epfd: impl AsFd, op: i32, fd: impl AsFd, event: *const libc::epoll_event) -> Self {
        Self(Sqe {
            fd: epfd.as_fd().as_raw_fd(),
            addr: address(event),
            len: op.cast_unsigned(),
            off: u64::from(fd.as_fd().as_raw_fd().cast_unsigned()),
            ..Sqe::new(Op::EPOLL_CTL)
        })
    }
}

op! {
    /// Waits for events of a set; see `epoll_wait(2)`. Since 6.15. The result is how many were written.
    EpollWait
}

impl EpollWait {
    /// Waits for events of `epfd`, and writes `max` of them at most to `events`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `epfd` stays open, and `events` is valid for writes of `max` events.
    #[inline]
    pub unsafe fn new(epfd: impl Target, events: *mut libc::epoll_event, max: u32) -> Self {
        Self(Sqe { addr: address(events), len: max, ..Sqe::new(Op::EPOLL_WAIT) }.on(&epfd))
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_EPOLL_CTL, IORING_OP_EPOLL_WAIT};

    use super::*;
    use crate::op::expected::{entry, same};

    #[test]
    fn requests_on_sets_are_what_liburing_makes_of_them() {
        let event = ptr::without_provenance_mut(0x1000);
        // SAFETY: nothing is pushed.
        let ctl = unsafe { EpollCtl::new(std::io::stdin(), libc::EPOLL_CTL_MOD, std::io::stdout(), event) };
        same(ctl, &entry(IORING_OP_EPOLL_CTL, 0, 0x1000, 3, 1));
        // SAFETY: as above.
        let wait = unsafe { EpollWait::new(std::io::stdout(), event, 16) };
        same(wait, &entry(IORING_OP_EPOLL_WAIT, 1, 0x1000, 16, 0));
    }
}
