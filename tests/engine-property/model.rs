//! What should be: the bytes of the file, and what is in flight.

use std::collections::BTreeMap;
use std::ops::Range;

use engine::Id;
use proptest::test_runner::TestCaseError;

use crate::plan::{Control, Place};
use crate::script::Tag;

pub(crate) type Verdict<T = ()> = Result<T, TestCaseError>;
/// What an operation comes to, or its errno.
pub(crate) type End = Result<usize, i32>;

/// Stands for [`std::io::ErrorKind::WriteZero`], which has no errno.
pub(crate) const WRITE_ZERO: i32 = -1;

#[derive(Clone, Debug)]
pub(crate) enum What {
    Read(Place),
    Write(Place, Vec<u8>),
    Sync,
    Control(Control, Place),
    /// And whether there was something in the pipe since.
    Poll(usize, bool),
}

impl What {
    /// Bytes of a transfer.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            What::Read(place) | What::Write(place, _) => Some(place.len),
            _ => None,
        }
    }

    pub(crate) fn is_read(&self) -> bool {
        matches!(self, What::Read(_))
    }
}

#[derive(Debug)]
pub(crate) struct Flight {
    /// None within a scope.
    pub(crate) id: Option<Id>,
    pub(crate) what: What,
    /// Of the descriptor.
    pub(crate) errno: Option<i32>,
    pub(crate) cancelled: bool,
    /// The cancellation has gone well, so that a poll ends.
    pub(crate) ends: bool,
    claim: Option<(Range<u64>, bool)>,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) content: Vec<u8>,
    /// In the order in which they were added.
    pub(crate) flights: BTreeMap<Tag, Flight>,
    next_tag: Tag,
}

impl Model {
    pub(crate) fn new(content: Vec<u8>) -> Model {
        Model { content, flights: BTreeMap::new(), next_tag: 0 }
    }

    /// Notes an operation that is about to be added, unless what it says depends on others that are in flight.
    pub(crate) fn depart(&mut self, what: What, errno: Option<i32>) -> Option<Tag> {
        let claim = if errno.is_some() { None } else { self.claim(&what) };
        if let Some((range, exclusive)) = &claim {
            let mut others = self.flights.values().filter_map(|flight| flight.claim.as_ref());
            let conflict = |(other, others): &(Range<u64>, bool)| {
                (*exclusive || *others) && other.start < range.end && range.start < other.end
            };
            if others.any(conflict) {
                return None;
            }
        }
        self.next_tag += 1;
        self.flights
            .insert(self.next_tag, Flight { id: None, what, errno, cancelled: false, ends: false, claim });
        Some(self.next_tag)
    }

    /// The bytes that an operation uses, and whether it changes them. Whatever goes beyond the end of the file depends on where
    /// that is.
    fn claim(&self, what: &What) -> Option<(Range<u64>, bool)> {
        let (place, exclusive) = match what {
            What::Read(place) => (place, false),
            What::Write(place, _) | What::Control(_, place) => (place, true),
            What::Sync | What::Poll(..) => return None,
        };
        let (size, end) = (self.content.len() as u64, place.offset + place.len as u64);
        match place.len {
            0 => None,
            _ if end > size => Some((place.offset.min(size)..u64::MAX, exclusive)),
            _ => Some((place.offset..end, exclusive)),
        }
    }

    /// What an operation comes to that nothing happens to.
    pub(crate) fn expected(&self, flight: &Flight) -> End {
        if let Some(errno) = flight.errno {
            return Err(errno);
        }
        Ok(match &flight.what {
            What::Read(place) => self.content.len().saturating_sub(place.offset as usize).min(place.len),
            What::Write(place, _) => place.len,
            What::Sync | What::Control(..) => 0,
            What::Poll(..) => libc::POLLIN as usize,
        })
    }

    /// What stands at a place.
    pub(crate) fn bytes(&self, offset: u64, len: usize) -> &[u8] {
        &self.content[(offset as usize).min(self.content.len())..][..len]
    }

    /// Does the first `reached` bytes of a transfer, or what is none.
    pub(crate) fn apply(&mut self, what: &What, reached: usize, happened: bool) {
        match what {
            What::Write(place, data) => {
                let start = place.offset as usize;
                if reached > 0 {
                    self.grow(start + reached);
                    self.content[start..][..reached].copy_from_slice(&data[..reached]);
                }
            }
            What::Control(control, place) if happened => {
                let (start, end) = (place.offset as usize, place.offset as usize + place.len);
                if matches!(control, Control::Allocate | Control::WriteZeroes { .. }) {
                    self.grow(end);
                }
                if *control != Control::Allocate {
                    let size = self.content.len();
                    self.content[start.min(size)..end.min(size)].fill(0);
                }
            }
            _ => {}
        }
    }

    fn grow(&mut self, size: usize) {
        self.content.resize(size.max(self.content.len()), 0);
    }

    /// Takes the file for what it is after an end in mid flight: each byte that was being changed is what it was or what it
    /// should have become.
    pub(crate) fn adopt(&mut self, actual: Vec<u8>) -> Verdict {
        let mut most = Model::new(self.content.clone());
        for flight in self.flights.values().filter(|flight| flight.errno.is_none()) {
            most.apply(&flight.what, flight.what.len().unwrap_or(0), true);
        }
        let (least, most) = (self.content.len(), most.content.len());
        if !(least..=most).contains(&actual.len()) {
            return Err(fail(format!("{} bytes in the file, not {least} to {most}", actual.len())));
        }
        self.grow(actual.len());
        self.content.truncate(actual.len());
        for flight in self.flights.values().filter(|flight| flight.errno.is_none()) {
            let Some((place, data)) = (match &flight.what {
                What::Write(place, data) => Some((place, Some(data))),
                What::Control(control, place) if *control != Control::Allocate => Some((place, None)),
                _ => None,
            }) else {
                continue;
            };
            let start = place.offset as usize;
            for at in start..(start + place.len).min(actual.len()) {
                let new = data.map_or(0, |data| data[at - start]);
                if actual[at] == new {
                    self.content[at] = new;
                }
            }
        }
        self.compare(&actual)
    }

    /// Compares the whole file.
    pub(crate) fn compare(&self, actual: &[u8]) -> Verdict {
        if actual == self.content {
            return Ok(());
        }
        let at = actual.iter().zip(&self.content).position(|(a, b)| a != b);
        let (is, should) = (actual.len(), self.content.len());
        Err(fail(format!("the file differs at {at:?}; it has {is} bytes and should have {should}")))
    }
}

pub(crate) fn fail(text: String) -> TestCaseError {
    TestCaseError::fail(text)
}
