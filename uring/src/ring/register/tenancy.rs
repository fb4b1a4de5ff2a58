//! Whose buffers are registered, where they own their memory.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who has the table of buffers: what a ring and the owners of its buffers share, and what outlives either.
///
/// An owner does not keep its ring: whoever drops a ring waits until the kernel has freed it, which must not be left to
/// somebody else. It may hold the ring while it has this locked; and since the end of a ring locks this before it lets
/// go, it is the last that does.
#[derive(Debug, Default)]
pub(crate) struct Tenancy(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ring: Life,
    /// The owner of what is registered; 0 if it owns nothing, or if nothing is registered.
    pub(super) tenant: u64,
    /// The last that there was. Names are never used again.
    last: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Life {
    #[default]
    Goes,
    /// The kernel uses no memory any more.
    Over,
    /// The kernel may use memory at any time.
    Leaked,
}

impl Tenancy {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the ring has ended, and waits until no owner holds it.
    pub(crate) fn end(&self, leaked: bool) {
        self.lock().ring = if leaked { Life::Leaked } else { Life::Over };
    }

    /// Whether the kernel has let go of all memory.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.lock().ring, Life::Over)
    }
}

impl State {
    pub(super) fn occupy(&mut self) -> u64 {
        self.last += 1;
        self.tenant = self.last;
        self.tenant
    }

    pub(super) fn vacate(&mut self) {
        self.tenant = 0;
    }
}

/// Memory that could not be unregistered, and that lives as long as the ring.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Vec<Box<dyn Send>>>);

impl Kept {
    pub(super) fn keep(&self, memory: impl Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(memory));
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}
