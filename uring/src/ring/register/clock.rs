//! What the times of waits are times of.

use std::sync::atomic::Ordering;

use uring_sys::{IORING_REGISTER_CLOCK, io_uring_clock_register};

use super::{Registrar, refused};
use crate::error::Result;

/// A clock, see `clock_gettime(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clock {
    /// `CLOCK_MONOTONIC`, which stands still while the machine sleeps: the one that every ring begins with.
    Monotonic,
    /// `CLOCK_BOOTTIME`, which goes on.
    Boottime,
}

impl Registrar<'_> {
    /// Sets the clock of waits, [`Wait::timeout`](crate::ring::Wait::timeout) and
    /// [`deadline`](crate::ring::Wait::deadline) (`IORING_REGISTER_CLOCK`, since 6.12).
    ///
    /// # Errors
    ///
    /// `EINVAL` before 6.12.
    pub fn register_clock(self, clock: Clock) -> Result<()> {
        let clockid = match clock {
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::Boottime => libc::CLOCK_BOOTTIME,
        };
        let mut raw = io_uring_clock_register { clockid: clockid.cast_unsigned(), ..Default::default() };
        let refused = |error| refused(error, "clocks of waits, since Linux 6.12");
        // SAFETY: the opcode takes one of these and no count.
        unsafe { self.tell(IORING_REGISTER_CLOCK, &mut raw, 0, refused) }?;
        self.core.clock.store(clockid, Ordering::Relaxed);
        Ok(())
    }
}
