//! What handles, futures and the driver share.

use std::io;
use std::thread;
use std::time::Duration;

use std::sync::Arc;

use ::tokio::sync::Semaphore;

use super::bell::Bell;
use super::flight::Flight;
use super::gate::Gate;
use crate::backend::BackendKind;
use crate::completion::Completion;
use crate::engine::{Engine, Id};
use crate::operation::Operation;
use crate::request::Action;
use crate::sync::{Mutex, lock};
use crate::verdict::is_stream;

/// How often a kernel is asked again that has refused to say what is done.
const TRIES: u32 = 64;

pub(super) struct Shared {
    pub(super) gate: Gate<Engine<Flight>>,
    pub(super) bell: Bell,
    /// One for each free place in the engine. It is taken before an operation is added, and comes back when the engine has let go
    /// of it, whatever became of the future.
    pub(super) permits: Semaphore,
    pub(super) kind: BackendKind,
    pub(super) capacity: usize,
    /// Has no permits, and is closed when the engine is gone.
    ended: Semaphore,
    /// What the end said, for the first one who asks.
    verdict: Mutex<Option<io::Error>>,
}

impl Shared {
    pub(super) fn new(engine: Engine<Flight>) -> Self {
        let (kind, capacity) = (engine.backend().kind(), engine.capacity());
        Self {
            gate: Gate::new(engine),
            bell: Bell::new(),
            permits: Semaphore::new(capacity),
            kind,
            capacity,
            ended: Semaphore::new(0),
            verdict: Mutex::new(None),
        }
    }

    /// Lets no operation in any more, also none of those that wait.
    pub(super) fn close(&self) {
        self.gate.close();
        self.permits.close();
        self.bell.ring();
    }

    /// Waits until the engine is gone.
    pub(super) async fn ended(&self) -> io::Result<()> {
        // There are no permits, so it ends with the semaphore.
        let _ = self.ended.acquire().await;
        lock(&self.verdict).take().map_or(Ok(()), Err)
    }

    /// Nobody waits for the operation any more.
    pub(super) fn give_up(&self, id: Id) {
        // If it cannot be cancelled it ends when it does.
        let cancelled = self.gate.visit(|engine, _| is_endless(engine, id) && engine.cancel(id).is_ok());
        if cancelled == Some(true) {
            self.bell.ring();
        }
    }

    /// Ends the engine in a thread of its own, for it takes as long as what is in flight, and then some 30 ms with kernel AIO.
    pub(super) fn end_elsewhere(self: Arc<Self>) {
        self.gate.close();
        self.permits.close();
        let there = Arc::clone(&self);
        let started = thread::Builder::new().name("engine-end".into()).spawn(move || there.end());
        if started.is_err() {
            // No thread is to be had: better late than never.
            self.end();
        }
    }

    /// Delivers what is in flight, and ends the engine, if nobody else does.
    fn end(&self) {
        let Some(mut engine) = self.gate.take() else { return };
        cancel_endless(&mut engine);
        for _ in 0..TRIES {
            match engine.drain(deliver) {
                Ok(()) => break,
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
        // What could not be drained lands with `ECANCELED` now.
        if let Err(error) = engine.close() {
            *lock(&self.verdict) = Some(error);
        }
        self.ended.close();
    }
}

/// Hands an operation to its future.
#[inline]
pub(super) fn deliver(completion: Completion<Flight>) {
    let Completion { operation, result, transferred, .. } = completion;
    if let Some(waker) = operation.land(result, transferred) {
        waker.wake();
    }
}

/// Asks what may never end by itself to end.
pub(super) fn cancel_endless(engine: &mut Engine<Flight>) {
    let all: Vec<_> = engine.slots.names().map(Id).collect();
    for id in all {
        if is_endless(engine, id) {
            // If it cannot be cancelled it ends when it does.
            let _ = engine.cancel(id);
        }
    }
}

/// Whether an operation waits for somebody else to do something: a poll, and what reads or writes a pipe, a socket or the like.
fn is_endless(engine: &mut Engine<Flight>, id: Id) -> bool {
    let Some(slot) = engine.slots.get_mut(id.0 as u32 as usize) else { return false };
    if slot.name() != id.0 {
        return false;
    }
    // SAFETY: a name that is still right is of a place that is taken.
    let request = unsafe { slot.operation() }.request();
    match request.action {
        Action::Poll { .. } => true,
        Action::Read { .. }
        | Action::Write { .. }
        | Action::ReadVectored { .. }
        | Action::WriteVectored { .. } => is_stream(request.file.fd),
        _ => false,
    }
}
