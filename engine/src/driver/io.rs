//! The I/O thread: submits, waits in the kernel, reaps.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::callback::Callback;
use super::desk::Desk;
use super::queue::{Patience, Queue, Ring};
use super::task::{Job, Task};
use crate::buffer::IoBufMut;
use crate::engine::Engine;
use crate::error::{Error, Rejected};
use crate::eventfd::EventFd;
use crate::file::IoFile;
use crate::operation::Poll;

/// How often in a row the engine may fail before the thread gives it up; the pauses in between are a second in all.
const TRIES: u32 = 40;

/// The way to one I/O thread.
pub(super) struct Lane<J> {
    pub(super) queue: Queue<J>,
    /// Readable when the thread has to wake up.
    bell: Arc<EventFd>,
}

impl<J> Lane<J> {
    pub(super) fn new(bound: usize) -> io::Result<Self> {
        Ok(Self { queue: Queue::new(bound), bell: Arc::new(EventFd::new()?) })
    }

    pub(super) fn push(&self, job: J, patience: Patience) -> Result<(), (Error, J)> {
        self.queue.push(job, patience).map(|ring| self.ring(ring))
    }

    pub(super) fn close(&self) {
        self.ring(self.queue.close());
    }

    fn ring(&self, ring: Ring) {
        if ring.0 {
            self.bell.raise();
        }
    }
}

/// What an I/O thread owns.
pub(super) struct IoThread<F, B, C>
where
    F: IoFile + Send,
    B: IoBufMut + Send,
    C: Callback<F, B>,
{
    engine: Engine<Task<F, B, C>>,
    lane: Arc<Lane<Job<F, B, C>>>,
    desk: Desk<F, B, C>,
    /// Empty but while it is being emptied.
    inbox: VecDeque<Job<F, B, C>>,
    /// A request that the back end had no room for.
    stuck: Option<Task<F, B, C>>,
    /// The poll of the doorbell is in flight; 1 or 0.
    bells: usize,
    /// Failures of the engine in a row.
    failures: u32,
}

impl<F, B, C> IoThread<F, B, C>
where
    F: IoFile + Send,
    B: IoBufMut + Send,
    C: Callback<F, B>,
{
    /// Takes an engine with a place for the poll of the doorbell.
    pub(super) fn new(
        engine: Engine<Task<F, B, C>>,
        lane: Arc<Lane<Job<F, B, C>>>,
        desk: Desk<F, B, C>,
    ) -> Self {
        Self { engine, lane, desk, inbox: VecDeque::new(), stuck: None, bells: 0, failures: 0 }
    }

    /// Carries jobs out until the queue is closed and all are done.
    pub(super) fn run(mut self) -> io::Result<()> {
        // Callbacks are caught where they are called; but files and buffers may have code of their own, too. What is half done then
        // is not looked at any more.
        let ended = catch_unwind(AssertUnwindSafe(|| self.carry_out())).unwrap_or_else(|panic| {
            mem::forget(panic);
            Err(io::Error::other("the code of a file or buffer panicked on an I/O thread"))
        });
        match ended {
            Ok(()) => self.engine.close(),
            Err(error) => self.abandon(error),
        }
    }

    fn carry_out(&mut self) -> io::Result<()> {
        loop {
            if let Err(error) = self.await_bell() {
                self.put_up_with(error)?;
                continue;
            }
            let may_sleep = self.stuck.is_none() && !self.desk.is_ready() && self.engine.space() > 0;
            let seen = self.lane.queue.take(&mut self.inbox, may_sleep);
            for job in self.inbox.drain(..) {
                self.desk.admit(job);
            }
            self.start();
            let started = self.desk.take_started();
            if started > 0 {
                // Before the wait and before any callback: both may take long.
                self.lane.queue.make_room(started);
            }
            let idle = self.engine.in_flight() == self.bells;
            if idle && self.stuck.is_some() {
                // Nothing will come that could make room.
                self.put_up_with(Error::Full.into())?;
                continue;
            }
            if seen.closed && !self.desk.is_ready() && self.stuck.is_none() {
                if idle && self.desk.is_empty() {
                    return Ok(());
                }
                self.cancel_endless();
            }
            let full = self.stuck.is_some() || self.engine.space() == 0;
            match self.reap(seen.asleep || full) {
                Ok(()) => self.failures = 0,
                Err(error) => self.put_up_with(error)?,
            }
        }
    }

    /// Has the engine wait for the doorbell, too.
    fn await_bell(&mut self) -> io::Result<()> {
        if self.bells == 0 {
            let poll = Poll { file: self.lane.bell.clone(), events: libc::POLLIN };
            self.engine.add(Task::Bell(poll))?;
            self.bells = 1;
        }
        Ok(())
    }

    /// Gives the engine as much as it takes.
    fn start(&mut self) {
        while self.engine.space() > 0 {
            let Some(task) = self.stuck.take().or_else(|| self.desk.next_task()) else { return };
            match self.engine.add(task) {
                Ok(_) => self.desk.requested(),
                Err(Rejected { error: Error::Full, operation }) => {
                    self.stuck = Some(operation);
                    return;
                }
                Err(Rejected { error, operation }) => self.desk.refuse(operation, error.into()),
            }
        }
    }

    /// Starts what was added, and takes what is over.
    fn reap(&mut self, wait: bool) -> io::Result<()> {
        let Self { engine, desk, .. } = self;
        let completions = if wait { engine.wait()? } else { engine.completions()? };
        let mut rung = None;
        for completion in completions {
            match completion.operation {
                Task::Bell(_) => rung = Some(completion.result),
                task => desk.complete(task, completion.result, completion.transferred),
            }
        }
        if let Some(result) = rung {
            // First this, then a look into the queue: who comes in between rings again.
            self.lane.bell.clear();
            self.bells = 0;
            result?;
        }
        Ok(())
    }

    /// Lets a failure of the engine pass, unless there have been too many.
    fn put_up_with(&mut self, error: io::Error) -> io::Result<()> {
        self.failures += 1;
        if self.failures > TRIES {
            return Err(error);
        }
        thread::sleep(Duration::from_millis(u64::from(self.failures)));
        // What is over may make room, and is called back however the engine is. Should it fail again, the loop sees to it.
        let _ = self.reap(false);
        Ok(())
    }

    /// If nothing is in flight any more but what waits for others, maybe for ever, cancels that.
    fn cancel_endless(&mut self) {
        if self.engine.operations().any(|(_, task)| !task.is_endless()) {
            return;
        }
        let untold = |task: &mut Task<F, B, C>| match task {
            Task::One(job) => !mem::replace(&mut job.cancelled, true),
            Task::Merged(_) | Task::Bell(_) => false,
        };
        let ids: Vec<_> =
            self.engine.operations().filter_map(|(id, task)| untold(task).then_some(id)).collect();
        for id in ids {
            // If that fails, they are waited for.
            let _ = self.engine.cancel(id);
        }
    }

    /// Ends without the engine: what is not in it, and what can be had back from it, is called back with the error.
    fn abandon(mut self, error: io::Error) -> io::Result<()> {
        self.lane.close();
        let _ = self.lane.queue.take(&mut self.inbox, false);
        for job in self.inbox.drain(..) {
            self.desk.admit(job);
        }
        if let Some(task) = self.stuck.take() {
            self.desk.fail(task, &error);
        }
        let desk = &mut self.desk;
        // If the kernel may still use the memory, that is leaked, and the callbacks with it.
        let _ = self.engine.close_with(|task| desk.fail(task, &error));
        self.desk.fail_all(&error);
        Err(error)
    }
}
