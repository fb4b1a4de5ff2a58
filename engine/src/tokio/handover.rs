//! How a result passes from the engine to the future that waits for it.

use std::task::Waker;

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// Tells one side that the other one is done, once, and wakes it.
///
/// Everything that was done before [`finish`](Self::finish) is visible after [`poll`](Self::poll) or
/// [`is_done`](Self::is_done) has said `true`.
#[derive(Debug)]
pub(super) struct Handover {
    done: AtomicBool,
    /// Of the last poll.
    waker: Mutex<Option<Waker>>,
}

impl Handover {
    /// Begins with whom to wake.
    pub(super) fn new(waker: Waker) -> Self {
        Self { done: AtomicBool::new(false), waker: Mutex::new(Some(waker)) }
    }

    /// Says that it is done, and returns whom to wake: by the caller, when it holds no lock.
    #[must_use = "somebody waits"]
    pub(super) fn finish(&self) -> Option<Waker> {
        let mut waker = lock(&self.waker);
        // Under the lock: a poll that has missed it has left its waker before, or looks again afterwards.
        self.done.store(true, Ordering::Release);
        waker.take()
    }

    /// Whether it is done; if not, this waker and none before it will be woken.
    pub(super) fn poll(&self, waker: &Waker) -> bool {
        if self.is_done() {
            return true;
        }
        let mut kept = lock(&self.waker);
        if self.is_done() {
            return true;
        }
        match &mut *kept {
            Some(kept) => kept.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        false
    }

    /// Whether it is done.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}
