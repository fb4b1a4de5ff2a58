//! The operations in flight.

use std::mem::MaybeUninit;

use crate::trace::Trace;

/// One place.
pub(crate) struct Slot<T> {
    /// Invariant: initialised while the place is taken.
    operation: MaybeUninit<T>,
    /// The generation, which counts how often the place was taken and left and is odd while it is taken, and the index.
    name: u64,
    /// What `progress` says.
    state: State,
    progress: Progress,
    pub(crate) trace: Trace,
}

/// What there is to say of an operation in flight, or just over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: most operations are over with one whole transfer.
    Usual,
    /// How far it has come.
    Touched,
    /// What has become of it.
    Judged,
}

/// One generation.
const NEXT: u64 = 1 << 32;

/// How far an operation has come that is not over with one whole transfer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Bytes transferred by requests that are over; of what is no transfer, the result in the end.
    pub(crate) done: usize,
    /// How often in a row the kernel has said to try again.
    pub(crate) tries: u16,
    pub(crate) cancelled: bool,
    /// It is over and has failed.
    pub(crate) failed: bool,
}

impl<T> Slot<T> {
    #[inline]
    pub(crate) fn name(&self) -> u64 {
        self.name
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.name & NEXT != 0
    }

    /// Gives the place a new name, as if it had been left and taken again.
    #[inline]
    pub(crate) fn rename(&mut self) -> u64 {
        self.name = self.name.wrapping_add(2 * NEXT);
        self.state = State::Usual;
        self.name
    }

    /// Whether the operation is over and not simply as a whole: then [`progress_mut`](Self::progress_mut) has the result.
    #[inline]
    pub(crate) fn is_judged(&self) -> bool {
        self.state == State::Judged
    }

    /// Notes that the operation is over: a number, of bytes if it is a transfer, or an error that the engine has.
    pub(crate) fn judge(&mut self, result: Option<usize>) {
        let progress = self.progress_mut();
        progress.failed = result.is_none();
        progress.done = result.unwrap_or(progress.done);
        self.state = State::Judged;
    }

    /// How far the operation has come, to be changed.
    pub(crate) fn progress_mut(&mut self) -> &mut Progress {
        if self.state == State::Usual {
            self.state = State::Touched;
            self.progress = Progress::default();
        }
        &mut self.progress
    }

    /// The operation.
    ///
    /// # Safety
    ///
    /// The place [is taken](Self::is_taken).
    #[inline]
    pub(crate) unsafe fn operation(&mut self) -> &mut T {
        // SAFETY: this fn's contract and the field's invariant.
        unsafe { self.operation.assume_init_mut() }
    }
}

/// A table of as many places as operations may be in flight. Nothing is allocated after it is made.
pub(crate) struct Slots<T> {
    all: Box<[Slot<T>]>,
    /// Invariant: the indices of the places that are not taken, each once, but for one that is being
    /// [placed](Self::place).
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(crate) fn new(count: usize) -> Self {
        let slot = |index| Slot {
            operation: MaybeUninit::uninit(),
            name: u64::from(index),
            state: State::Usual,
            progress: Progress::default(),
            trace: Trace::none(),
        };
        // A count fits 32 bits: `Options` sees to that. From the top, so that the first is taken first.
        Self { all: (0..count as u32).map(slot).collect(), free: (0..count as u32).rev().collect() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    #[inline]
    pub(crate) fn taken(&self) -> usize {
        self.all.len() - self.free.len()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Slot<T>> {
        self.all.get_mut(index)
    }

    /// The place that the next operation gets, if there is one.
    #[inline]
    pub(crate) fn vacancy(&mut self) -> Option<Vacancy<'_, T>> {
        let &index = self.free.last()?;
        Some(Vacancy { slot: &mut self.all[index as usize], free: &mut self.free })
    }

    /// Takes the operation out of a place and frees that.
    ///
    /// # Safety
    ///
    /// The place is taken.
    #[inline]
    pub(crate) unsafe fn take(&mut self, index: usize) -> T {
        let slot = &mut self.all[index];
        slot.name = slot.name.wrapping_add(NEXT);
        self.free.push(index as u32);
        // SAFETY: it was taken (this fn's contract), so it is initialised (the field's invariant), and is not any more.
        unsafe { slot.operation.assume_init_read() }
    }

    /// Takes all operations out.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(T)) {
        for index in 0..self.all.len() {
            if self.all[index].is_taken() {
                // SAFETY: just asked.
                each(unsafe { self.take(index) });
            }
        }
    }

    /// The operations, and what their places are named.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> + '_ {
        self.all.iter_mut().filter(|slot| slot.is_taken()).map(|slot| {
            let name = slot.name;
            // SAFETY: just asked.
            (name, unsafe { slot.operation() })
        })
    }

    /// The names of the places that are taken.
    pub(crate) fn names(&self) -> impl Iterator<Item = u64> + '_ {
        self.all.iter().filter(|slot| slot.is_taken()).map(|slot| slot.name)
    }
}

/// A free place.
pub(crate) struct Vacancy<'a, T> {
    slot: &'a mut Slot<T>,
    free: &'a mut Vec<u32>,
}

impl<'a, T> Vacancy<'a, T> {
    /// Puts an operation there, and does not take the place yet. If the caller panics meanwhile, the operation is leaked.
    #[inline]
    pub(crate) fn place(self, operation: T) -> Placed<'a, T> {
        self.slot.operation.write(operation);
        Placed(self)
    }
}

/// A place with an operation, not yet taken.
pub(crate) struct Placed<'a, T>(Vacancy<'a, T>);

impl<T> Placed<'_, T> {
    #[inline]
    pub(crate) fn operation(&mut self) -> &mut T {
        // SAFETY: `place` has just written it.
        unsafe { self.0.slot.operation.assume_init_mut() }
    }

    /// What the place will be called.
    #[inline]
    pub(crate) fn name(&self) -> u64 {
        self.0.slot.name.wrapping_add(NEXT)
    }

    /// Takes the place.
    #[inline]
    pub(crate) fn commit(self, trace: Trace) {
        let Vacancy { slot, free, .. } = self.0;
        slot.trace = trace;
        slot.name = slot.name.wrapping_add(NEXT);
        slot.state = State::Usual;
        free.pop();
    }

    /// Leaves it free.
    pub(crate) fn into_operation(self) -> T {
        // SAFETY: `place` has written it; the place is free and will be written anew.
        unsafe { self.0.slot.operation.assume_init_read() }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_place_has_a_new_name_each_time() {
        let mut slots = Slots::new(2);
        let mut names = Vec::new();
        for round in 0..4 {
            let placed = slots.vacancy().unwrap().place(round);
            names.push(placed.name());
            placed.commit(Trace::none());
            // SAFETY: it has just been taken.
            assert_eq!(unsafe { slots.take(0) }, round);
        }
        assert_eq!(names, [1, 3, 5, 7].map(|generation| generation * NEXT));
    }

    #[test]
    fn a_full_table_has_no_place_and_drains_to_the_last() {
        let tracker = Rc::new(());
        let mut slots = Slots::new(3);
        for _ in 0..3 {
            slots.vacancy().unwrap().place(tracker.clone()).commit(Trace::none());
        }
        assert!(slots.vacancy().is_none());
        assert_eq!((slots.taken(), Rc::strong_count(&tracker)), (3, 4));
        slots.drain(drop);
        assert_eq!((slots.taken(), Rc::strong_count(&tracker)), (0, 1));
        let refused = slots.vacancy().unwrap().place(tracker.clone()).into_operation();
        assert_eq!((slots.taken(), Rc::strong_count(&refused)), (0, 2));
    }
}
