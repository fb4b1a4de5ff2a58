//! Waiting for completions: how long, until what, and what to do when it goes wrong.

use std::io;
use std::time::{Duration, Instant};

use uring_sys::{IORING_ENTER_GETEVENTS, IORING_FEAT_MIN_TIMEOUT};

use super::Ring;
use super::enter::Limits;
use super::reap::{Completions, Reap};
use super::register::RegisteredWait;
use crate::entry::{Completion, Submission};
use crate::error::{Error, Result};

/// When a wait ends at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// So long after the call; signals do not prolong it.
    After(Duration),
    /// At this time of the ring's clock, `CLOCK_MONOTONIC` unless another one was registered
    /// (`IORING_ENTER_ABS_TIMER`, since 6.12).
    At(Duration),
}

/// How to wait, for [`Ring::wait_with`].
///
/// ```
/// use std::time::Duration;
/// use uring::{Ring, ring::Wait};
///
/// let mut ring: Ring = Ring::new(8)?;
/// let wait = Wait::new().timeout(Duration::from_millis(1));
/// assert_eq!(ring.wait_with(1, &wait)?.count(), 0);
/// # Ok::<(), uring::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Wait {
    timeout: Option<Timeout>,
    minimum: Duration,
    sigmask: Option<libc::sigset_t>,
}

impl Wait {
    /// Waits for as long as it takes; a signal does not end it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the wait after so long, counted from the call: then fewer completions may be there.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(Timeout::After(timeout)), ..self }
    }

    /// Ends the wait at a time of the ring's clock: then fewer completions may be there. Since 6.12.
    pub fn deadline(self, time: Duration) -> Self {
        Self { timeout: Some(Timeout::At(time)), ..self }
    }

    /// Waits for so long, counted in microseconds, for all completions that are asked for, and then for a single one:
    /// a batch where there are many, and no long wait where there are few. A time limit ends also this. Since 6.12.
    pub fn minimum(self, minimum: Duration) -> Self {
        Self { minimum, ..self }
    }

    /// Replaces the thread's signal mask while it waits, as `ppoll(2)` does, and ends the wait with `EINTR` when a
    /// signal comes.
    pub fn sigmask(self, mask: libc::sigset_t) -> Self {
        Self { sigmask: Some(mask), ..self }
    }

    pub(super) fn time(&self) -> Option<Timeout> {
        self.timeout
    }

    pub(super) fn minimum_usec(&self) -> u32 {
        u32::try_from(self.minimum.as_micros()).unwrap_or(u32::MAX)
    }

    pub(super) fn mask(&self) -> Option<&libc::sigset_t> {
        self.sigmask.as_ref()
    }

    pub(super) fn limits(&self, features: u32) -> Result<Limits<'_>> {
        let (deadline, time) = match self.timeout {
            // A deadline past what the clock can tell is none.
            Some(Timeout::After(timeout)) => (Instant::now().checked_add(timeout), None),
            Some(Timeout::At(time)) => (None, Some(time)),
            None => (None, None),
        };
        let newer = time.is_some() || !self.minimum.is_zero();
        if newer && features & IORING_FEAT_MIN_TIMEOUT == 0 {
            return Err(Error::unsupported(
                "io_uring_enter",
                "minimum waits and absolute times take Linux 6.12 or newer",
            ));
        }
        let minimum = self.minimum_usec();
        let minimum_over = if minimum == 0 { None } else { Instant::now().checked_add(self.minimum) };
        Ok(Limits { deadline, time, minimum, minimum_over, sigmask: self.mask(), ..Limits::default() })
    }
}

/// What to do after an enter.
enum Next {
    Again,
    Enough,
}

impl<S: Submission, C: Completion> Ring<S, C> {
    /// Submits what was pushed and waits until `nr` completions are there, or as many as the completion queue has
    /// places. One system call does both. In a ring of [mixed](crate::MixedCqe) completions it is places that are waited
    /// for: a large one counts as two.
    ///
    /// It waits for whatever posts completions to this ring, also for messages of other rings: with nothing in flight
    /// and nobody to send one, it waits for ever. A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` says; no request is lost by it. `EBADR`: the kernel itself lost
    /// completions for want of memory. [`Error::Forked`] in a forked child.
    #[inline]
    pub fn wait(&mut self, nr: usize) -> Result<Completions<'_, C>> {
        self.wait_for::<false>(nr)
    }

    /// As [`wait`](Self::wait), with all that a wait can have. When the time is up, fewer completions may be there.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); `EINTR` for a signal that a [mask](Wait::sigmask) lets in; `EOPNOTSUPP` for what this
    /// kernel's waits do not have.
    pub fn wait_with(&mut self, nr: usize, options: &Wait) -> Result<Completions<'_, C>> {
        let limits = options.limits(self.submit.core.features())?;
        self.wait_until::<false>(u32::try_from(nr).unwrap_or(u32::MAX), &limits)
    }

    /// As [`wait_with`](Self::wait_with), by what was [set](RegisteredWait::set) before (`IORING_ENTER_EXT_ARG_REG`,
    /// since 6.13).
    ///
    /// A timeout then costs half: a wait for a `Nop` takes 155 ns without one, 255 with one, and 200 with a registered
    /// one, measured under 6.18.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); `EINTR` for a signal that a [mask](Wait::sigmask) lets in; `EINVAL` for a wait that is
    /// registered with another ring.
    pub fn wait_registered(&mut self, nr: usize, wait: &RegisteredWait) -> Result<Completions<'_, C>> {
        self.submit.check()?;
        let limits = wait.limits(&self.submit.core)?;
        self.wait_until::<false>(u32::try_from(nr).unwrap_or(u32::MAX), &limits)
    }

    /// The usual wait: one enter submits everything and returns with what is wanted. Whatever is not as
    /// usual is left to [`wait_until`](Self::wait_until), which starts from what the rings say.
    ///
    /// `CAPPED`: each request completes once, and it is not waited for more than are in flight.
    ///
    /// It becomes part of the caller: as a call of its own it would cost a request alone in its batch a
    /// sixth of all its instructions.
    #[inline(always)]
    pub(crate) fn wait_for<const CAPPED: bool>(&mut self, nr: usize) -> Result<Completions<'_, C>> {
        if self.reap.is_usual() {
            if CAPPED {
                // What was taken without an iterator that would tell the kernel.
                self.reap.cq.publish();
            }
            let to_submit = self.submit.sq.publish();
            let taken = self.reap.cq.local_head();
            let most =
                if CAPPED { self.submit.sq.local_tail().wrapping_sub(taken) } else { self.reap.cq.entries() };
            // No more than 32 bits, as one of the two is.
            let wanted = nr.min(most as usize) as u32;
            if to_submit > 0 || self.reap.cq.tail().wrapping_sub(taken) < wanted {
                self.reap.enters += 1;
                match self.submit.core.enter(to_submit, wanted, self.reap.wait_flags) {
                    Ok(consumed) => {
                        let tail = self.reap.cq.tail();
                        if consumed == to_submit && tail.wrapping_sub(taken) >= wanted {
                            self.submit.sq.consumed_all();
                            return Ok(self.reap.iter_to(tail));
                        }
                    }
                    Err(error) => {
                        if let Next::Enough = self.recover(error, &Limits::default())? {
                            return Ok(self.reap.iter());
                        }
                    }
                }
            }
        }
        self.wait_until::<CAPPED>(u32::try_from(nr).unwrap_or(u32::MAX), &Limits::default())
    }

    pub(crate) fn wait_until<const CAPPED: bool>(
        &mut self,
        nr: u32,
        limits: &Limits<'_>,
    ) -> Result<Completions<'_, C>> {
        self.reap.check()?;
        self.reap.publish();
        loop {
            let to_submit = self.hand_over()?;
            let owed =
                if CAPPED { self.submit.sq.local_tail().wrapping_sub(self.reap.cq.local_head()) } else { nr };
            let wanted = nr.min(owed).min(self.reap.cq.entries());
            let enough = self.reap.cq.ready() >= wanted;
            if enough && to_submit == 0 {
                break;
            }
            if self.reap.lost && !enough {
                // What is missing may never come.
                if self.reap.cq.ready() > 0 {
                    break;
                }
                return Err(self.reap.lost_completions());
            }
            // A signal that comes after entries were consumed is not told, so with a mask they go first.
            let missing = if enough || (to_submit > 0 && limits.sigmask.is_some()) { 0 } else { wanted };
            self.reap.enters += 1;
            let entered = if missing > 0 {
                self.submit.core.enter_within(to_submit, missing, self.reap.wait_flags, limits)
            } else {
                self.submit.core.enter(to_submit, 0, self.submit.flush_flags())
            };
            match entered {
                Ok(0) if enough => break,
                Ok(consumed) => {
                    self.submit.consumed(consumed);
                    let ready = self.reap.cq.ready();
                    if consumed == to_submit
                        && (ready >= wanted || limits.are_reached(ready, &self.submit.core))
                    {
                        break;
                    }
                }
                Err(error) => {
                    if let Next::Enough = self.recover(error, limits)? {
                        break;
                    }
                }
            }
        }
        Ok(self.reap.iter())
    }

    /// Shows the kernel what was pushed, and returns how many entries the next enter is to submit: none, where a
    /// thread of the kernel's does so.
    fn hand_over(&mut self) -> Result<u32> {
        let to_submit = self.submit.publish();
        if !self.submit.is_polled {
            return Ok(to_submit);
        }
        self.submit.wake().map_err(Error::enter)?;
        Ok(0)
    }

    /// Decides after a failed enter: go on, return what there is, or fail.
    #[cold]
    fn recover(&mut self, error: io::Error, limits: &Limits<'_>) -> Result<Next> {
        match error.raw_os_error() {
            Some(libc::EINTR) if limits.sigmask.is_none() => Ok(Next::Again),
            Some(libc::ETIME) => Ok(Next::Enough),
            // No room for more requests: the completions that are there, or the next one, make some.
            Some(libc::EAGAIN | libc::EBUSY) if self.reap.cq.ready() > 0 => Ok(Next::Enough),
            Some(libc::EAGAIN | libc::EBUSY) if self.reap.counts && self.reap.in_flight() > 0 => {
                self.reap.enters += 1;
                match self.submit.core.enter_within(0, 1, IORING_ENTER_GETEVENTS, limits) {
                    Ok(_) => Ok(Next::Again),
                    Err(error) => match error.raw_os_error() {
                        Some(libc::EINTR) if limits.sigmask.is_none() => Ok(Next::Again),
                        Some(libc::EAGAIN | libc::EBUSY) => Ok(Next::Again),
                        Some(libc::ETIME) => Ok(Next::Enough),
                        _ => Err(self.reap.error(error)),
                    },
                }
            }
            _ => Err(self.reap.error(error)),
        }
    }
}

/// Waits in a half that submits nothing.
pub(super) fn wait_apart<'a, C: Completion>(
    reap: &'a mut Reap<C>,
    nr: usize,
    limits: &Limits<'_>,
) -> Result<Completions<'a, C>> {
    let wanted = u32::try_from(nr).unwrap_or(u32::MAX).min(reap.cq.entries());
    reap.check()?;
    loop {
        reap.publish();
        reap.flush().map_err(|error| reap.error(error))?;
        let ready = reap.cq.ready();
        if ready >= wanted || (reap.lost && ready > 0) {
            break;
        }
        if reap.lost {
            return Err(reap.lost_completions());
        }
        reap.enters += 1;
        match reap.core.enter_within(0, wanted, reap.wait_flags, limits) {
            Ok(_) if limits.are_reached(reap.cq.ready(), &reap.core) => break,
            Ok(_) => {}
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) if limits.sigmask.is_none() => {}
                Some(libc::EAGAIN | libc::EBUSY) => {}
                Some(libc::ETIME) => break,
                _ => return Err(reap.error(error)),
            },
        }
    }
    Ok(reap.iter())
}
