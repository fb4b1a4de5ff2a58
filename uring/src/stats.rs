//! What a context has done so far.

/// Counters of one context since it was made; each wraps at 2⁶⁴.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// System calls made to submit and to wait.
    pub enters: u64,
    /// Requests that the kernel has accepted.
    pub submitted: u64,
    /// Completions that have been taken.
    pub completed: u64,
}
