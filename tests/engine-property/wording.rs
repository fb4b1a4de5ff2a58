//! Makes operations of requests.

use std::mem;

use engine::operation::{
    Allocate, Discard, Operations, Poll, Read, ReadVectored, Sync, Write, WriteVectored, WriteZeroes,
};

use crate::judge::Op;
use crate::memory::Buf;
use crate::model::What;
use crate::plan::{Control, Door, Kind, Place, Request};
use crate::run::Run;
use crate::script::Tag;
use crate::subject::Subject;
use crate::world::Handle;

/// What is to be written: different each time, and each eight bytes.
pub(crate) fn data(tag: Tag, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (chunk, at) in bytes.chunks_mut(8).zip(1_u64..) {
        let number = (tag << 32 | at).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        chunk.copy_from_slice(&number[..chunk.len()]);
    }
    bytes
}

/// The lengths of so many buffers that have a length together, some of them empty.
pub(crate) fn split(kind: Kind, len: usize, parts: usize, seed: u64) -> Vec<usize> {
    let units = len / kind.unit();
    let mut cuts: Vec<_> =
        (1..parts as u64).map(|nth| (seed.wrapping_mul(nth * 7919) % (units as u64 + 1)) as usize).collect();
    cuts.sort_unstable();
    cuts.push(units);
    let mut before = 0;
    cuts.into_iter().map(|cut| (cut - mem::replace(&mut before, cut)) * kind.unit()).collect()
}

impl<S: Subject> Run<S> {
    /// Words an operation, if there is one of the kind now.
    pub(crate) fn word(&mut self, request: &Request) -> Option<Op> {
        let kind = self.setup.kind;
        let model = &mut self.state.model;
        let next = |place: Place| data(self.state.accepted << 6 | model.flights.len() as u64, place.len);
        let errno = |door: Door, bad: &[Door]| bad.contains(&door).then_some(libc::EBADF);
        let bad = [Door::WrongWay, Door::NameOnly];
        let (what, errno, door) = match *request {
            Request::Transfer { write: false, place, door, .. } => {
                (What::Read(place), errno(door, &bad), door)
            }
            Request::Transfer { place, door, .. } => {
                (What::Write(place, next(place)), errno(door, &bad), door)
            }
            Request::Sync { door, .. } => (What::Sync, errno(door, &bad[1..]), door),
            Request::Control { .. } if !self.world.has_holes => return None,
            Request::Control { what, mut place, door } => {
                place.len = place.len.max(kind.unit());
                (What::Control(what, place), errno(door, &bad), door)
            }
            Request::Poll { pipe, door } => {
                let what = What::Poll(pipe, self.world.pipes[pipe].loaded);
                (what, errno(door, &bad[1..]), door)
            }
        };
        let write = !matches!(what, What::Read(_));
        let file = match (door, &what) {
            (Door::NameOnly, _) | (_, What::Read(_) | What::Write(..) | What::Sync | What::Control(..)) => {
                if door == Door::Usual {
                    self.usual.clone()
                } else {
                    Handle::Plain(self.world.file(door, write).clone())
                }
            }
            (_, What::Poll(pipe, _)) => Handle::Plain(self.world.pipes[*pipe].reader.clone()),
        };
        let tag = model.depart(what.clone(), errno)?;
        let lens = |parts, len| split(kind, len, parts, tag);
        let operation: Operations<Handle, Buf> = match (request, what) {
            (Request::Transfer { parts: 0, .. }, What::Read(place)) => {
                Read::new(file, Buf::untouched(kind, place.len), place.offset).into()
            }
            (Request::Transfer { parts: 0, .. }, What::Write(place, data)) => {
                Write::new(file, Buf::of(kind, &data), place.offset).into()
            }
            (Request::Transfer { parts, .. }, What::Read(place)) => {
                let buffers = lens(*parts, place.len).into_iter().map(|len| Buf::untouched(kind, len));
                ReadVectored::new(file, buffers.collect(), place.offset).into()
            }
            (Request::Transfer { parts, .. }, What::Write(place, data)) => {
                let mut rest = &data[..];
                let buffers = lens(*parts, place.len).into_iter().map(|len| {
                    let (part, others) = rest.split_at(len);
                    rest = others;
                    Buf::of(kind, part)
                });
                WriteVectored::new(file, buffers.collect(), place.offset).into()
            }
            (Request::Sync { data_only, .. }, _) => Sync { file, data_only: *data_only }.into(),
            (Request::Poll { .. }, _) => Poll { file, events: libc::POLLIN }.into(),
            (_, What::Control(control, Place { offset, len })) => {
                let len = len as u64;
                match control {
                    Control::Allocate => Allocate::new(file, offset, len).into(),
                    Control::PunchHole => Allocate::punch_hole(file, offset, len).into(),
                    Control::Discard => Discard { file, offset, len }.into(),
                    Control::WriteZeroes { unmap } => WriteZeroes { file, offset, len, unmap }.into(),
                }
            }
            (request, what) => unreachable!("{request:?} is not {what:?}"),
        };
        Some((operation, tag))
    }
}
