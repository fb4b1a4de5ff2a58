//! To remove and to change time limits.

use std::time::Duration;

use uring_sys::{IORING_LINK_TIMEOUT_UPDATE, IORING_TIMEOUT_IMMEDIATE_ARG, IORING_TIMEOUT_UPDATE};

use super::{TimeoutFlags, Timespec, immediate};
use crate::UserData;
use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

op! {
    /// Ends a [`Timeout`](super::Timeout), which completes with `ECANCELED`; since 5.5. The result is 0; `ENOENT` if
    /// there is none, `EALREADY` if its time is just up.
    TimeoutRemove
}

impl TimeoutRemove {
    /// Ends the request that was named `target`, one of them if there are several.
    #[inline]
    pub fn new(target: UserData) -> Self {
        Self(Sqe { addr: target, ..Sqe::new(Op::TIMEOUT_REMOVE) })
    }
}

op! {
    /// Gives a [`Timeout`](super::Timeout) another time (`IORING_TIMEOUT_UPDATE`, since 5.11). The result is as that of
    /// [`TimeoutRemove`].
    TimeoutUpdate
}

impl TimeoutUpdate {
    /// Gives the request that was named `target`, one of them if there are several, `time`, by its own clock.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `time` is valid for reads.
    #[inline]
    pub unsafe fn new(target: UserData, time: *const Timespec) -> Self {
        let (off, op_flags) = (address(time), IORING_TIMEOUT_UPDATE);
        Self(Sqe { addr: target, off, op_flags, ..Sqe::new(Op::TIMEOUT_REMOVE) })
    }

    /// As [`new`](Self::new) with the time in the request (`IORING_TIMEOUT_IMMEDIATE_ARG`, since 7.1); `EINVAL` before.
    #[inline]
    pub fn immediate(target: UserData, time: Duration) -> Self {
        let op_flags = IORING_TIMEOUT_UPDATE | IORING_TIMEOUT_IMMEDIATE_ARG;
        Self(Sqe { addr: target, off: immediate(time), op_flags, ..Sqe::new(Op::TIMEOUT_REMOVE) })
    }

    /// Changes a [`LinkTimeout`](super::LinkTimeout) instead (`IORING_LINK_TIMEOUT_UPDATE`, since 5.15).
    #[inline]
    pub fn link(mut self) -> Self {
        self.0.op_flags |= IORING_LINK_TIMEOUT_UPDATE;
        self
    }

    /// Adds flags; the kernel takes [`ABS`](TimeoutFlags::ABS) here.
    #[inline]
    pub fn timeout_flags(mut self, flags: TimeoutFlags) -> Self {
        self.0.op_flags |= flags.bits();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::IORING_OP_TIMEOUT_REMOVE;

    use super::*;
    use crate::op::expected::{entry, flagged, same};

    #[test]
    fn changes_of_time_limits_are_what_liburing_makes_of_them() {
        same(TimeoutRemove::new(77), &entry(IORING_OP_TIMEOUT_REMOVE, -1, 77, 0, 0));
        // SAFETY: nothing is pushed.
        let update = || unsafe { TimeoutUpdate::new(77, ptr::without_provenance(0x1000)) };
        same(update(), &flagged(IORING_OP_TIMEOUT_REMOVE, -1, 77, 0, 0x1000, 2));
        let link = update().link().timeout_flags(TimeoutFlags::ABS);
        same(link, &flagged(IORING_OP_TIMEOUT_REMOVE, -1, 77, 0, 0x1000, 1 | 2 | 16));
        let immediate = TimeoutUpdate::immediate(77, Duration::from_micros(3));
        same(immediate, &flagged(IORING_OP_TIMEOUT_REMOVE, -1, 77, 0, 3000, 2 | 128));
    }
}
