//! An operation in flight: shared by its place in the engine and the future that waits for it.

use std::cell::UnsafeCell;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use super::handover::Handover;
use super::outcome::Outcome;
use crate::operation::Operation;
use crate::request::Request;

/// An operation and, later, what became of it.
///
/// Invariant: `parts` is the [`Flight`]'s alone until `handover` is done, and from then on the future's alone.
pub(super) struct Flown<O> {
    handover: Handover,
    parts: UnsafeCell<Parts<O>>,
}

struct Parts<O> {
    operation: Option<O>,
    result: io::Result<usize>,
    transferred: usize,
}

// SAFETY: `parts` is used by one side at a time (the invariant), so that sharing it is no more than sending it, and
// the operation may be sent; the rest is `Sync` by itself.
unsafe impl<O: Send> Sync for Flown<O> {}

impl<O: Operation + Send> Flown<O> {
    /// Makes both ends. The waker is that of the task that is about to poll.
    #[inline]
    pub(super) fn new(operation: O, waker: Waker) -> (Arc<Self>, Flight) {
        let parts = Parts { operation: Some(operation), result: Ok(0), transferred: 0 };
        let flown = Arc::new(Self { handover: Handover::new(waker), parts: UnsafeCell::new(parts) });
        (Arc::clone(&flown), Flight(flown))
    }

    pub(super) fn handover(&self) -> &Handover {
        &self.handover
    }

    /// Takes the outcome, when it is there; the second time, there is none.
    pub(super) fn take(&self) -> Option<Outcome<O>> {
        if !self.handover.is_done() {
            return None;
        }
        // SAFETY: the handover is done, so the parts are the future's (the type's invariant), which is the only caller
        // and keeps no other reference.
        let parts = unsafe { &mut *self.parts.get() };
        let operation = parts.operation.take()?;
        let result = std::mem::replace(&mut parts.result, Ok(0));
        Some(Outcome { operation, result, transferred: parts.transferred })
    }
}

/// What an engine needs of a [`Flown`], whatever its type.
trait Fly: Send + Sync {
    /// As [`Operation::request`].
    ///
    /// # Safety
    ///
    /// For the [`Flight`], before `land`; the result is not kept beyond another call for it.
    unsafe fn request(&self) -> Request<'_>;

    /// As [`Operation::transfer_len`].
    ///
    /// # Safety
    ///
    /// For the [`Flight`], before `land`.
    unsafe fn transfer_len(&self) -> Option<usize>;

    /// As [`Operation::finish`].
    ///
    /// # Safety
    ///
    /// For the [`Flight`], before `land`, and the contract of [`Operation::finish`].
    unsafe fn finish(&self, transferred: usize);

    /// # Safety
    ///
    /// For the [`Flight`], once, as its last call.
    unsafe fn land(&self, result: io::Result<usize>, transferred: usize) -> Option<Waker>;
}

impl<O: Operation + Send> Flown<O> {
    /// # Safety
    ///
    /// For the [`Flight`], before `land`; the result is not kept beyond another call for it.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the caller is the only one that has the parts")]
    unsafe fn operation(&self) -> &mut O {
        // SAFETY: before `land` the parts are the flight's (the type's invariant), and it has no other reference
        // to them (this fn's contract).
        let parts = unsafe { &mut *self.parts.get() };
        match &mut parts.operation {
            Some(operation) => operation,
            None => unreachable!("the future takes it after `land` only"),
        }
    }
}

impl<O: Operation + Send> Fly for Flown<O> {
    unsafe fn request(&self) -> Request<'_> {
        // SAFETY: this fn's contract.
        unsafe { self.operation() }.request()
    }

    unsafe fn transfer_len(&self) -> Option<usize> {
        // SAFETY: this fn's contract.
        unsafe { self.operation() }.transfer_len()
    }

    unsafe fn finish(&self, transferred: usize) {
        // SAFETY: this fn's contract.
        let operation = unsafe { self.operation() };
        // SAFETY: as above.
        unsafe { operation.finish(transferred) }
    }

    unsafe fn land(&self, result: io::Result<usize>, transferred: usize) -> Option<Waker> {
        // SAFETY: before this the parts are the flight's (the type's invariant).
        let parts = unsafe { &mut *self.parts.get() };
        parts.result = result;
        parts.transferred = transferred;
        self.handover.finish()
    }
}

/// The engine's end of an operation, which keeps file and buffer whatever becomes of the future.
///
/// Dropped without having landed, it lands with `ECANCELED`: an engine drops what is in it when the kernel is done with it.
pub(super) struct Flight(Arc<dyn Fly>);

impl Flight {
    /// Hands the operation to the future, and returns whom to wake.
    #[must_use = "somebody waits"]
    pub(super) fn land(self, result: io::Result<usize>, transferred: usize) -> Option<Waker> {
        let this = ManuallyDrop::new(self);
        // SAFETY: read once, and `this` is neither dropped nor used any more.
        let flown = unsafe { ptr::read(&raw const this.0) };
        // SAFETY: this is the flight, consumed, and it has not landed before, or it would have been consumed then.
        unsafe { flown.land(result, transferred) }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let cancelled = io::Error::from_raw_os_error(libc::ECANCELED);
        // SAFETY: this is the flight, dropped, and it has not landed before, or it would not be dropped.
        if let Some(waker) = unsafe { self.0.land(Err(cancelled), 0) } {
            waker.wake();
        }
    }
}

// SAFETY: the operation's own guarantees; it stays where it is, on the heap, and nobody else gets at it before the flight
// has landed or is dropped (the invariant of `Flown`). A leaked flight keeps it for ever.
unsafe impl Operation for Flight {
    #[inline]
    fn request(&mut self) -> Request<'_> {
        // SAFETY: this is the flight, borrowed for as long as the request is.
        unsafe { self.0.request() }
    }

    #[inline]
    fn transfer_len(&mut self) -> Option<usize> {
        // SAFETY: as above.
        unsafe { self.0.transfer_len() }
    }

    #[inline]
    unsafe fn finish(&mut self, transferred: usize) {
        // SAFETY: as above, and this fn's contract.
        unsafe { self.0.finish(transferred) }
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}
