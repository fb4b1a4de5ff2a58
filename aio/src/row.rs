//! The row in which the iocbs of a context wait for their next use.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use aio_sys::iocb;

use crate::slot::Slots;

/// A number that one half of the context writes, on a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Count(AtomicU64);

/// A queue of iocbs from the reaping half to the submitting half, which is also the array that `io_submit` reads.
///
/// Its indices run freely and do not wrap: 2⁶⁴ is never reached. In their order: those below `accepted` were handed
/// over for good; from there to what the submitting half has added they are filled and queued; from there to
/// `returned` they are free. An iocb comes in by [`give_back`](Self::give_back) when its completion is taken.
/// So these two indices count all requests that were ever accepted and completed.
///
/// Invariant: one thread accepts, one gives back. Between `accepted` and `returned` there are never more than `nr`,
/// because each is a slot, and a slot is in one place. That is why nobody who gives back asks for room, and why
/// a cell is not written before the kernel has read it: the k-th completion overwrites the cell of the k-th
/// request that was accepted, at the most.
#[derive(Debug)]
pub(crate) struct Row {
    /// Each iocb stands here twice, `mask + 1` cells apart, so that every run of them is one array.
    cells: Box<[AtomicPtr<iocb>]>,
    mask: usize,
    nr: u64,
    accepted: Count,
    returned: Count,
}

impl Row {
    /// The row with every slot in it, free.
    pub(crate) fn of(slots: &Slots) -> Self {
        let nr = slots.len();
        let capacity = nr.next_power_of_two();
        let row = Self {
            cells: (0..2 * capacity).map(|_| AtomicPtr::default()).collect(),
            mask: capacity - 1,
            nr: nr as u64,
            accepted: Count(AtomicU64::new(0)),
            returned: Count(AtomicU64::new(0)),
        };
        (0..nr).for_each(|slot| row.give_back(slots.iocb(slot as u32)));
        row
    }

    /// The one place where an index is masked: the first of the two cells.
    #[inline]
    fn cell(&self, index: u64) -> *const AtomicPtr<iocb> {
        // SAFETY: the masked index is below half the length.
        unsafe { self.cells.as_ptr().add(index as usize & self.mask) }
    }

    /// The iocb at an index between `accepted` and `returned`.
    #[inline]
    pub(crate) fn at(&self, index: u64) -> *mut iocb {
        // SAFETY: a cell of the row.
        let cell = unsafe { &*self.cell(index) };
        cell.load(Ordering::Relaxed)
    }

    /// The array that begins at this index, for the kernel to read. It is as long as the row.
    #[inline]
    pub(crate) fn array(&self, index: u64) -> *mut *mut iocb {
        self.cell(index).cast::<*mut iocb>().cast_mut()
    }

    /// Puts an iocb behind the others, free. The reaping half alone comes here, so load and store make an
    /// addition. Who sees the new index sees the cells below it, and everything that this half did to the
    /// iocb before; the partner is [`returned`](Self::returned).
    #[inline]
    pub(crate) fn give_back(&self, iocb: *mut iocb) {
        let index = self.returned.0.load(Ordering::Relaxed);
        let first = self.cell(index);
        // SAFETY: a cell of the row.
        unsafe { &*first }.store(iocb, Ordering::Relaxed);
        // SAFETY: the first half of the cells is `mask + 1` long, and so is the second.
        let second = unsafe { first.add(self.mask + 1) };
        // SAFETY: a cell of the row.
        unsafe { &*second }.store(iocb, Ordering::Relaxed);
        self.returned.0.store(index + 1, Ordering::Release);
    }

    /// The end of the row; its partner is [`give_back`](Self::give_back).
    #[inline]
    pub(crate) fn returned(&self) -> u64 {
        self.returned.0.load(Ordering::Acquire)
    }

    /// Everything below `index` is accepted: for the submitting half to say.
    #[inline]
    pub(crate) fn accept(&self, index: u64) {
        self.accepted.0.store(index, Ordering::Relaxed);
    }

    /// How many requests were ever accepted.
    #[inline]
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.0.load(Ordering::Relaxed)
    }

    /// How many completions were ever taken.
    #[inline]
    pub(crate) fn completed(&self) -> u64 {
        self.returned.0.load(Ordering::Relaxed) - self.nr
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn every_run_is_one_array_wherever_it_begins() {
        for nr in 1..9 {
            let slots = Slots::new(nr);
            let row = Row::of(&slots);
            let nr = nr as u64;
            for start in 0..40 {
                assert_eq!((row.returned(), row.completed()), (nr + start, start));
                for n in 0..nr {
                    let there = row.array(start).wrapping_add(n as usize);
                    // SAFETY: the array is as long as the row.
                    let there = unsafe { there.read() };
                    assert_eq!(there, row.at(start + n));
                    assert_eq!(u64::from(slots.slot_of(there)), (start + n) % nr);
                }
                row.accept(start + 1);
                row.give_back(row.at(start));
            }
        }
    }

    #[test]
    fn every_iocb_crosses_threads_and_comes_back() {
        const ROUNDS: u64 = if cfg!(miri) { 100 } else { 100_000 };
        let slots = Slots::new(3);
        let row = Row::of(&slots);
        thread::scope(|scope| {
            scope.spawn(|| {
                for index in 0..ROUNDS {
                    while row.returned() == index {
                        thread::yield_now();
                    }
                    // SAFETY: free, and nobody else's until it is accepted.
                    unsafe { (*row.at(index)).aio_data = index };
                    row.accepted.0.store(index + 1, Ordering::Release);
                }
            });
            for index in 0..ROUNDS {
                while row.accepted.0.load(Ordering::Acquire) == index {
                    thread::yield_now();
                }
                let iocb = row.at(index);
                // SAFETY: accepted, and not given back.
                assert_eq!(unsafe { (*iocb).aio_data }, index);
                row.give_back(iocb);
            }
        });
    }
}
