//! The future of one operation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

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
    flown: Arc<Flown<O>>,
    stage: Stage,
}

enum Stage {
    /// Not yet added.
    New(Flight),
    /// The engine had no room in spite of the permit: its back end wants completions taken first.
    Waiting(Flight),
    Flying(Id),
    Over,
}

impl<'a, O: Operation + Send> Landing<'a, O> {
    #[inline]
    pub(super) fn new(shared: &'a Shared, operation: O, waker: Waker) -> Self {
        let (flown, flight) = Flown::new(operation, waker);
        Self { shared, flown, stage: Stage::New(flight) }
    }

    #[inline]
    fn start(&mut self, flight: Flight, cx: &Context<'_>) -> Poll<Outcome<O>> {
        let shared = self.shared;
        match shared.gate.enter(flight, |engine, flight| engine.add(flight)) {
            Ok(Ok(id)) => {
                self.stage = Stage::Flying(id);
                shared.bell.ring();
                Poll::Pending
            }
            Ok(Err(rejected)) => self.refused(rejected, cx),
            Err(operation) => self.refused(Rejected { error: Error::Closed, operation }, cx),
        }
    }

    #[cold]
    fn refused(&mut self, rejected: Rejected<Flight>, cx: &Context<'_>) -> Poll<Outcome<O>> {
        let Rejected { error, operation: flight } = rejected;
        if matches!(error, Error::Full) {
            self.stage = Stage::Waiting(flight);
            self.shared.bell.ring();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.shared.permits.add_permits(1);
        // The waker is that of this poll, which is not over.
        drop(flight.land(Err(error.into()), 0));
        self.landed()
    }

    #[inline]
    fn landed(&self) -> Poll<Outcome<O>> {
        match self.flown.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => unreachable!("it has landed, and is taken once"),
        }
    }
}

impl<O: Operation + Send> Future for Landing<'_, O> {
    type Output = Outcome<O>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<O>> {
        let this = self.get_mut();
        match std::mem::replace(&mut this.stage, Stage::Over) {
            Stage::New(flight) => this.start(flight, cx),
            Stage::Waiting(flight) => {
                // Nobody wakes it before it is added but this poll's waker.
                let _ = this.flown.handover().poll(cx.waker());
                this.start(flight, cx)
            }
            Stage::Flying(_) if this.flown.handover().poll(cx.waker()) => this.landed(),
            Stage::Flying(id) => {
                this.stage = Stage::Flying(id);
                Poll::Pending
            }
            Stage::Over => panic!("polled after it was over"),
        }
    }
}

/// What is in flight stays with the engine, which gives the permit back when the kernel is done. What may never end by
/// itself is asked to.
impl<O: Operation + Send> Drop for Landing<'_, O> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::New(_) | Stage::Waiting(_) => self.shared.permits.add_permits(1),
            Stage::Flying(id) if !self.flown.handover().is_done() => self.shared.give_up(id),
            Stage::Flying(_) | Stage::Over => {}
        }
    }
}

impl<O: Operation + Send> fmt::Debug for Landing<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Landing").finish_non_exhaustive()
    }
}
