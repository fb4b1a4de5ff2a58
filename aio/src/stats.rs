//! What a context has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a context has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// System calls: to submit, to cancel, to wait, and to keep the eventfd true.
    pub enters: u64,
    /// Requests that were accepted; each has its completion.
    pub submitted: u64,
    /// Completions that were taken.
    pub completed: u64,
}

/// The system calls of one half, on a cache line that the other half does not write.
///
/// Invariant: that half alone writes it, so load and store make an addition.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Calls(AtomicU64);

impl Calls {
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get() + n, Ordering::Relaxed);
    }
}
