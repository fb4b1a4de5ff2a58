//! Entries whose races the model checker sees.

use std::ptr::NonNull;

use loom::cell::UnsafeCell;
use static_assertions::const_assert_eq;

use super::{Completion, Cqe, Sqe, Submission, cqe, submission};

/// Where an entry lies, with what the checker knows of it; as large as some entries, in which a queue counts.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Place<T>(pub(crate) UnsafeCell<T>);

impl<T> Place<T> {
    pub(crate) fn new(entry: T) -> Self {
        Self(UnsafeCell::new(entry))
    }
}

const_assert_eq!(size_of::<Place<Sqe>>() % size_of::<Sqe>(), 0);
const_assert_eq!(size_of::<Place<Cqe>>() % size_of::<Cqe>(), 0);

#[derive(Debug)]
pub(crate) struct WatchedSqe(pub(crate) Sqe);

impl submission::sealed::Sealed for WatchedSqe {}

// SAFETY: one place, whose entry is written.
unsafe impl Submission for WatchedSqe {
    const SETUP: u32 = 0;
    const STRIDE: usize = size_of::<Place<Sqe>>() / size_of::<Sqe>();

    fn small(sqe: Sqe) -> Self {
        Self(sqe)
    }

    fn first(&self) -> &Sqe {
        &self.0
    }

    unsafe fn write(self, place: NonNull<Sqe>) {
        // SAFETY: the model has put a `Place` here, which outlives the ring.
        let place: &Place<Sqe> = unsafe { place.cast().as_ref() };
        // SAFETY: loom checks that nobody else looks at it.
        place.0.with_mut(|entry| unsafe { entry.write(self.0) });
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchedCqe(Cqe);

impl cqe::sealed::Sealed for WatchedCqe {}

// SAFETY: one place, whose entry is read.
unsafe impl Completion for WatchedCqe {
    const SETUP: u32 = 0;
    const STRIDE: usize = size_of::<Place<Cqe>>() / size_of::<Cqe>();

    fn first(&self) -> &Cqe {
        &self.0
    }

    unsafe fn read(place: NonNull<Cqe>) -> Self {
        // SAFETY: the model has put a `Place` here, which outlives the ring.
        let place: &Place<Cqe> = unsafe { place.cast().as_ref() };
        // SAFETY: loom checks that nobody writes to it.
        Self(place.0.with(|entry| unsafe { entry.read() }))
    }
}
