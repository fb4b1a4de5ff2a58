//! What a source is told.

use std::io;

/// Everything that a source has submitted is done; see [`Aio::poll_ready`](super::Aio::poll_ready).
#[derive(Clone, Debug)]
pub struct AioEvent {
    pub(super) token: u64,
    pub(super) generation: u64,
    /// Counts, or positive errnos, in the order in which the requests were added.
    pub(super) results: Vec<Result<u32, i32>>,
}

impl AioEvent {
    /// The source's.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Which submission of this source it is of, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How the only request went, or the first one.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn result(&self) -> io::Result<u32> {
        self.results().next().unwrap_or(Ok(0))
    }

    /// How each request went, in the order in which they were added.
    pub fn results(&self) -> impl ExactSizeIterator<Item = io::Result<u32>> + '_ {
        self.results.iter().map(|result| result.map_err(io::Error::from_raw_os_error))
    }
}
