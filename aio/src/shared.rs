//! What the two halves of a context share.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::eventfd::EventFd;
use crate::handle::Handle;
use crate::row::Row;
use crate::slot::Slots;
use crate::spsc::Queue;
use crate::stats::{Calls, Stats};

/// The order of the fields is part of soundness: `handle` is dropped first and waits until the kernel is done
/// with every request; only then the iocbs go.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) handle: Handle,
    pub(crate) slots: Slots,
    /// The slots that nobody uses and those that are queued, and the count of all that was accepted and completed.
    pub(crate) row: Row,
    /// Completions that the kernel knows nothing of, the other way: see [`Local`].
    pub(crate) local: Queue,
    pub(crate) eventfd: EventFd,
    /// The system calls of the submitting half.
    pub(crate) submitting: Calls,
    /// Those of the reaping half.
    pub(crate) reaping: Calls,
    /// An event alone does not tell all: there are polls, or requests that do not signal the eventfd. Set once
    /// and for all, before the first of them is in flight.
    pub(crate) look_closer: AtomicBool,
    /// The submitting half is gone, and what is in flight is all that will come.
    pub(crate) last: AtomicBool,
}

impl Shared {
    /// How many requests are accepted and not yet taken. Of two threads, the one that reaps may be ahead of
    /// the one that counts what it submitted: that is 0, not less.
    #[inline]
    pub(crate) fn in_flight(&self) -> usize {
        let taken = self.row.completed();
        let in_flight = self.row.accepted().saturating_sub(taken);
        usize::try_from(in_flight).unwrap_or(usize::MAX)
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            enters: self.submitting.get() + self.reaping.get(),
            submitted: self.row.accepted(),
            completed: self.row.completed(),
        }
    }

    /// Turns the eventfd on, if it is not; only while one thread has both halves.
    pub(crate) fn signal(&self) {
        if self.eventfd.is_on() || self.handle.is_forked() {
            return;
        }
        let in_flight = self.in_flight() as u64;
        self.eventfd.turn_on(in_flight);
        if in_flight > 0 {
            self.look_closer.store(true, Ordering::Relaxed);
            // They may be waiting already, and will not say so.
            self.reaping.add(1);
            self.eventfd.raise();
        }
    }

    /// Lets the reaping half know that no more is submitted.
    pub(crate) fn close(&self) {
        if self.handle.is_forked() {
            return;
        }
        // Pairs with `is_closed`: who sees it sees every request counted and every local completion queued.
        self.last.store(true, Ordering::Release);
        self.eventfd.raise();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.last.load(Ordering::Acquire)
    }
}

/// The completion of a request that never reached the kernel, packed for the queue: a refused iocb, or a
/// cancellation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    pub(crate) slot: u32,
    /// As in an event: 0 or more, or a negated errno.
    pub(crate) res: i32,
}

impl Local {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.res.cast_unsigned())
    }

    pub(crate) fn unpack(packed: u64) -> Self {
        Self { slot: (packed >> 32) as u32, res: (packed as u32).cast_signed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_completion_comes_out_as_it_went_in() {
        for (slot, res) in [(0, 0), (u32::MAX, -1), (3, i32::MIN), (0, i32::MAX)] {
            let local = Local::unpack(Local { slot, res }.pack());
            assert_eq!((local.slot, local.res), (slot, res));
        }
    }
}
