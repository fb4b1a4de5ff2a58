//! Time limits.
//!
//! A time is a [`Timespec`] in memory or, on newer kernels, a [`Duration`] in the request itself.

use std::time::Duration;

use uring_sys::{__kernel_timespec, IORING_TIMEOUT_IMMEDIATE_ARG};

use crate::bits::bits;
use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

mod change;

pub use self::change::{TimeoutRemove, TimeoutUpdate};

/// Seconds and nanoseconds, `struct __kernel_timespec`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Timespec(__kernel_timespec);

impl From<Duration> for Timespec {
    /// More seconds than the kernel counts are cut to as many.
    #[inline]
    fn from(time: Duration) -> Self {
        let tv_sec = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self(__kernel_timespec { tv_sec, tv_nsec: time.subsec_nanos().into() })
    }
}

/// A time as a request has it that names no memory, in nanoseconds; more than the kernel counts are cut to as many.
#[inline]
fn immediate(time: Duration) -> u64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX).cast_unsigned()
}

bits! {
    /// What a time means, `IORING_TIMEOUT_*`; see `io_uring_enter(2)`.
    TimeoutFlags(u32), prefix "IORING_TIMEOUT_";
    /// It is a time of the clock, not one from now on; since 5.5.
    ABS = IORING_TIMEOUT_ABS,
    /// The clock is `CLOCK_BOOTTIME` instead of `CLOCK_MONOTONIC`; since 5.15.
    BOOTTIME = IORING_TIMEOUT_BOOTTIME,
    /// The clock is `CLOCK_REALTIME` instead of `CLOCK_MONOTONIC`; since 5.15.
    REALTIME = IORING_TIMEOUT_REALTIME,
    /// That the time is up is a success: `ETIME` is still the result, but breaks no chain, and
    /// [`CQE_SKIP_SUCCESS`](crate::SqeFlags::CQE_SKIP_SUCCESS) holds; since 5.16.
    ETIME_SUCCESS = IORING_TIMEOUT_ETIME_SUCCESS,
    /// Starts again each time it is up, until it is removed or as often as [`Timeout::count`] says; since 6.4. Each time
    /// but the last completes with [`MORE`](crate::CqeFlags::MORE). Not with `ABS`.
    MULTISHOT = IORING_TIMEOUT_MULTISHOT,
}

op! {
    /// Completes when a time is up; since 5.4. The result is `ETIME`; 0 if as many completions were posted before as
    /// [`count`](Self::count) says, `ECANCELED` if it was removed.
    Timeout
}

impl Timeout {
    /// Completes after `time`, by the monotonic clock unless flags say otherwise.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `time` is valid for reads.
    #[inline]
    pub unsafe fn new(time: *const Timespec) -> Self {
        Self(Sqe { addr: address(time), len: 1, ..Sqe::new(Op::TIMEOUT) })
    }

    /// As [`new`](Self::new) with the time in the request (`IORING_TIMEOUT_IMMEDIATE_ARG`, since 7.1); `EINVAL` before.
    #[inline]
    pub fn immediate(time: Duration) -> Self {
        let addr = immediate(time);
        Self(Sqe { addr, len: 1, op_flags: IORING_TIMEOUT_IMMEDIATE_ARG, ..Sqe::new(Op::TIMEOUT) })
    }

    /// Adds flags.
    #[inline]
    pub fn timeout_flags(mut self, flags: TimeoutFlags) -> Self {
        self.0.op_flags |= flags.bits();
        self
    }

    /// Completes as well once `count` other completions were posted; with [`TimeoutFlags::MULTISHOT`], counts how often
    /// it starts. 0, the default, is never, and for ever.
    #[inline]
    pub fn count(mut self, count: u32) -> Self {
        self.0.off = count.into();
        self
    }
}

op! {
    /// Cancels the request before it in the chain when a time is up, by a [link](crate::SqeFlags::IO_LINK) from there
    /// to here; since 5.5. The result is `ETIME` if that was cancelled, `EALREADY` if that could not be stopped any
    /// more, and `ECANCELED` if it was done in time.
    LinkTimeout
}

impl LinkTimeout {
    /// Cancels the request before it after `time`, by the monotonic clock unless flags say otherwise.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `time` is valid for reads.
    #[inline]
    pub unsafe fn new(time: *const Timespec) -> Self {
        Self(Sqe { addr: address(time), len: 1, ..Sqe::new(Op::LINK_TIMEOUT) })
    }

    /// As [`new`](Self::new) with the time in the request (`IORING_TIMEOUT_IMMEDIATE_ARG`, since 7.1); `EINVAL` before.
    #[inline]
    pub fn immediate(time: Duration) -> Self {
        let addr = immediate(time);
        Self(Sqe { addr, len: 1, op_flags: IORING_TIMEOUT_IMMEDIATE_ARG, ..Sqe::new(Op::LINK_TIMEOUT) })
    }

    /// Adds flags.
    #[inline]
    pub fn timeout_flags(mut self, flags: TimeoutFlags) -> Self {
        self.0.op_flags |= flags.bits();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_LINK_TIMEOUT, IORING_OP_TIMEOUT};

    use super::*;
    use crate::op::expected::{flagged, same};

    #[test]
    fn time_limits_are_what_liburing_makes_of_them() {
        let time = ptr::without_provenance(0x1000);
        // SAFETY: nothing is pushed.
        let timeout = unsafe { Timeout::new(time) }.count(5);
        let timeout = timeout.timeout_flags(TimeoutFlags::MULTISHOT | TimeoutFlags::BOOTTIME);
        same(timeout, &flagged(IORING_OP_TIMEOUT, -1, 0x1000, 1, 5, 64 | 4));
        // SAFETY: as above.
        let link = unsafe { LinkTimeout::new(time) }.timeout_flags(TimeoutFlags::ABS);
        same(link, &flagged(IORING_OP_LINK_TIMEOUT, -1, 0x1000, 1, 0, 1));
    }

    #[test]
    fn a_time_in_the_request_is_in_nanoseconds() {
        let time = Duration::new(2, 5);
        same(Timeout::immediate(time), &flagged(IORING_OP_TIMEOUT, -1, 2_000_000_005, 1, 0, 128));
        same(LinkTimeout::immediate(time), &flagged(IORING_OP_LINK_TIMEOUT, -1, 2_000_000_005, 1, 0, 128));
        let most = i64::MAX.cast_unsigned();
        same(Timeout::immediate(Duration::MAX), &flagged(IORING_OP_TIMEOUT, -1, most, 1, 0, 128));
    }

    #[test]
    fn a_time_is_cut_to_what_the_kernel_counts() {
        let time = Timespec::from(Duration::new(3, 4)).0;
        assert_eq!((time.tv_sec, time.tv_nsec), (3, 4));
        assert_eq!(Timespec::from(Duration::MAX).0.tv_sec, i64::MAX);
    }
}
