//! The two halves of a ring, for two threads.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use static_assertions::{assert_impl_all, assert_not_impl_any};

use super::Ring;
use super::reap::{Completions, Reap};
use super::register::{RegisteredWait, Registrar};
use super::submit::Submit;
use super::teardown::teardown;
use super::wait::{Wait, wait_apart};
use crate::entry::{Completion, Cqe, Sqe, Submission};
use crate::error::{PushError, Result};

/// What a dropped half leaves to the other one, which then has a whole ring to take down.
#[derive(Debug)]
struct Left<S: Submission, C: Completion> {
    submit: Option<Submit<S>>,
    reap: Option<Reap<C>>,
}

type Shared<S, C> = Arc<Mutex<Left<S, C>>>;

/// Leaves a half, and ends the ring if both are there.
fn leave<S: Submission, C: Completion>(shared: &Shared<S, C>, half: impl FnOnce(&mut Left<S, C>)) {
    let mut left = shared.lock().unwrap_or_else(PoisonError::into_inner);
    half(&mut left);
    let Left { submit, reap } = &mut *left;
    if let (Some(submit), Some(reap)) = (submit, reap) {
        teardown(submit, reap);
        *left = Left { submit: None, reap: None };
    }
}

pub(super) fn split<S: Submission, C: Completion>(
    whole: Ring<S, C>,
) -> (SubmissionQueue<S, C>, CompletionQueue<S, C>) {
    let shared = Arc::new(Mutex::new(Left { submit: None, reap: None }));
    let (submit, reap) = whole.into_halves();
    (
        SubmissionQueue { submit: ManuallyDrop::new(submit), shared: shared.clone() },
        CompletionQueue { reap: ManuallyDrop::new(reap), shared },
    )
}

/// The half of a ring that submits; see [`Ring::split`].
///
/// The second of the halves to be dropped does what dropping a ring does.
#[derive(Debug)]
pub struct SubmissionQueue<S: Submission = Sqe, C: Completion = Cqe> {
    /// Taken once, by `drop` or `reunite`.
    pub(crate) submit: ManuallyDrop<Submit<S>>,
    shared: Shared<S, C>,
}

impl<S: Submission, C: Completion> SubmissionQueue<S, C> {
    /// As [`Ring::push`].
    ///
    /// # Errors
    ///
    /// As [`Ring::push`].
    #[inline]
    pub fn push(&mut self, request: impl Into<S>) -> Result<(), PushError<S>> {
        self.submit.push(request.into())
    }

    /// As [`Ring::space`].
    #[must_use]
    pub fn space(&self) -> usize {
        if self.submit.check().is_err() { 0 } else { self.submit.sq.room() as usize }
    }

    /// As [`Ring::submit`].
    ///
    /// # Errors
    ///
    /// As [`Ring::submit`].
    pub fn submit(&mut self) -> Result<usize> {
        self.submit.submit()
    }

    /// As [`Ring::wait_for_space`].
    ///
    /// # Errors
    ///
    /// As [`Ring::wait_for_space`].
    pub fn wait_for_space(&mut self) -> Result<()> {
        self.submit.wait_for_room()
    }

    /// As [`Ring::registrar`].
    #[must_use]
    pub fn registrar(&self) -> Registrar<'_> {
        Registrar::new(&self.submit.core)
    }

    /// Makes the ring whole again.
    ///
    /// # Errors
    ///
    /// Gives both back if they are not halves of one ring.
    #[expect(clippy::result_large_err, reason = "both halves come back, on a path that is never hot")]
    pub fn reunite(
        self,
        completions: CompletionQueue<S, C>,
    ) -> Result<Ring<S, C>, (Self, CompletionQueue<S, C>)> {
        if !Arc::ptr_eq(&self.shared, &completions.shared) {
            return Err((self, completions));
        }
        let (submissions, completions) = (ManuallyDrop::new(self), ManuallyDrop::new(completions));
        // SAFETY: neither half is used or dropped again, so each field is moved out once.
        let submit = unsafe { ptr::read(&raw const submissions.submit) };
        // SAFETY: as above.
        let reap = unsafe { ptr::read(&raw const completions.reap) };
        // SAFETY: as above.
        drop(unsafe { ptr::read(&raw const submissions.shared) });
        // SAFETY: as above.
        drop(unsafe { ptr::read(&raw const completions.shared) });
        Ok(Ring { submit: ManuallyDrop::into_inner(submit), reap: ManuallyDrop::into_inner(reap) })
    }

    /// Whether both are halves of one ring.
    #[must_use]
    pub fn is_half_of(&self, completions: &CompletionQueue<S, C>) -> bool {
        Arc::ptr_eq(&self.shared, &completions.shared)
    }
}

impl<S: Submission, C: Completion> Drop for SubmissionQueue<S, C> {
    fn drop(&mut self) {
        // SAFETY: taken once, here: `reunite` never drops a half.
        let submit = unsafe { ManuallyDrop::take(&mut self.submit) };
        if submit.check().is_ok() {
            // In a forked child the other half and its lock are the parent's.
            submit.core.leave_thread();
            leave(&self.shared, |left| left.submit = Some(submit));
        }
    }
}

/// The half of a ring that takes completions; see [`Ring::split`].
#[derive(Debug)]
pub struct CompletionQueue<S: Submission = Sqe, C: Completion = Cqe> {
    /// Taken once, by `drop` or `reunite`.
    pub(crate) reap: ManuallyDrop<Reap<C>>,
    shared: Shared<S, C>,
}

impl<S: Submission, C: Completion> CompletionQueue<S, C> {
    /// Waits until `nr` completions are there, or as many as the queue has places.
    ///
    /// # Errors
    ///
    /// As [`Ring::wait`].
    pub fn wait(&mut self, nr: usize) -> Result<Completions<'_, C>> {
        self.wait_with(nr, &Wait::new())
    }

    /// As [`wait`](Self::wait), with all that a wait can have.
    ///
    /// # Errors
    ///
    /// As [`Ring::wait_with`].
    pub fn wait_with(&mut self, nr: usize, options: &Wait) -> Result<Completions<'_, C>> {
        let limits = options.limits(self.reap.core.features())?;
        wait_apart(&mut self.reap, nr, &limits)
    }

    /// As [`wait_with`](Self::wait_with), by what was [set](RegisteredWait::set) before.
    ///
    /// # Errors
    ///
    /// As [`Ring::wait_registered`].
    pub fn wait_registered(&mut self, nr: usize, wait: &RegisteredWait) -> Result<Completions<'_, C>> {
        self.reap.check()?;
        let limits = wait.limits(&self.reap.core)?;
        wait_apart(&mut self.reap, nr, &limits)
    }

    /// As [`Ring::completions`].
    ///
    /// # Errors
    ///
    /// As [`Ring::completions`].
    pub fn completions(&mut self) -> Result<Completions<'_, C>> {
        self.reap.completions()
    }

    /// As [`Ring::next_completion`].
    #[inline]
    pub fn next_completion(&mut self) -> Option<C> {
        self.reap.next_completion().inspect(|_| self.reap.publish())
    }

    /// As [`Ring::peek`].
    ///
    /// # Errors
    ///
    /// As [`Ring::peek`].
    pub fn peek(&mut self) -> Result<Option<C>> {
        self.reap.peek()
    }
}

impl<S: Submission, C: Completion> Drop for CompletionQueue<S, C> {
    fn drop(&mut self) {
        // SAFETY: taken once, here: `reunite` never drops a half.
        let reap = unsafe { ManuallyDrop::take(&mut self.reap) };
        if !reap.is_forked() {
            reap.core.leave_thread();
            leave(&self.shared, |left| left.reap = Some(reap));
        }
    }
}

assert_impl_all!(SubmissionQueue: Send);
assert_not_impl_any!(SubmissionQueue: Sync);
assert_impl_all!(CompletionQueue: Send);
assert_not_impl_any!(CompletionQueue: Sync);

/// The descriptor of the ring is readable while completions wait.
impl<S: Submission, C: Completion> AsFd for CompletionQueue<S, C> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reap.core.as_fd()
    }
}

impl<S: Submission, C: Completion> AsRawFd for CompletionQueue<S, C> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
