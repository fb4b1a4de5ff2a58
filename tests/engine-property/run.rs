//! Takes the steps of a case, on an engine and on the model.

use std::io;
use std::mem;
use std::time::Duration;

use engine::operation::Operations;
use engine::{Backend, Done, Engine, Error, Id, Rejected};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::judge::{Op, State};
use crate::model::{Verdict, What, fail};
use crate::plan::{BEYOND, How, Place, Plan, Request, SIZE, Setup, Step, Take, Way};
use crate::script::{Script, Tag};
use crate::subject::Subject;
use crate::world::{Handle, World};

pub(crate) struct Run<S: Subject> {
    pub(crate) setup: Setup,
    /// Before the files, so that it is dropped first.
    pub(crate) engine: Option<Engine<Op, S::Backend>>,
    pub(crate) state: State,
    pub(crate) usual: Handle,
    pub(crate) world: World,
}

pub(crate) fn broken(error: io::Error) -> TestCaseError {
    fail(format!("the world: {error}"))
}

impl<S: Subject> Run<S> {
    pub(crate) fn new(plan: &Plan) -> Verdict<Self> {
        let setup = plan.setup;
        let world = World::new(setup.kind).map_err(broken)?;
        let script = Script::new(setup);
        let content = world.content().map_err(broken)?;
        let state = State::new(setup.kind, content, script, S::FAULTY);
        let usual = Handle::Plain(world.both_ways.clone());
        let mut run = Run { setup, engine: None, state, usual, world };
        run.make()?;
        Ok(run)
    }

    fn make(&mut self) -> Verdict {
        let made = S::engine(&self.setup, &self.state.script);
        let mut engine = made.map_err(|error| fail(format!("making an engine: {error}")))?;
        if self.setup.registered {
            let file = self.world.both_ways.try_clone().map_err(broken)?;
            self.usual = Handle::Registered(engine.register_file(file));
        }
        self.engine = Some(engine);
        Ok(())
    }

    pub(crate) fn engine(&mut self) -> &mut Engine<Op, S::Backend> {
        self.engine.as_mut().expect("there is an engine but while it is renewed")
    }

    pub(crate) fn step(&mut self, step: &Step) -> Verdict {
        match step {
            Step::Add(request) => drop(self.add(request)?),
            Step::Fill(request) => while self.engine().space() > 0 && self.add(request)? {},
            Step::Submit => {
                let submitted = self.engine().submit();
                self.called(submitted)?;
            }
            Step::Take(take) => self.take(*take)?,
            Step::Drain => self.drain()?,
            Step::Cancel(nth) => self.cancel(*nth)?,
            Step::CancelStale(nth) => {
                let stale = &self.state.stale;
                if let Some(&id) = stale.iter().rev().nth(*nth % stale.len().max(1)) {
                    let cancelled = self.engine().cancel(id);
                    self.called(cancelled)?;
                }
            }
            Step::CancelAll => self.cancel_all()?,
            Step::Kick(pipe) => self.kick(*pipe)?,
            Step::Quiet(pipe) => self.world.pipes[*pipe].quiet().map_err(broken)?,
            Step::Scope(scoped) => self.scope(scoped)?,
            Step::Renew { close } => {
                self.end(*close)?;
                self.make()?;
            }
        }
        if let Some(complaint) = self.state.script.borrow_mut().complaint.take() {
            return Err(fail(complaint));
        }
        let engine = self.engine.as_ref().expect("as above");
        prop_assert_eq!(engine.space() + engine.in_flight(), engine.capacity());
        self.state.stats(engine.stats())
    }

    /// A call may fail only if the script says so.
    pub(crate) fn called(&self, result: io::Result<()>) -> Verdict<bool> {
        match result {
            Err(error) if !S::FAULTY => Err(fail(format!("a call failed: {error}"))),
            result => Ok(result.is_ok()),
        }
    }

    /// Adds an operation, and says whether that was possible.
    fn add(&mut self, request: &Request) -> Verdict<bool> {
        let Some(operation) = self.word(request) else { return Ok(false) };
        let tag = operation.1;
        self.state.script.borrow_mut().tag = tag;
        let full = self.engine().space() == 0;
        let added = self.engine().add(operation);
        self.state.added(tag, added, full)
    }

    /// Takes completions. Never waits for what does not end.
    pub(crate) fn take(&mut self, take: Take) -> Verdict {
        let finite = self.finite();
        let Run { engine, state, .. } = self;
        let engine = engine.as_mut().expect("as above");
        let nr = match take.how {
            How::Completions | How::WaitTimeout { .. } => 0,
            How::Wait => finite.min(1),
            How::WaitNr(nr) => nr.min(finite),
        };
        let before = state.completed;
        let completions = match take.how {
            How::WaitTimeout { millis } => engine.wait_timeout(Duration::from_millis(millis)),
            How::Completions => engine.completions(),
            How::Wait if nr == 1 => engine.wait(),
            _ => engine.wait_nr(nr),
        };
        let mut completions = match completions {
            Ok(completions) => completions,
            Err(error) if !S::FAULTY => return Err(fail(format!("{take:?}: {error}"))),
            Err(_) => return Ok(()),
        };
        let most = take.most.unwrap_or(usize::MAX);
        let mut again = 0;
        for nth in 0.. {
            if nth == most {
                break;
            }
            if take.way == Way::Next {
                let Some(over) = completions.next() else { break };
                state.over(over.id, &over.operation, over.result, over.transferred)?;
                continue;
            }
            let Some(mut done) = completions.next_done() else { break };
            let (id, result, transferred) = (done.id(), done.result(), done.transferred());
            let errno = state.over(id, done.operation(), result, transferred)?;
            match take.way {
                Way::Again { shift } if again < 8 => {
                    again += 1;
                    state.again(done, shift, errno)?;
                }
                Way::Forget if nth == 0 => {
                    mem::forget(done);
                    state.lost += 1;
                }
                Way::Drop => drop(done),
                _ => {
                    let over = done.into_completion();
                    prop_assert_eq!((over.id, over.transferred), (id, transferred));
                }
            }
        }
        let taken = (state.completed - before) as usize;
        // A call that failed ends it early.
        prop_assert!(S::FAULTY || taken >= nr.min(most), "{taken} completions instead of {nr}");
        Ok(())
    }
}

impl State {
    /// Sees to what became of an operation that was to be added.
    fn added(&mut self, tag: Tag, added: Result<Id, Rejected<Op>>, full: bool) -> Verdict<bool> {
        match added {
            Ok(id) => {
                prop_assert!(!full, "there was no room");
                self.accepted += 1;
                self.model.flights.get_mut(&tag).expect("it was noted").id = Some(id);
                Ok(true)
            }
            Err(Rejected { error, operation: (_, came_back) }) => {
                prop_assert_eq!(came_back, tag, "another one came back");
                let rightly = self.faulty || (full && matches!(error, Error::Full));
                prop_assert!(rightly, "refused: {error}");
                self.model.flights.remove(&tag);
                self.script.borrow_mut().records.remove(&tag);
                Ok(false)
            }
        }
    }

    /// Adds an operation again at another place, if it is one of one buffer and nobody else is there.
    fn again<B: Backend>(&mut self, mut done: Done<'_, Op, B>, shift: u64, errno: Option<i32>) -> Verdict {
        let (operation, tag) = done.operation();
        let unit = self.kind.unit() as u64;
        let to = |offset: u64| (offset + shift) % (SIZE + BEYOND) as u64 / unit * unit;
        let what = match operation {
            Operations::Read(read) => {
                What::Read(Place { offset: to(read.offset), len: read.buffer.bytes().len() })
            }
            Operations::Write(write) => {
                let data = write.buffer.bytes().to_vec();
                What::Write(Place { offset: to(write.offset), len: data.len() }, data)
            }
            _ => return Ok(()),
        };
        let Some(new) = self.model.depart(what, errno) else { return Ok(()) };
        match operation {
            Operations::Read(read) => {
                read.offset = to(read.offset);
                read.buffer.reset();
            }
            Operations::Write(write) => write.offset = to(write.offset),
            _ => {}
        }
        *tag = new;
        self.script.borrow_mut().tag = new;
        self.added(new, done.add_again(), false)?;
        Ok(())
    }
}
