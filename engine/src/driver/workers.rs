//! Threads for callbacks.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// A bounded queue between I/O threads and the threads that do what they push.
pub(super) struct Workers<W> {
    state: Mutex<State<W>>,
    /// There is work, or the end.
    work: Condvar,
    /// There is room.
    room: Condvar,
    bound: usize,
}

struct State<W> {
    queue: VecDeque<W>,
    producers: usize,
}

impl<W> Workers<W> {
    /// Makes the queue, with room for `bound`; it is open for as long as there are [producers](Producer).
    pub(super) fn new(bound: usize) -> Arc<Self> {
        let state = State { queue: VecDeque::new(), producers: 0 };
        Arc::new(Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            bound: bound.max(1),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Each statement under this lock leaves it whole.
        lock(&self.state)
    }

    /// Does what comes, until there are no more producers and nothing is left.
    pub(super) fn work(&self, each: impl Fn(W)) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                self.room.notify_one();
                each(work);
                state = self.lock();
            } else if state.producers == 0 {
                return;
            } else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// The end of the queue where work goes in.
pub(super) struct Producer<W>(Arc<Workers<W>>);

impl<W> Producer<W> {
    pub(super) fn new(workers: Arc<Workers<W>>) -> Self {
        workers.lock().producers += 1;
        Self(workers)
    }

    /// Hands work over, and waits for room before that.
    pub(super) fn push(&self, work: W) {
        let Workers { room, bound, .. } = &*self.0;
        let mut state = self.0.lock();
        while state.queue.len() >= *bound {
            state = room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.queue.push_back(work);
        drop(state);
        self.0.work.notify_one();
    }
}

impl<W> Drop for Producer<W> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.producers -= 1;
        let last = state.producers == 0;
        drop(state);
        if last {
            self.0.work.notify_all();
        }
    }
}
