//! The two halves of a context, for two threads.

use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use static_assertions::{assert_impl_all, assert_not_impl_any};
use uring_sys::IORING_ENTER_GETEVENTS;

use super::URingContext;
use super::completions::Completions;
use super::ops::impl_ops;
use super::queue::{Queue, Queued, Slots};
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Sqe, SqeFlags, Target};
use crate::error::{Error, Rejected, Result};
use crate::op;
use crate::ring::enter::poll;
use crate::ring::split::{CompletionQueue, SubmissionQueue};
use crate::ring::submit::Submit;
use crate::stats::Stats;

/// What the halves know of each other.
#[derive(Debug)]
struct Shared {
    /// Set before `hangup` is written.
    submitter_is_gone: AtomicBool,
    /// An eventfd that wakes a completer with nothing to wait for.
    hangup: File,
}

pub(super) fn split(whole: URingContext) -> Result<(Submitter, Completer)> {
    whole.ring.submit.check()?;
    // Still whole: an error drops it as a context.
    let hangup = eventfd().map_err(|error| Error::kernel("eventfd", error, ""))?;
    let shared = Arc::new(Shared { submitter_is_gone: AtomicBool::new(false), hangup });
    let URingContext { ring, slots } = whole;
    let (submissions, completions) = ring.split()?;
    Ok((
        Submitter { half: ManuallyDrop::new(submissions), slots, shared: shared.clone() },
        Completer { half: completions, shared },
    ))
}

fn eventfd() -> io::Result<File> {
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made the descriptor, and nobody else knows of it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// The half of a context that adds and submits; see [`URingContext::split`].
///
/// The [contract](URingContext#contract) is that of the whole. Dropping it tells the [`Completer`], whose
/// wait ends when nothing is in flight any more, so what never completes by itself has to be cancelled
/// before; requests that were not submitted are forgotten. The second of the halves to be dropped waits until
/// the kernel is done with all memory.
#[derive(Debug)]
pub struct Submitter {
    /// Taken once, by `drop` or `reunite`.
    half: ManuallyDrop<SubmissionQueue>,
    /// What entries that the kernel has consumed point to may go at any time (`IORING_FEAT_SUBMIT_STABLE`), and a
    /// half that is dropped forgets the others.
    slots: Slots,
    shared: Arc<Shared>,
}

impl_ops!(Submitter);

impl Submitter {
    #[inline]
    fn queue(&mut self) -> Queue<'_> {
        Queue { submit: &mut self.half.submit, slots: &mut self.slots }
    }

    #[inline]
    fn half(&self) -> &Submit<Sqe> {
        &self.half.submit
    }

    /// Makes the context whole again.
    ///
    /// # Errors
    ///
    /// Gives both back if they are not halves of one context.
    #[expect(clippy::result_large_err, reason = "both halves come back, on a path that is never hot")]
    pub fn reunite(self, completer: Completer) -> Result<URingContext, (Self, Completer)> {
        if !self.half.is_half_of(&completer.half) {
            return Err((self, completer));
        }
        let submitter = ManuallyDrop::new(self);
        // SAFETY: `submitter` is not used or dropped again, so each field is moved out once.
        let half = unsafe { ptr::read(&raw const submitter.half) };
        // SAFETY: as above.
        let slots = unsafe { ptr::read(&raw const submitter.slots) };
        // SAFETY: as above.
        drop(unsafe { ptr::read(&raw const submitter.shared) });
        let ring = ManuallyDrop::into_inner(half).reunite(completer.half);
        Ok(URingContext { ring: ring.expect("both are halves of one ring, as was just seen"), slots })
    }

    /// What this half has done so far; it completes nothing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.half().check().is_err() {
            return Stats::default();
        }
        Stats { enters: self.half().enters, submitted: self.half().sq.consumed(), completed: 0 }
    }
}

impl Drop for Submitter {
    fn drop(&mut self) {
        let is_forked = self.half().check().is_err();
        // SAFETY: taken once, here: `reunite` never drops a half.
        drop(unsafe { ManuallyDrop::take(&mut self.half) });
        if is_forked {
            // The other half and its eventfd are the parent's.
            return;
        }
        self.shared.submitter_is_gone.store(true, Ordering::Release);
        // Eight bytes always fit the empty counter.
        let _ = (&self.shared.hangup).write(&1u64.to_ne_bytes());
    }
}

/// The half of a context that takes completions; see [`URingContext::split`].
#[derive(Debug)]
pub struct Completer {
    half: CompletionQueue,
    shared: Arc<Shared>,
}

impl Completer {
    /// Waits until at least one completion is there.
    ///
    /// With nothing in flight it sleeps until the other half submits something; once that half is gone,
    /// it returns an empty iterator when nothing is in flight. A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// As [`URingContext::wait`].
    pub fn wait(&mut self) -> Result<Completions<'_>> {
        self.wait_until(1, None)
    }

    /// As [`wait`](Self::wait) for `nr` completions, or as many as are in flight or fit the completion
    /// ring, whichever is least.
    ///
    /// # Errors
    ///
    /// As [`URingContext::wait`].
    pub fn wait_nr(&mut self, nr: usize) -> Result<Completions<'_>> {
        self.wait_until(u32::try_from(nr).unwrap_or(u32::MAX), None)
    }

    /// As [`wait`](Self::wait) for `timeout` at the most, counted from the call; then the iterator may be
    /// empty.
    ///
    /// # Errors
    ///
    /// As [`URingContext::wait`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Completions<'_>> {
        self.wait_until(1, Instant::now().checked_add(timeout))
    }

    /// Returns the completions that are there, without waiting.
    ///
    /// # Errors
    ///
    /// As [`URingContext::wait`].
    pub fn completions(&mut self) -> Result<Completions<'_>> {
        self.half.completions().map(Completions)
    }

    fn wait_until(&mut self, nr: u32, deadline: Option<Instant>) -> Result<Completions<'_>> {
        self.half.reap.check()?;
        loop {
            self.half.reap.publish();
            self.half.reap.flush().map_err(|error| self.half.reap.error(error))?;
            // Looked at before what is in flight: nothing is added after it.
            let is_last = self.shared.submitter_is_gone.load(Ordering::Acquire);
            let ready = self.half.reap.cq.ready();
            let wanted = nr.min(self.half.reap.cq.entries()).min(self.half.reap.in_flight().max(1));
            let waited = if ready >= wanted {
                break;
            } else if self.half.reap.lost {
                if ready > 0 {
                    break;
                }
                return Err(self.half.reap.lost_completions());
            } else if self.half.reap.in_flight() > 0 {
                self.enter(wanted, deadline)
            } else if is_last {
                break;
            } else {
                self.sleep(deadline)
            };
            if let Err(error) = waited {
                match error.raw_os_error() {
                    Some(libc::EINTR | libc::EAGAIN | libc::EBUSY) => {}
                    Some(libc::ETIME) => break,
                    _ => return Err(self.half.reap.error(error)),
                }
            }
        }
        Ok(Completions(self.half.reap.iter()))
    }

    /// Waits for completions of what is in flight.
    fn enter(&mut self, wanted: u32, deadline: Option<Instant>) -> io::Result<()> {
        self.half.reap.enters += 1;
        let entered = match deadline {
            Some(deadline) => self.half.reap.core.enter_until(0, wanted, deadline),
            None => self.half.reap.core.enter(0, wanted, IORING_ENTER_GETEVENTS),
        };
        entered.map(drop)
    }

    /// Waits for the other half to do something.
    fn sleep(&self, deadline: Option<Instant>) -> io::Result<()> {
        let readable = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let ring = readable(self.half.reap.core.as_fd().as_raw_fd());
        let hangup = readable(self.shared.hangup.as_raw_fd());
        match poll(&mut [ring, hangup], deadline)? {
            0 => Err(io::Error::from_raw_os_error(libc::ETIME)),
            _ => Ok(()),
        }
    }

    /// Requests that the kernel has accepted and whose completions have not been taken.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        if self.half.reap.is_forked() { 0 } else { self.half.reap.in_flight() as usize }
    }

    /// What this half has done so far; it submits nothing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.half.reap.is_forked() {
            return Stats::default();
        }
        Stats { enters: self.half.reap.enters, submitted: 0, completed: self.half.reap.cq.taken() }
    }
}

assert_impl_all!(Submitter: Send);
assert_not_impl_any!(Submitter: Sync);
assert_impl_all!(Completer: Send);
assert_not_impl_any!(Completer: Sync);

/// The descriptor of the ring is readable while completions wait.
impl AsFd for Completer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.half.reap.core.as_fd()
    }
}

impl AsRawFd for Completer {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
