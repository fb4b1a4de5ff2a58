//! What a driver has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one driver since it was made; each wraps at 2⁶⁴.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Operations that were accepted.
    pub submitted: u64,
    /// Operations that are over; their callbacks have been called, or are about to be.
    pub completed: u64,
    /// Requests that the engines were given: less than operations, where they were merged.
    pub requests: u64,
    /// Operations that went into a request with others.
    pub merged: u64,
    /// Operations that had to be run again by themselves because what they were merged to failed or ended before them.
    pub reruns: u64,
    /// Callbacks that panicked.
    pub panics: u64,
}

/// The same as they are counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) completed: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) merged: AtomicU64,
    pub(super) reruns: AtomicU64,
    pub(super) panics: AtomicU64,
}

impl Counts {
    pub(super) fn stats(&self, submitted: u64) -> Stats {
        Stats {
            submitted,
            completed: self.completed.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            merged: self.merged.load(Ordering::Relaxed),
            reruns: self.reruns.load(Ordering::Relaxed),
            panics: self.panics.load(Ordering::Relaxed),
        }
    }
}
