//! The future of one operation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::flight::{Flight, Flown};
use super::outcome::Outcome;
use super::shared::Shared;
use crate::engine::Id;
use crate::error::{Error, Rejected};
use crate::operation::Operation;

/// Waits for an operation for which there is a place in the engine: the permit for it is this future's to give back, until
/// the engine has the operation.
pub(super) struct Landing<'a, O: Operation + Send> {
    shared: &'a Shared,
    stage: Stage<O>,
}

enum Stage<O> {
    New(O),
    /// The engine had no room in spite of the permit: its back end wants completions taken first.
    Stalled(Arc<Flown<O>>, Flight),
    Flying(Arc<Flown<O>>, Id),
    Over,
}

impl<'a, O: Operation + Send> Landing<'a, O> {
    pub(super) fn new(shared: &'a Shared, operation: O) -> Self {
        Self { shared, stage: Stage::New(operation) }
    }

    fn start(&mut self, flown: Arc<Flown<O>>, flight: Flight, cx: &Context<'_>) -> Poll<Outcome<O>> {
        let shared = self.shared;
        let (error, flight) = match shared.gate.enter(flight, |engine, flight| engine.add(flight)) {
            Ok(Ok(id)) => {
                self.stage = Stage::Flying(flown, id);
                shared.bell.ring();
                return Poll::Pending;
            }
            Ok(Err(Rejected { error: Error::Full, operation })) => {
                self.stage = Stage::Stalled(flown, operation);
                shared.bell.ring();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Ok(Err(Rejected { error, operation })) => (error, operation),
            Err(flight) => (Error::Closed, flight),
        };
        shared.permits.add_permits(1);
        // The waker is that of this poll, which is not over.
        drop(flight.land(Err(error.into()), 0));
        Self::landed(&flown)
    }

    fn landed(flown: &Flown<O>) -> Poll<Outcome<O>> {
        match flown.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => unreachable!("it has landed, and is taken once"),
        }
    }
}

impl<O: Operation + Send> Future for Landing<'_, O> {
    type Output = Outcome<O>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<O>> {
        let this = self.get_mut();
        match std::mem::replace(&mut this.stage, Stage::Over) {
            Stage::New(operation) => {
                let (flown, flight) = Flown::new(operation, cx.waker().clone());
                this.start(flown, flight, cx)
            }
            Stage::Stalled(flown, flight) => {
                // Nobody wakes it before it is added but this poll's waker.
                let _ = flown.handover().poll(cx.waker());
                this.start(flown, flight, cx)
            }
            Stage::Flying(flown, _) if flown.handover().poll(cx.waker()) => Self::landed(&flown),
            Stage::Flying(flown, id) => {
                this.stage = Stage::Flying(flown, id);
                Poll::Pending
            }
            Stage::Over => panic!("polled after it was over"),
        }
    }
}

// The operation is on the heap or not yet used by anybody.
impl<O: Operation + Send> Unpin for Landing<'_, O> {}

/// What is in flight stays with the engine, which gives the permit back when the kernel is done. What may never end by
/// itself is asked to.
impl<O: Operation + Send> Drop for Landing<'_, O> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::New(_) | Stage::Stalled(..) => self.shared.permits.add_permits(1),
            Stage::Flying(flown, id) if !flown.handover().is_done() => self.shared.give_up(id),
            Stage::Flying(..) | Stage::Over => {}
        }
    }
}

impl<O: Operation + Send> fmt::Debug for Landing<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Landing").finish_non_exhaustive()
    }
}
