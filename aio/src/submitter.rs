//! The half of a split context that adds and submits.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use libc::{c_short, iovec};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::UserData;
use crate::completer::Completer;
use crate::context::AioContext;
use crate::error::{Rejected, Result};
use crate::queued::Queued;
use crate::requests::impl_requests;
use crate::shared::Shared;
use crate::stats::Stats;
use crate::submission::Submission;

/// The submitting half of a context that was [split](AioContext::split).
///
/// Its methods are those of [`AioContext`], and so is [the contract](AioContext#safety) of the `unsafe` ones. Dropping it
/// lets the [`Completer`] know that no more comes; what is only queued is never done.
pub struct Submitter {
    submission: Submission,
    presence: Presence,
}

assert_impl_all!(Submitter: Send);
assert_not_impl_any!(Submitter: Sync, Clone);

/// Lets the other half know when this one is gone; empty when the halves are joined.
struct Presence(Option<Arc<Shared>>);

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.close();
        }
    }
}

impl_requests!(Submitter);

impl Submitter {
    pub(crate) fn new(submission: Submission) -> Self {
        let presence = Presence(Some(Arc::clone(submission.shared())));
        Self { submission, presence }
    }

    /// Makes one context of the two halves again.
    ///
    /// # Errors
    ///
    /// Both halves, if they are not of the same context.
    #[expect(clippy::result_large_err, reason = "the halves go back to whoever still needs them")]
    pub fn reunite(mut self, completer: Completer) -> Result<AioContext, (Self, Completer)> {
        if !Arc::ptr_eq(self.submission.shared(), completer.completion.shared()) {
            return Err((self, completer));
        }
        self.presence.0 = None;
        Ok(AioContext { submission: self.submission, completion: completer.completion })
    }

    /// Hands the queue to the kernel; see [`AioContext::submit`].
    ///
    /// # Errors
    ///
    /// As of [`AioContext::submit`].
    #[inline]
    pub fn submit(&mut self) -> Result<usize> {
        self.submission.shared().handle.check()?;
        self.submission.submit()
    }

    /// Returns how many requests are queued and not yet accepted.
    #[inline]
    #[must_use]
    pub fn queued(&self) -> usize {
        self.submission.queued()
    }

    /// Returns how many requests can be added now. It grows when the other half takes completions.
    #[inline]
    #[must_use]
    pub fn space(&self) -> usize {
        self.submission.space()
    }

    /// Returns what both halves have done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.submission.shared().stats()
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("queued", &self.queued())
            .field("space", &self.space())
            .finish_non_exhaustive()
    }
}
