//! How operations and engines come to an end: cancellations, drains, drops.

use proptest::prelude::*;

use crate::memory::{live, look_at_dropped};
use crate::model::{Flight, Verdict, What, fail};
use crate::plan::{How, Take, Way};
use crate::run::{Run, broken};
use crate::subject::Subject;

/// How often a drain is begun again that ended early.
const ATTEMPTS: usize = 1000;

impl<S: Subject> Run<S> {
    /// How many operations end by themselves.
    pub(crate) fn finite(&self) -> usize {
        let ends = |flight: &&Flight| match flight.what {
            What::Poll(pipe, _) => flight.errno.is_some() || flight.ends || self.world.pipes[pipe].loaded,
            _ => true,
        };
        self.state.model.flights.values().filter(ends).count()
    }

    pub(crate) fn cancel(&mut self, nth: usize) -> Verdict {
        let count = self.state.model.flights.len().max(1);
        let Some((&tag, flight)) = self.state.model.flights.iter().nth(nth % count) else { return Ok(()) };
        let id = flight.id.expect("operations of a scope are over when it is");
        let cancelled = self.engine().cancel(id);
        self.note_cancelled(tag, cancelled.is_ok());
        self.called(cancelled)?;
        Ok(())
    }

    /// What was to be cancelled may be, even if that failed; but it need not end then.
    fn note_cancelled(&mut self, tag: u64, done: bool) {
        let flight = self.state.model.flights.get_mut(&tag).expect("it was found there");
        flight.cancelled = true;
        flight.ends |= done;
    }

    pub(crate) fn cancel_all(&mut self) -> Verdict {
        let cancelled = self.engine().cancel_all();
        let tags: Vec<_> = self.state.model.flights.keys().copied().collect();
        for tag in tags {
            self.note_cancelled(tag, cancelled.is_ok());
        }
        self.called(cancelled)?;
        Ok(())
    }

    pub(crate) fn kick(&mut self, pipe: usize) -> Verdict {
        self.world.pipes[pipe].kick().map_err(broken)?;
        for flight in self.state.model.flights.values_mut() {
            if let What::Poll(polled, seen) = &mut flight.what {
                *seen |= *polled == pipe;
            }
        }
        Ok(())
    }

    /// Takes everything.
    pub(crate) fn drain(&mut self) -> Verdict {
        for pipe in 0..self.world.pipes.len() {
            self.kick(pipe)?;
        }
        for _ in 0..ATTEMPTS {
            if self.state.model.flights.is_empty() {
                return Ok(());
            }
            if self.state.lost > 0 {
                // It would wait for what was leaked.
                let left = self.state.model.flights.len();
                self.take(Take { how: How::WaitNr(left), most: Some(left), way: Way::Next })?;
                continue;
            }
            let before = self.state.completed;
            let Run { engine, state, .. } = self;
            let engine = engine.as_mut().expect("there is an engine but while it is renewed");
            let mut verdict = Ok(());
            let drained = engine.drain(|over| {
                let one = state.over(over.id, &over.operation, over.result, over.transferred);
                if verdict.is_ok() {
                    verdict = one.map(drop);
                }
            });
            verdict?;
            let failed = !self.called(drained)?;
            let left = self.state.model.flights.len();
            let more = self.state.completed > before || failed;
            prop_assert!(more && (failed || left == 0), "a drain leaves {left} operations");
        }
        Err(fail("a drain does not come to an end".to_owned()))
    }

    /// Drops the engine with all that it has: nothing happens any more then.
    pub(crate) fn end(&mut self, close: bool) -> Verdict {
        let engine = self.engine.take().expect("there is an engine but while it is renewed");
        if close {
            engine.close().map_err(|error| fail(format!("close: {error}")))?;
        } else {
            drop(engine);
        }
        prop_assert_eq!(live(), 0, "buffers are left");
        prop_assert!(self.world.is_alone(), "somebody has files");
        let content = self.world.content().map_err(broken)?;
        self.state.model.adopt(content)?;
        self.state.renew();
        look_at_dropped().map_err(|complaint| fail(complaint.to_owned()))
    }

    /// Takes or drops what is left, as the case wishes.
    pub(crate) fn finish(&mut self, drain: bool) -> Verdict {
        if drain {
            self.drain()?;
            let engine = self.engine();
            let (in_flight, space, capacity) = (engine.in_flight(), engine.space(), engine.capacity());
            prop_assert_eq!(in_flight, self.state.lost);
            prop_assert_eq!(space, capacity - self.state.lost);
            let stats = self.engine().stats();
            self.state.stats(stats)?;
            let content = self.world.content().map_err(broken)?;
            self.state.model.compare(&content)?;
        }
        self.end(false)
    }
}
