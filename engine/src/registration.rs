//! What is registered with a ring, and with which.

use std::sync::atomic::{AtomicU64, Ordering};

/// Names one ring for as long as the process lives, so that an index is never used with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RingId(u64);

impl RingId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// An index in a table of registered files or buffers of one ring.
///
/// Back ends that are not this ring take the plain descriptor or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Registration {
    ring: RingId,
    index: u32,
}

impl Registration {
    pub(crate) fn new(ring: RingId, index: u32) -> Self {
        Self { ring, index }
    }

    /// The index, for the ring that it is of.
    #[inline]
    pub(crate) fn index_in(self, ring: RingId) -> Option<u32> {
        (self.ring == ring).then_some(self.index)
    }
}
