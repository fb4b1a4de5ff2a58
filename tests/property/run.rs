//! Carries out the steps of a case on a context, and compares it with the model after each.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use libc::iovec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::driven::{Driven, Refusal, Room};
use crate::memory::Block;
use crate::model::{Model, Verdict};
use crate::op::{Action, Claim, Op, Target};
use crate::placing::{locate, place};
use crate::plan::{Ending, How, Kind, Plan, Pollable, Request, Step, Syncable, Take};
use crate::watchdog::Watchdog;
use crate::world::{World, poll};

/// A case as it runs.
pub(crate) struct Run<C> {
    /// First, so that nothing is in flight any more when the buffers go. `None`: dropped.
    pub(crate) context: Option<C>,
    pub(crate) model: Model,
    pub(crate) world: World,
    pub(crate) kind: Kind,
    enters: u64,
    /// An iterator was leaked, and no other was there since.
    leaked: bool,
    watchdog: Watchdog,
}

/// Fails with what a call of the context says.
fn failed(what: &str, error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(format!("{what}: {error}"))
}

impl<C: Driven> Run<C> {
    pub(crate) fn new(plan: &Plan) -> Verdict<Run<C>> {
        let setup = &plan.setup;
        let mut world = World::new(setup.kind).map_err(|error| failed("files", error))?;
        let mut context = C::make(setup).map_err(|error| failed("a context", error))?;
        let buffers: Vec<iovec> = world.registered.iter_mut().map(|(_, block)| block.whole()).collect();
        let registered = context.register(&[world.subject.both_ways.as_fd()], &buffers);
        registered.map_err(|error| failed("registering", error))?;
        Ok(Run {
            context: Some(context),
            model: Model::new(C::room(setup), C::IS_URING, setup.shared_names),
            world,
            kind: setup.kind,
            enters: 0,
            leaked: false,
            watchdog: Watchdog::new(plan),
        })
    }

    pub(crate) fn all(&mut self, plan: &Plan) -> Verdict {
        for (nth, step) in plan.steps.iter().enumerate() {
            self.watchdog.step.store(nth, Ordering::Relaxed);
            let done = self.step(step).and_then(|()| self.compare());
            done.map_err(|error| failed(&format!("step {nth}, {step:?}"), error))?;
        }
        self.watchdog.step.store(plan.steps.len(), Ordering::Relaxed);
        let ended = match plan.ending {
            Ending::Drain => self.drain().and_then(|()| self.compare_files()),
            Ending::Drop => self.drop_in_flight(),
        };
        ended.map_err(|error| failed("at the end", error))
    }

    pub(crate) fn context(&mut self) -> &mut C {
        self.context.as_mut().expect("not dropped yet")
    }

    fn step(&mut self, step: &Step) -> Verdict {
        match step {
            Step::Add(request) => self.add(request),
            Step::Fill(request) => self.fill(request),
            Step::Submit => self.submit(),
            Step::Take(take) => self.take(take),
            Step::Drain => self.drain(),
            Step::Kick(pipe) => self.world.pipes[*pipe].kick().map_err(|error| failed("a pipe", error)),
            Step::Quiet(pipe) => self.quiet(*pipe),
            Step::Readiness => self.readiness(),
        }
    }

    /// Finds a place for a request; `None`: what it needs is in use.
    fn resolve(&mut self, request: &Request) -> Option<Op> {
        let nothing = Claim::default();
        let (action, claim) = match *request {
            Request::Sync { data_only, on } => (Action::Sync { data_only, on }, nothing),
            Request::Transfer(ref transfer) => {
                let (offset, len, claim) = locate(self.kind, transfer.place, &self.model.claims)?;
                if !self.model.claims.take(&claim) {
                    return None;
                }
                let id = self.model.next_id;
                (place(self.kind, transfer, (offset, len), id, &mut self.world), claim)
            }
            Request::Allocate { place, mode } => {
                let (offset, len, claim) = locate(self.kind, place, &self.model.claims)?;
                if !self.model.claims.take(&claim) {
                    return None;
                }
                (Action::Allocate { offset, len: len as u64, mode }, claim)
            }
            Request::Poll(on) => (Action::Poll(on), nothing),
            Request::Cancel { nth, poll_only } => {
                (Action::Cancel { target: self.model.target(nth, poll_only), poll_only }, nothing)
            }
            Request::CancelNothing { poll_only } => (Action::Cancel { target: None, poll_only }, nothing),
            Request::Nop => (Action::Nop, nothing),
            Request::Timeout { long } => (Action::Timeout { long }, nothing),
            Request::PipeRead(pipe) => {
                let claim = Claim { pipe: Some(pipe), ..nothing };
                if !self.model.claims.take(&claim) {
                    return None;
                }
                let mut block = Block::new(64);
                block.prepare(7, 19);
                (Action::PipeRead { pipe, block }, claim)
            }
        };
        let (id, name) = self.model.name(&action);
        Some(Op { id, name, action, claim })
    }

    fn add(&mut self, request: &Request) -> Verdict {
        match self.resolve(request) {
            Some(op) => self.add_op(op),
            None => Ok(()),
        }
    }

    /// Adds, and expects that to succeed exactly if there is room.
    fn add_op(&mut self, mut op: Op) -> Verdict {
        let room = self.model.counts().space > 0;
        let context = self.context.as_mut().expect("not dropped yet");
        let name = op.name;
        let call = op.call(&self.world);
        let added = unsafe { context.add(call, name) };
        match added {
            Ok(()) => {
                prop_assert!(room, "added, though there is no room");
                self.model.add(op);
                return Ok(());
            }
            Err(Refusal::NoSpace) => prop_assert!(!room, "NoSpace, though there is room"),
            Err(Refusal::Returned(iovecs)) => {
                prop_assert!(!room, "NoSpace, though there is room");
                let Action::Transfer(placed) = &mut op.action else {
                    unreachable!("only these have a vector")
                };
                let given = placed.iovecs(&self.world);
                let plain = |iovec: &iovec| (iovec.iov_base.addr(), iovec.iov_len);
                prop_assert!(
                    iovecs.iter().map(plain).eq(given.iter().map(plain)),
                    "another vector came back"
                );
            }
            Err(Refusal::Other(error)) => return Err(failed("adding", error)),
        }
        self.model.claims.release(&op.claim);
        self.world.put_back(op);
        Ok(())
    }

    fn fill(&mut self, request: &Request) -> Verdict {
        for _ in 0..=self.model.counts().space {
            let instead = Request::Sync { data_only: false, on: Syncable::NotOpen };
            let op = self.resolve(request).or_else(|| self.resolve(&instead));
            self.add_op(op.expect("nothing in its way"))?;
            self.compare()?;
        }
        Ok(())
    }

    fn submit(&mut self) -> Verdict {
        let before = self.model.counts().queued;
        let accepted = self.context().submit().map_err(|error| failed("submit", error))?;
        let left = before.checked_sub(accepted);
        prop_assert!(left.is_some(), "accepted {accepted} of {before}");
        self.model.accept(left.unwrap_or(0))
    }

    fn take(&mut self, take: &Take) -> Verdict {
        let (certain, outstanding) = self.model.outlook(&self.world);
        // Waiting for more than is certain to come would be waiting for ever.
        let how = match take.how {
            How::Wait if certain == 0 && outstanding > 0 => How::WaitTimeout { millis: 0 },
            How::WaitNr(nr) if certain < nr && certain < outstanding => How::WaitNr(certain),
            how => how,
        };
        let most = take.most.unwrap_or(usize::MAX);
        let taken = self.context().take(how, most, take.leak).map_err(|error| failed("waiting", error))?;
        if !matches!(how, How::Completions) {
            let left = self.context().counts().queued;
            self.model.accept(left)?;
        }
        let in_flight = self.model.counts().in_flight;
        let ring = if let Room::Queue(_, ring) = self.model.room { ring } else { usize::MAX };
        let least = match how {
            How::Completions | How::WaitTimeout { .. } => 0,
            How::Wait => 1.min(in_flight),
            How::WaitNr(nr) => nr.min(in_flight).min(ring),
        };
        let count = taken.len();
        prop_assert!(count >= least.min(most), "{count} completions, expected {least} of {in_flight}");
        prop_assert!(count <= most.min(in_flight), "{count} completions of {in_flight}");
        for completion in taken {
            self.model.complete(&mut self.world, completion)?;
        }
        if matches!(how, How::Completions) && take.most.is_none() {
            let late = self.finished();
            prop_assert!(late.is_none(), "done as it was submitted, but not taken: {late:?}");
        }
        self.leaked = take.leak;
        Ok(())
    }

    /// Something in flight that was done before `submit` returned, so that its completion has to be there.
    fn finished(&self) -> Option<&Op> {
        let done = |op: &&Op| match op.action {
            Action::Nop => true,
            Action::Transfer(_) => !C::IS_URING && self.kind == Kind::Buffered,
            _ => false,
        };
        // Of a group with answers, some are taken and nobody knows which.
        let groups = self.model.groups.values().filter(|group| group.answers.is_empty());
        groups.flat_map(|group| &group.ops).find(done)
    }

    /// The descriptor of the context is readable if completions wait.
    fn readiness(&mut self) -> Verdict {
        let fd = self.context.as_ref().expect("not dropped yet").as_fd();
        let readable = poll(fd, libc::POLLIN) == Ok(libc::POLLIN as u32);
        if self.leaked {
            // Only an iterator's drop sets the descriptor right.
            return Ok(());
        }
        if self.finished().is_some() {
            prop_assert!(readable, "completions wait, but the descriptor is not readable");
        }
        if C::IS_URING && self.model.counts().in_flight == 0 {
            prop_assert!(!readable, "nothing is in flight, but the descriptor is readable");
        }
        Ok(())
    }

    fn quiet(&mut self, pipe: usize) -> Verdict {
        let waits = |op: &Op| match op.action {
            Action::Poll(Pollable::Pipe(on)) => on == pipe,
            Action::PipeRead { pipe: on, .. } => on == pipe,
            _ => false,
        };
        if self.model.outstanding().any(waits) {
            return Ok(());
        }
        self.world.pipes[pipe].quiet().map_err(|error| failed("a pipe", error))
    }

    /// Lets everything complete, and takes it.
    fn drain(&mut self) -> Verdict {
        for pipe in &mut self.world.pipes {
            pipe.kick().map_err(|error| failed("a pipe", error))?;
        }
        let endless = |op: &&Op| matches!(op.action, Action::Timeout { long: true });
        let endless: Vec<u64> = self.model.outstanding().filter(endless).map(|op| op.name).collect();
        for name in endless {
            if self.model.counts().space == 0 {
                self.submit()?;
            }
            let target = Some(Target { name, is_effective: true });
            let action = Action::Cancel { target, poll_only: false };
            let (id, name) = self.model.name(&action);
            self.add_op(Op { id, name, action, claim: Claim::default() })?;
        }
        let taken = self.context().drain().map_err(|error| failed("drain", error))?;
        self.model.accept(0)?;
        for completion in taken {
            self.model.complete(&mut self.world, completion)?;
        }
        self.model.idle()?;
        self.leaked = false;
        for how in [How::Completions, How::Wait, How::WaitNr(3)] {
            let more = self.context().take(how, usize::MAX, false).map_err(|error| failed("idle", error))?;
            prop_assert!(more.is_empty(), "completions of nothing: {more:?}");
        }
        Ok(())
    }

    /// The context says about itself what the model says.
    fn compare(&mut self) -> Verdict {
        let Some(context) = &self.context else {
            return Ok(());
        };
        prop_assert_eq!(context.counts(), self.model.counts());
        prop_assert!(context.enters() >= self.enters, "fewer enters than before");
        self.enters = context.enters();
        Ok(())
    }
}
