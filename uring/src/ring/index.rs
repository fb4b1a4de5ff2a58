//! The `u32` counters that the process and the kernel share.
//!
//! Ring indices run freely over all of `u32` and wrap; distances are taken with `wrapping_sub`, and only
//! the queue that owns a mask turns an index into a position.
//!
//! Every ordering that the two queues need is here, and `models` shows that none of them may be weaker.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;
#[cfg(not(all(test, loom)))]
use std::sync::atomic::{AtomicU32, fence};

use super::mapping::Mapping;
#[cfg(all(test, loom))]
use super::models::{AtomicU32, fence};

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

    /// Reads a word that orders nothing: flags, a counter that only this side writes, or one that is only counted by.
    #[inline]
    pub(crate) fn peek(&self) -> u32 {
        self.atomic().load(Ordering::Relaxed)
    }

    /// Reads flags that the kernel writes before it looks once more at what was [published](Self::publish) before
    /// this call: with a full fence between the two on either side, one sees the other. Pairs with the kernel's
    /// `smp_mb__after_atomic`.
    #[inline]
    pub(crate) fn peek_fenced(&self) -> u32 {
        fence(Ordering::SeqCst);
        self.peek()
    }

    /// Writes a word that orders nothing: flags of ours, or a counter that the kernel does not look at by itself.
    #[inline]
    pub(crate) fn set(&self, value: u32) {
        self.atomic().store(value, Ordering::Relaxed);
    }

    /// Advances a counter of ours: the kernel sees every earlier access of ours as done once it sees
    /// `value`. Pairs with the kernel's `smp_load_acquire`.
    #[inline]
    pub(crate) fn publish(&self, value: u32) {
        self.atomic().store(value, Ordering::Release);
    }
}
