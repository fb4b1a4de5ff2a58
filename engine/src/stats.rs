//! What an engine has done so far.

/// Counters of one engine since it was made; each wraps at 2⁶⁴.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Operations that were accepted.
    pub submitted: u64,
    /// Operations whose completions were handed out.
    pub completed: u64,
    /// Operations accepted and not handed out yet.
    pub in_flight: usize,
    /// Requests that were made again because the kernel was interrupted or said to try again.
    pub retries: u64,
    /// Requests that transferred a part, so that another one had to follow.
    pub short_transfers: u64,
    /// Operations that were copied through aligned memory.
    pub bounces: u64,
    /// Operations that were carried out in another way than the first that was tried, such as zeroes that were written.
    pub fallbacks: u64,
}
