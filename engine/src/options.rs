//! What can be chosen when an engine is made.

use std::io;

use crate::backend::{AnyBackend, BackendKind, Threads};
use crate::engine::Engine;
use crate::operation::Operation;

/// Options of an [`Engine`].
///
/// ```
/// use engine::{BackendKind, Options};
///
/// let options = Options::new(64).only(BackendKind::Threads).threads(2);
/// let engine = options.build::<engine::operation::Never>()?;
/// assert_eq!(engine.backend().kind(), BackendKind::Threads);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) depth: usize,
    only: Option<BackendKind>,
    pub(crate) threads: usize,
    pub(crate) bounce: bool,
    pub(crate) offload_buffered: bool,
}

/// Most operations in flight: what a ring takes.
const MOST: usize = 32768;

/// From the best.
const ALL: [BackendKind; 3] = [BackendKind::Uring, BackendKind::Aio, BackendKind::Threads];

impl Options {
    /// Asks for room for `depth` operations in flight, 1 to 32768.
    pub fn new(depth: usize) -> Self {
        Self { depth, only: None, threads: Threads::USUAL, bounce: false, offload_buffered: false }
    }

    /// Takes this back end or none. Without it the first one of io_uring, kernel AIO and threads is taken that is there and
    /// allowed.
    pub fn only(mut self, kind: BackendKind) -> Self {
        self.only = Some(kind);
        self
    }

    /// Leaves reads and writes through the page cache to threads where the back end is kernel AIO, which does them within the call
    /// that submits them: for callers that must not be kept from other things meanwhile. A read that is in the cache takes
    /// several times as long then.
    pub fn offload_buffered(mut self, offload: bool) -> Self {
        self.offload_buffered = offload;
        self
    }

    /// Lets the back end of threads, and what is left to threads, have up to this many; 8 if nobody says.
    pub fn threads(mut self, most: usize) -> Self {
        self.threads = most;
        self
    }

    /// Makes unaligned operations on files that were opened with `O_DIRECT` work, by a copy through aligned memory, where
    /// they would fail with `EINVAL`; [`Stats::bounces`](crate::Stats::bounces) counts them.
    ///
    /// It is for operations that the engine owns, not for [scopes](Engine::scope). An unaligned write reads the blocks at its
    /// ends and writes them back; those of one engine wait for each other, but what somebody else writes to the same blocks
    /// meanwhile may get lost. A file that it ends is cut back to the right length afterwards.
    pub fn bounce(mut self, bounce: bool) -> Self {
        self.bounce = bounce;
        self
    }

    pub(crate) fn backends(&self) -> &[BackendKind] {
        match self.only {
            None => &ALL,
            Some(BackendKind::Uring) => &ALL[..1],
            Some(BackendKind::Aio) => &ALL[1..2],
            Some(BackendKind::Threads) => &ALL[2..],
        }
    }

    /// Makes an engine for operations of one type.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a depth out of range; what the back end says that was asked for; where none is to be had, the reasons against
    /// each.
    pub fn build<T: Operation>(&self) -> io::Result<Engine<T>> {
        self.check()?;
        let (backend, choice) = AnyBackend::new(self)?;
        Ok(Engine::with_parts(backend, choice, self))
    }

    pub(crate) fn check(&self) -> io::Result<()> {
        if (1..=MOST).contains(&self.depth) {
            return Ok(());
        }
        let text = format!("a depth of {}: an engine has room for 1 to {MOST} operations", self.depth);
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}
