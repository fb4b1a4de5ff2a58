//! What is checked of an operation that is over.

use std::io;
use std::ops::RangeInclusive;

use engine::operation::Operations;
use engine::{Id, Stats};
use proptest::prelude::*;

use crate::fold::fold;
use crate::memory::{Buf, UNTOUCHED, holds};
use crate::model::{End, Flight, Model, Verdict, WRITE_ZERO, What, fail};
use crate::plan::Kind;
use crate::script::{Event, Record, Shared, Tag};
use crate::world::Handle;

/// What the engines are for.
pub(crate) type Op = (Operations<Handle, Buf>, Tag);

/// The model, and what it has seen of one engine.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) kind: Kind,
    pub(crate) model: Model,
    pub(crate) script: Shared,
    /// The back end is one that keeps the script.
    pub(crate) faulty: bool,
    /// Operations of this engine that were handed out.
    pub(crate) completed: u64,
    /// Its places that were leaked.
    pub(crate) lost: usize,
    /// What its statistics have to say.
    retries: RangeInclusive<u64>,
    shorts: RangeInclusive<u64>,
    /// The names of what is over.
    pub(crate) stale: Vec<Id>,
    /// All that were accepted.
    pub(crate) accepted: u64,
}

pub(crate) fn end(result: io::Result<usize>) -> End {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::WriteZero => WRITE_ZERO,
        // An error without an errno becomes one that no operation is expected to give.
        _ => error.raw_os_error().unwrap_or(0),
    })
}

impl State {
    pub(crate) fn new(kind: Kind, content: Vec<u8>, script: Shared, faulty: bool) -> State {
        State {
            kind,
            model: Model::new(content),
            script,
            faulty,
            completed: 0,
            lost: 0,
            retries: 0..=0,
            shorts: 0..=0,
            stale: Vec::new(),
            accepted: 0,
        }
    }

    /// Another engine is made.
    pub(crate) fn renew(&mut self) {
        self.script.borrow_mut().renew();
        (self.completed, self.lost) = (0, 0);
        (self.retries, self.shorts) = (0..=0, 0..=0);
        self.stale.clear();
        self.model.flights.clear();
    }

    /// Checks an operation that an engine has handed out. Returns what is wrong with its descriptor.
    pub(crate) fn over(
        &mut self,
        id: Id,
        operation: &Op,
        result: io::Result<usize>,
        transferred: usize,
    ) -> Verdict<Option<i32>> {
        let (operation, tag) = operation;
        let Some(flight) = self.model.flights.remove(tag) else {
            return Err(fail(format!("{operation:?} is over, and not in flight: {result:?}")));
        };
        prop_assert_eq!(flight.id, Some(id));
        self.completed += 1;
        self.stale.push(id);
        let record = self.script.borrow_mut().records.remove(tag);
        let end = end(result);
        self.told(&flight, record.as_ref(), end, transferred)?;
        let reached = self.reached(&flight, record.as_ref(), end, transferred);
        let buffers = buffers(operation);
        prop_assert!(buffers.iter().all(|buffer| buffer.is_intact()), "bytes around a buffer");
        match &flight.what {
            What::Read(_) => self.was_read(&flight, &buffers, transferred, reached)?,
            What::Write(_, data) => {
                prop_assert!(joined(&buffers) == *data, "what was written has changed in memory");
            }
            _ => {}
        }
        Ok(flight.errno)
    }

    /// Checks what is said of an operation, and notes what it should have counted.
    pub(crate) fn told(
        &mut self,
        flight: &Flight,
        record: Option<&Record>,
        end: End,
        transferred: usize,
    ) -> Verdict {
        let expected = self.model.expected(flight);
        let told = format!("{flight:?}, {record:?}: {end:?} after {transferred} bytes");
        let poll_without_cause = end.is_ok() && matches!(flight.what, What::Poll(_, false));
        let Some(record) = record else {
            prop_assert!(!self.faulty, "without a record: {told}");
            let cancelled = flight.cancelled && end == Err(libc::ECANCELED);
            prop_assert!(end == expected || cancelled, "expected {expected:?}: {told}");
            let all = end.is_err() || flight.what.len().is_none_or(|_| end == Ok(transferred));
            prop_assert!(all && !poll_without_cause, "{told}");
            return Ok(());
        };
        let folded = fold(&record.events, &flight.what, flight.id.is_none());
        prop_assert_eq!(transferred, folded.transferred, "bytes: {}", told);
        let slack = u64::from(flight.cancelled) * record.events.len() as u64;
        let wider = |range: &RangeInclusive<u64>, by| range.start() + by..=range.end() + by + slack;
        if flight.cancelled {
            self.retries = *self.retries.start()..=self.retries.end() + slack;
            self.shorts = *self.shorts.start()..=self.shorts.end() + slack;
            let last = record.events.iter().rev().find_map(|event| match event {
                Event::Result { answer: Err(errno), .. } | Event::Refused(errno) => Some(Err(*errno)),
                _ => None,
            });
            let allowed = [Some(Err(libc::ECANCELED)), folded.end, last];
            prop_assert!(allowed.contains(&Some(end)), "cancelled: {told}");
            return Ok(());
        }
        self.retries = wider(&self.retries, folded.retries);
        self.shorts = wider(&self.shorts, folded.shorts);
        prop_assert!(!folded.more, "a request after the last one: {told}");
        prop_assert_eq!(Some(end), folded.end, "{}", told);
        prop_assert!(folded.injected || end == expected, "expected {expected:?}: {told}");
        prop_assert!(folded.injected || !poll_without_cause, "{told}");
        Ok(())
    }

    /// Does to the model what the operation has done, and returns how many bytes that were.
    pub(crate) fn reached(
        &mut self,
        flight: &Flight,
        record: Option<&Record>,
        end: End,
        transferred: usize,
    ) -> usize {
        let (reached, happened) =
            record.map_or((transferred, end.is_ok()), |record| (record.reached, record.happened));
        self.model.apply(&flight.what, reached, happened);
        reached
    }

    /// Checks what was read, of which the engine has told the buffers.
    fn was_read(&self, flight: &Flight, buffers: &[&Buf], transferred: usize, reached: usize) -> Verdict {
        let mut left = transferred;
        for buffer in buffers {
            let count = left.min(buffer.bytes().len());
            left -= count;
            prop_assert_eq!(buffer.init(), count, "the length of a buffer: {:?}", flight);
        }
        self.has_read(flight, &joined(buffers), transferred, reached)
    }

    pub(crate) fn has_read(
        &self,
        flight: &Flight,
        bytes: &[u8],
        transferred: usize,
        reached: usize,
    ) -> Verdict {
        let What::Read(place) = flight.what else { return Ok(()) };
        let (read, rest) = bytes.split_at(transferred);
        prop_assert!(read == self.model.bytes(place.offset, transferred), "what was read: {flight:?}");
        // A disk transfers whole blocks.
        let untouched = reached.saturating_sub(transferred);
        let rest = &rest[untouched.min(rest.len())..];
        prop_assert!(self.kind == Kind::Direct || holds(rest, UNTOUCHED), "beyond what was read: {flight:?}");
        Ok(())
    }

    /// Checks what an engine says about itself.
    pub(crate) fn stats(&self, stats: Stats) -> Verdict {
        let in_flight = self.model.flights.len() + self.lost;
        prop_assert_eq!(stats.in_flight, in_flight);
        prop_assert_eq!(stats.completed, self.completed);
        prop_assert_eq!(stats.submitted, self.completed + in_flight as u64);
        if self.faulty && self.model.flights.is_empty() {
            prop_assert!(self.retries.contains(&stats.retries), "{stats:?}, not {:?}", self.retries);
            prop_assert!(self.shorts.contains(&stats.short_transfers), "{stats:?}, not {:?}", self.shorts);
        }
        Ok(())
    }
}

fn joined(buffers: &[&Buf]) -> Vec<u8> {
    buffers.iter().map(|buffer| buffer.bytes()).collect::<Vec<_>>().concat()
}

fn buffers(operation: &Operations<Handle, Buf>) -> Vec<&Buf> {
    match operation {
        Operations::Read(read) => vec![&read.buffer],
        Operations::Write(write) => vec![&write.buffer],
        Operations::ReadVectored(read) => read.buffers().iter().collect(),
        Operations::WriteVectored(write) => write.buffers().iter().collect(),
        _ => Vec::new(),
    }
}
