//! The `u32` counters that the process and the kernel share.
//!
//! Ring indices run freely over all of `u32` and wrap; distances are taken with `wrapping_sub`, and only
//! the queue that owns a mask turns an index into a position.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::mapping::Mapping;

/// One shared counter or flag word.
///
/// Invariant: the pointer is aligned and lies inside a [`Mapping`] that outlives every copy of this
/// value (`Core` owns the mappings, and whoever holds an `Index` holds an `Arc<Core>` beside it).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index(NonNull<AtomicU32>);

// SAFETY: `Index` is a pointer to an atomic in memory that outlives it (the type's invariant); every
// access through it is atomic, so it may be used from any thread.
unsafe impl Send for Index {}
// SAFETY: as above; a shared `Index` does no more than an owned one.
unsafe impl Sync for Index {}

impl Index {
    /// Names the counter at `offset` bytes into `mapping`.
    ///
    /// # Safety
    ///
    /// The mapping outlives the index, and the kernel said that a counter lies at `offset`.
    pub(crate) unsafe fn new(mapping: &Mapping, offset: u32) -> Self {
        Self(mapping.at(offset).cast())
    }

    #[inline]
    fn atomic(&self) -> &AtomicU32 {
        // SAFETY: aligned and inside a live mapping, by the type's invariant; the kernel and the process
        // both treat the word as an atomic, so a shared reference to `AtomicU32` is the right view.
        unsafe { self.0.as_ref() }
    }

    /// Reads a counter that the kernel advances: whatever it wrote before it advanced the counter is
    /// seen after this. Pairs with the kernel's `smp_store_release`.
    #[inline]
    pub(crate) fn observe(&self) -> u32 {
        self.atomic().load(Ordering::Acquire)
    }

    /// Reads a word that orders nothing: flags, or a counter that only this side writes.
    #[inline]
    pub(crate) fn peek(&self) -> u32 {
        self.atomic().load(Ordering::Relaxed)
    }

    /// Advances a counter of ours: the kernel sees every earlier access of ours as done once it sees
    /// `value`. Pairs with the kernel's `smp_load_acquire`.
    #[inline]
    pub(crate) fn publish(&self, value: u32) {
        self.atomic().store(value, Ordering::Release);
    }
}
