//! The primitives that the model checker's stand in for when the crate is built for it (`--cfg loom`).

use std::sync::PoisonError;

#[cfg(loom)]
use loom::sync as primitives;
#[cfg(not(loom))]
use std::sync as primitives;

#[cfg(any(feature = "tokio", loom))]
pub(crate) use self::primitives::atomic::{AtomicBool, Ordering};
pub(crate) use self::primitives::{Condvar, Mutex, MutexGuard};

/// Locks. What these locks guard is whole between any two statements, so a panic of somebody else's code under one of them
/// spoils nothing.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
