//! `io_uring_enter`: the one door through which requests go and completions are waited for.

use std::cell::Cell;
use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use uring_sys::{
    __kernel_timespec, IORING_ENTER_ABS_TIMER, IORING_ENTER_EXT_ARG, IORING_ENTER_EXT_ARG_REG,
    IORING_ENTER_GETEVENTS, IORING_ENTER_REGISTERED_RING, IORING_FEAT_EXT_ARG, io_uring_enter,
    io_uring_getevents_arg, io_uring_reg_wait,
};

use super::core::Core;
use super::thread;
use crate::entry::result;

impl Core {
    /// The descriptor to enter by, and the flag that says what kind it is.
    #[inline]
    fn door(&self) -> (RawFd, u32) {
        // Only the thread that stored both sees its own name here, so nothing has to be ordered.
        if self.door_thread.load(Ordering::Relaxed) == thread::current() {
            (self.door_index.load(Ordering::Relaxed).cast_signed(), IORING_ENTER_REGISTERED_RING)
        } else {
            self.first_door()
        }
    }

    /// As [`door`](Self::door) for a thread without a registered descriptor, such as each before it first
    /// enters.
    #[cold]
    pub(super) fn first_door(&self) -> (RawFd, u32) {
        let registration = self.registration.get_or_init(|| self.prepare());
        match registration.as_ref().or(self.door.registered()) {
            // The first time: from the next one on `door` knows.
            Some(entry) if entry.is_mine() => {
                self.door_index.store(entry.index(), Ordering::Relaxed);
                self.door_thread.store(entry.thread(), Ordering::Relaxed);
                (entry.index().cast_signed(), IORING_ENTER_REGISTERED_RING)
            }
            _ => (self.door.raw(), 0),
        }
    }

    /// Offers `to_submit` entries and waits until `min_complete` completions are in the ring; returns how
    /// many entries the kernel consumed.
    ///
    /// A signal that comes after entries were consumed is not an error: the count is returned and fewer
    /// completions may be there.
    #[inline]
    pub(crate) fn enter(&self, to_submit: u32, min_complete: u32, flags: u32) -> io::Result<u32> {
        #[cfg(test)]
        if let Some(kernel) = self.door.simulated() {
            return kernel.enter(to_submit, min_complete, flags);
        }
        let (fd, kind) = self.door();
        // SAFETY: the entries before the published tail are complete requests, for whose memory the callers of
        // `Queue::add` and its like have vouched; without EXT_ARG a null signal mask is the absence of one.
        result(unsafe { io_uring_enter(fd, to_submit, min_complete, flags | kind, ptr::null(), 0) })
    }

    /// As [`enter`](Self::enter), always for completions, until `deadline` at the latest (`ETIME`).
    pub(crate) fn enter_until(
        &self,
        to_submit: u32,
        min_complete: u32,
        deadline: Instant,
    ) -> io::Result<u32> {
        let limits = Limits { deadline: Some(deadline), ..Limits::default() };
        self.enter_within(to_submit, min_complete, IORING_ENTER_GETEVENTS, &limits)
    }

    /// As [`enter`](Self::enter), within limits (`ETIME`, and `EINTR` if a signal mask is among them).
    pub(crate) fn enter_within(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        limits: &Limits<'_>,
    ) -> io::Result<u32> {
        if limits.are_none() {
            return self.enter(to_submit, min_complete, flags);
        }
        #[cfg(test)]
        if let Some(kernel) = self.door.simulated() {
            return kernel.enter(to_submit, min_complete, flags);
        }
        if self.features() & IORING_FEAT_EXT_ARG == 0 {
            return self.enter_then_poll(to_submit, min_complete, flags, limits);
        }
        let clock = if limits.time.is_some() { IORING_ENTER_ABS_TIMER } else { 0 };
        if let Some(offset) = limits.registered.take() {
            return self.enter_registered(to_submit, min_complete, flags | clock, offset);
        }
        let left = limits.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = limits.time.or(left).map(timespec);
        let min_wait_usec = limits.minimum_left(left.or_else(|| limits.time_left(self)));
        let arg = io_uring_getevents_arg {
            sigmask: limits.sigmask.map_or(0, |mask| (&raw const *mask).expose_provenance() as u64),
            sigmask_sz: SIGSET_SIZE,
            min_wait_usec,
            ts: timeout.as_ref().map_or(0, |timeout| (&raw const *timeout).expose_provenance() as u64),
        };
        let (fd, kind) = self.door();
        // SAFETY: as in `enter`; `arg` and what it names outlive the call.
        result(unsafe {
            io_uring_enter(
                fd,
                to_submit,
                min_complete,
                flags | IORING_ENTER_EXT_ARG | clock | kind,
                (&raw const arg).cast(),
                size_of::<io_uring_getevents_arg>(),
            )
        })
    }

    /// As [`enter`](Self::enter), within the limits that lie at `offset` in the ring's region.
    fn enter_registered(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        offset: usize,
    ) -> io::Result<u32> {
        let (fd, kind) = self.door();
        // SAFETY: as in `enter`; the kernel checks the offset.
        result(unsafe {
            io_uring_enter(
                fd,
                to_submit,
                min_complete,
                flags | IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG | kind,
                ptr::without_provenance(offset),
                size_of::<io_uring_reg_wait>(),
            )
        })
    }

    /// The time of the ring's clock.
    fn now(&self) -> Duration {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` outlives the call. The kernel has taken this clock for the ring, so it has it, and its time is
        // not negative.
        unsafe { libc::clock_gettime(self.clock.load(Ordering::Relaxed), &raw mut now) };
        Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
    }

    /// Linux 5.10 has no timed enter: what is ready is let in, then the descriptor is polled.
    fn enter_then_poll(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        limits: &Limits<'_>,
    ) -> io::Result<u32> {
        let consumed = self.enter(to_submit, 0, flags)?;
        if consumed == 0 && min_complete > 0 {
            let mut fds = [libc::pollfd { fd: self.door.raw(), events: libc::POLLIN, revents: 0 }];
            if poll_within(&mut fds, limits)? == 0 {
                return Err(io::Error::from_raw_os_error(libc::ETIME));
            }
        }
        Ok(consumed)
    }
}

/// Bytes of a signal set as the kernel has it: one bit for each of 64 signals. That of the C library is larger.
pub(super) const SIGSET_SIZE: u32 = 8;

/// What ends a wait before its completions are there.
#[derive(Debug, Default)]
pub(crate) struct Limits<'a> {
    pub(crate) deadline: Option<Instant>,
    /// A time of the ring's clock.
    pub(crate) time: Option<Duration>,
    /// Microseconds after which one completion is enough, and when they are over.
    pub(crate) minimum: u32,
    pub(crate) minimum_over: Option<Instant>,
    pub(crate) sigmask: Option<&'a libc::sigset_t>,
    /// Where the ring's region says the same, for the first enter; those after it have less time.
    pub(crate) registered: Cell<Option<usize>>,
}

impl Limits<'_> {
    fn are_none(&self) -> bool {
        self.deadline.is_none() && self.time.is_none() && self.minimum == 0 && self.sigmask.is_none()
    }

    /// How much is left until the ring's clock ends the wait, where that has to be known.
    fn time_left(&self, core: &Core) -> Option<Duration> {
        if self.minimum == 0 { None } else { self.time.map(|time| time.saturating_sub(core.now())) }
    }

    /// Microseconds until one completion is enough, for a wait that ends after `left`. The kernel looks at the end only
    /// after them, so a wait that ends before has none.
    fn minimum_left(&self, left: Option<Duration>) -> u32 {
        if self.minimum == 0 {
            return 0;
        }
        // What is over past all that the clock can tell never is.
        let over = self.minimum_over.map(|over| over.saturating_duration_since(Instant::now()));
        let minimum = over.unwrap_or(Duration::MAX);
        if left.is_some_and(|left| left <= minimum) {
            return 0;
        }
        // One of none would not say that one completion is enough.
        u32::try_from(minimum.as_micros()).unwrap_or(u32::MAX).max(1)
    }

    /// Whether the wait ends before its minimum does.
    pub(crate) fn end_early(&self, core: &Core) -> bool {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        self.minimum > 0 && self.minimum_left(left.or_else(|| self.time_left(core))) == 0
    }

    /// Whether the wait has come to its end, with `ready` completions there: with some, the kernel does not say so
    /// itself.
    pub(crate) fn are_reached(&self, ready: u32, core: &Core) -> bool {
        let is_past = |instant: Option<Instant>| instant.is_some_and(|instant| Instant::now() >= instant);
        is_past(self.deadline)
            || (ready > 0 && (is_past(self.minimum_over) || self.sigmask.is_some()))
            || self.time.is_some_and(|time| core.now() >= time)
    }
}

/// Waits for any of `fds`, without end if there is no deadline; see `ppoll(2)`.
pub(crate) fn poll(fds: &mut [libc::pollfd], deadline: Option<Instant>) -> io::Result<usize> {
    poll_within(fds, &Limits { deadline, ..Limits::default() })
}

fn poll_within(fds: &mut [libc::pollfd], limits: &Limits<'_>) -> io::Result<usize> {
    let timeout = limits.deadline.map(|deadline| {
        let left = timespec(deadline.saturating_duration_since(Instant::now()));
        libc::timespec { tv_sec: left.tv_sec, tv_nsec: left.tv_nsec }
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let sigmask = limits.sigmask.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `fds` is a valid array of its length, `timeout` and `sigmask` are null or outlive the call.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, sigmask) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}

/// A duration as the kernel takes it.
///
/// The kernel adds it to its clock in 64-bit nanoseconds without a look at overflow, so more than it can
/// hold is cut to 136 years.
pub(crate) fn timespec(duration: Duration) -> __kernel_timespec {
    let seconds = duration.as_secs().min(u32::MAX.into());
    __kernel_timespec { tv_sec: seconds.cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}
