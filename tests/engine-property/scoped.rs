//! Scopes, on slices, with whatever else is in flight.

use std::io::{IoSlice, IoSliceMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use engine::{Backend, Scope, Ticket};
use proptest::prelude::*;

use crate::fold::fold;
use crate::judge::{Op, State, end};
use crate::memory::Buf;
use crate::model::{End, Flight, Verdict, What, fail};
use crate::plan::{Scoped, ScopedRequest, When};
use crate::run::Run;
use crate::script::Tag;
use crate::subject::Subject;
use crate::wording::{data, split};

/// The slices of a request.
enum Slices<'b> {
    Read(&'b mut [u8]),
    Write(&'b [u8]),
    ReadVectored(Vec<IoSliceMut<'b>>),
    WriteVectored(Vec<IoSlice<'b>>),
}

impl<'b> Slices<'b> {
    fn new(buffer: &'b mut Buf, write: bool, lens: Option<&[usize]>) -> Self {
        let bytes = buffer.bytes_mut();
        match (write, lens) {
            (false, None) => Slices::Read(bytes),
            (true, None) => Slices::Write(bytes),
            (false, Some(lens)) => {
                let mut rest = bytes;
                let part = |&len: &usize| {
                    let (part, others) = std::mem::take(&mut rest).split_at_mut(len);
                    rest = others;
                    IoSliceMut::new(part)
                };
                Slices::ReadVectored(lens.iter().map(part).collect())
            }
            (true, Some(lens)) => {
                let mut rest = &*bytes;
                let part = |&len: &usize| {
                    let (part, others) = rest.split_at(len);
                    rest = others;
                    IoSlice::new(part)
                };
                Slices::WriteVectored(lens.iter().map(part).collect())
            }
        }
    }
}

/// One request, and what it came to if that was asked.
struct Asked<'r> {
    request: &'r ScopedRequest,
    tag: Tag,
    buffer: Buf,
    lens: Option<Vec<usize>>,
    begun: bool,
    cancelled: bool,
    end: Option<End>,
}

impl<S: Subject> Run<S> {
    pub(crate) fn scope(&mut self, scoped: &Scoped) -> Verdict {
        let endless = self.state.model.flights.len() - self.finite() + self.state.lost;
        if endless >= self.engine().capacity() {
            // It would wait for room.
            return Ok(());
        }
        let mut all = Vec::new();
        for request in &scoped.requests {
            all.extend(self.state.prepare(request));
        }
        let file = self.world.both_ways.clone();
        let (slices, buffers): (Vec<_>, Vec<_>) = all
            .iter_mut()
            .map(|asked| {
                let Asked { request, tag, buffer, lens, begun, cancelled, end } = asked;
                let slices = Slices::new(buffer, request.write, lens.as_deref());
                (slices, (*request, *tag, begun, cancelled, end))
            })
            .unzip();
        let mut slices = slices;
        let slices_in_scope = &mut slices;
        let script = self.state.script.clone();
        let engine = self.engine.as_mut().expect("there is an engine but while it is renewed");
        let panics = scoped.panic;
        let file_in_scope = &file;
        let run = AssertUnwindSafe(|| {
            engine.scope(|scope| {
                let mut later = Vec::new();
                for (slices, (request, tag, begun, cancelled, ended)) in
                    slices_in_scope.iter_mut().zip(buffers)
                {
                    script.borrow_mut().tag = tag;
                    // An error is one of a call, and nothing was begun.
                    let Ok(ticket) = start(scope, file_in_scope, slices, request.place.offset) else {
                        continue;
                    };
                    *begun = true;
                    if request.cancel {
                        *cancelled = true;
                        let _ = scope.cancel(ticket);
                    }
                    match request.wait {
                        When::AtOnce => {
                            script.borrow_mut().calm = true;
                            *ended = Some(end(scope.wait(ticket)));
                            script.borrow_mut().calm = false;
                        }
                        When::Never if !request.cancel => {}
                        _ => later.push((ticket, ended)),
                    }
                }
                // What fails now is told of the operation, which nobody could tell from the call.
                script.borrow_mut().calm = true;
                for (ticket, ended) in later.into_iter().rev() {
                    *ended = Some(end(scope.wait(ticket)));
                }
                if panics {
                    resume_unwind(Box::new(()));
                }
                Ok(())
            })
        });
        let returned = catch_unwind(run);
        self.state.script.borrow_mut().calm = false;
        drop(slices);
        prop_assert_eq!(returned.is_err(), scoped.panic, "a panic");
        let mut failed = false;
        for asked in all {
            failed |= self.state.asked(asked)?;
        }
        match returned {
            Ok(Ok(())) => prop_assert!(!failed, "a scope does not tell of what has failed"),
            Ok(Err(error)) => prop_assert!(failed, "a scope fails: {error}"),
            Err(_) => {}
        }
        Ok(())
    }
}

fn start<'env, B: Backend>(
    scope: &Scope<'_, 'env, Op, B>,
    file: &'env Arc<std::fs::File>,
    slices: &'env mut Slices<'_>,
    offset: u64,
) -> std::io::Result<Ticket> {
    match slices {
        Slices::Read(bytes) => scope.read_at(file, bytes, offset),
        Slices::Write(bytes) => scope.write_at(file, bytes, offset),
        Slices::ReadVectored(parts) => scope.read_vectored_at(file, parts, offset),
        Slices::WriteVectored(parts) => scope.write_vectored_at(file, parts, offset),
    }
}

impl State {
    /// Notes a request and makes its buffer, unless it depends on others.
    fn prepare<'r>(&mut self, request: &'r ScopedRequest) -> Option<Asked<'r>> {
        let ScopedRequest { write, place, parts, .. } = *request;
        let number = self.accepted << 6 | self.model.flights.len() as u64;
        let (what, buffer) = if write {
            let data = data(number, place.len);
            let buffer = Buf::of(self.kind, &data);
            (What::Write(place, data), buffer)
        } else {
            (What::Read(place), Buf::untouched(self.kind, place.len))
        };
        let tag = self.model.depart(what, None)?;
        let lens = (parts > 0).then(|| split(self.kind, place.len, parts, tag));
        Some(Asked { request, tag, buffer, lens, begun: false, cancelled: false, end: None })
    }

    /// Checks a request after its scope, and says whether that has to tell of it.
    fn asked(&mut self, asked: Asked<'_>) -> Verdict<bool> {
        let Asked { tag, buffer, begun, cancelled, end, request, .. } = asked;
        let Some(mut flight) = self.model.flights.remove(&tag) else {
            return Err(fail(format!("{request:?} was over already")));
        };
        flight.cancelled = cancelled;
        let record = self.script.borrow_mut().records.remove(&tag);
        prop_assert!(buffer.is_intact(), "bytes around a slice");
        if !begun {
            return Ok(false);
        }
        self.accepted += 1;
        let folded = record.as_ref().map(|record| fold(&record.events, &flight.what, true));
        // What nobody asked for is what it should be, or the scope tells.
        let said = match (end, &folded) {
            (Some(end), _) => end,
            (None, Some(folded)) => {
                folded.end.ok_or_else(|| fail(format!("not over: {flight:?}, {record:?}")))?
            }
            (None, None) => self.model.expected(&flight),
        };
        let transferred = match (&folded, said) {
            (Some(folded), _) => folded.transferred,
            (None, Ok(count)) => count,
            (None, Err(_)) => 0,
        };
        self.told(&flight, record.as_ref(), said, transferred)?;
        let reached = self.reached(&flight, record.as_ref(), said, transferred);
        // Of what was cancelled a scope does not tell how much was read before.
        if record.is_some() || said.is_ok() || !cancelled {
            self.read_or_written(&flight, &buffer, transferred, reached)?;
        }
        Ok(end.is_none() && said != Ok(request.place.len))
    }

    fn read_or_written(&self, flight: &Flight, buffer: &Buf, transferred: usize, reached: usize) -> Verdict {
        if let What::Write(_, data) = &flight.what {
            prop_assert!(buffer.bytes() == data, "what was written has changed in memory");
        }
        self.has_read(flight, buffer.bytes(), transferred, reached)
    }
}
