//! The half of a split context that takes completions.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::completion::{Completion, Completions};
use crate::error::Result;
use crate::stats::Stats;

/// The taking half of a context that was [split](crate::AioContext::split).
///
/// Its `wait` sleeps while nothing is in flight, because the [`Submitter`](crate::Submitter) may submit at any moment;
/// it submits nothing itself. When the submitter is gone, the context's rule holds: with nothing in flight the iterator is
/// empty at once.
pub struct Completer {
    pub(crate) completion: Completion,
}

assert_impl_all!(Completer: Send);
assert_not_impl_any!(Completer: Sync, Clone);
assert_not_impl_any!(Completions<'static>: Sync, Clone);

impl Completer {
    pub(crate) fn new(completion: Completion) -> Self {
        Self { completion }
    }

    /// Waits until at least one completion is there, or the submitter is gone and nothing in flight.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`](crate::Error::Forked), and what the kernel has against waiting.
    pub fn wait(&mut self) -> Result<Completions<'_>> {
        self.completion.wait_for_other(1, None)
    }

    /// Waits for `nr` completions, or for as many as are in flight if they are fewer, but at least one.
    ///
    /// # Errors
    ///
    /// As of [`wait`](Self::wait).
    pub fn wait_nr(&mut self, nr: usize) -> Result<Completions<'_>> {
        self.completion.wait_for_other(nr, None)
    }

    /// Waits as [`wait`](Self::wait) does, but no longer than `timeout`: then the iterator is empty.
    ///
    /// # Errors
    ///
    /// As of [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Completions<'_>> {
        self.completion.wait_for_other(1, Some(timeout))
    }

    /// Returns the completions that are there.
    ///
    /// # Errors
    ///
    /// As of [`wait`](Self::wait).
    pub fn completions(&mut self) -> Result<Completions<'_>> {
        self.completion.completions()
    }

    /// Returns how many requests are accepted and their completions not yet taken. The other half may be submitting more.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.completion.shared().in_flight()
    }

    /// Returns what both halves have done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.completion.shared().stats()
    }
}

/// As of [`AioContext`](crate::AioContext#impl-AsFd-for-AioContext): readable while completions wait, and when the submitter goes.
impl AsFd for Completer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.completion.shared().eventfd.as_fd()
    }
}

/// As [`as_fd`](AsFd::as_fd).
impl AsRawFd for Completer {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Completer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completer").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}
