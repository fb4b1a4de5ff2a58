//! Operations: requests that have found their place in the file, their memory and their name.

use std::ops::Range;
use std::os::fd::AsFd;
use std::time::Duration;

use libc::{c_int, iovec};

use crate::driven::{Call, Extras, On, Way};
use crate::memory::{Block, Part};
use crate::plan::{Kind, Mode, PIPES, Pollable, Syncable, Twist, UNITS};
use crate::world::{World, not_open};

#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) id: u64,
    /// Its user_data.
    pub(crate) name: u64,
    pub(crate) action: Action,
    pub(crate) claim: Claim,
}

#[derive(Debug)]
pub(crate) enum Action {
    Transfer(Placed),
    Sync { data_only: bool, on: Syncable },
    Poll(Pollable),
    Cancel { target: Option<Target>, poll_only: bool },
    Nop,
    Timeout { long: bool },
    PipeRead { pipe: usize, block: Block },
    Allocate { offset: u64, len: u64, mode: Mode },
}

/// A read or write with all that it needs.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) kind: Kind,
    pub(crate) write: bool,
    pub(crate) way: Way,
    pub(crate) twist: Twist,
    pub(crate) offset: u64,
    pub(crate) extras: Extras,
    pub(crate) block: Block,
    pub(crate) layout: Vec<Part>,
}

/// What a cancellation is after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) name: u64,
    /// This context can cancel such an operation in this way.
    pub(crate) is_effective: bool,
}

/// What an operation has for itself until its completion is taken, so that its result depends on nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claim {
    /// Places in the body of the file.
    pub(crate) units: Range<usize>,
    /// What lies behind the body, and how long the file is.
    pub(crate) end: bool,
    pub(crate) pipe: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Claims {
    units: [bool; UNITS],
    end: bool,
    pipes: [bool; 2 * PIPES],
}

impl Claims {
    /// Finds so many free places in a row, from a first one on and around.
    pub(crate) fn find(&self, first: usize, count: usize) -> Option<Range<usize>> {
        let starts = (first..UNITS).chain(0..first);
        let mut ranges = starts.map(|start| start..start + count);
        ranges.find(|range| range.end <= UNITS && !self.units[range.clone()].contains(&true))
    }

    /// Claims all of it, if all of it is free.
    pub(crate) fn take(&mut self, claim: &Claim) -> bool {
        let taken = self.units[claim.units.clone()].contains(&true)
            || claim.end && self.end
            || claim.pipe.is_some_and(|pipe| self.pipes[pipe]);
        if !taken {
            self.mark(claim, true);
        }
        !taken
    }

    pub(crate) fn release(&mut self, claim: &Claim) {
        self.mark(claim, false);
    }

    fn mark(&mut self, claim: &Claim, taken: bool) {
        self.units[claim.units.clone()].fill(taken);
        self.end = if claim.end { taken } else { self.end };
        if let Some(pipe) = claim.pipe {
            self.pipes[pipe] = taken;
        }
    }
}

impl Op {
    /// The arguments for the context.
    pub(crate) fn call<'a>(&mut self, world: &'a World) -> Call<'a> {
        match &mut self.action {
            Action::Transfer(placed) => Call::Transfer {
                write: placed.write,
                way: placed.way,
                iovecs: placed.block.iovecs(&placed.layout, &world.hole),
                on: match placed.twist {
                    Twist::Registered => On::Table(0),
                    Twist::BeyondTable => On::Table(77),
                    twist => On::Fd(world.subject.of(twist, placed.write)),
                },
                offset: placed.offset,
                extras: placed.extras,
            },
            Action::Sync { data_only, on } => Call::Sync {
                data_only: *data_only,
                on: On::Fd(match on {
                    Syncable::File => world.subject.both_ways.as_fd(),
                    Syncable::ReadOnly => world.subject.read_only.as_fd(),
                    Syncable::NameOnly => world.subject.name_only.as_fd(),
                    Syncable::NotOpen => not_open(),
                    Syncable::Pipe => world.pipes[0].reader.as_fd(),
                }),
            },
            Action::Poll(on) => {
                let (fd, events) = match *on {
                    Pollable::Pipe(pipe) => (world.pipes[pipe].reader.as_fd(), libc::POLLIN),
                    Pollable::Writable(pipe) => (world.pipes[pipe].writer.as_fd(), libc::POLLOUT),
                    Pollable::HungUp => (world.hung_up.as_fd(), libc::POLLIN),
                    Pollable::File => (world.subject.both_ways.as_fd(), libc::POLLIN),
                    Pollable::NotOpen => (not_open(), libc::POLLIN),
                };
                Call::Poll { on: fd, events }
            }
            Action::Cancel { target, poll_only } => {
                Call::Cancel { target: target.map_or(u64::MAX, |target| target.name), poll_only: *poll_only }
            }
            Action::Nop => Call::Nop,
            Action::Timeout { long: true } => Call::Timeout(Duration::from_secs(3600)),
            Action::Timeout { long: false } => Call::Timeout(Duration::from_micros(self.id % 3 * 100)),
            Action::PipeRead { pipe, block } => {
                let layout = [Part { at: Some(0), len: block.len() }];
                Call::Transfer {
                    write: false,
                    way: Way::Plain,
                    iovecs: block.iovecs(&layout, &world.hole),
                    on: On::Fd(world.pipes[*pipe].reader.as_fd()),
                    offset: 0,
                    extras: Extras::default(),
                }
            }
            Action::Allocate { offset, len, mode } => Call::Allocate {
                on: On::Fd(world.subject.both_ways.as_fd()),
                offset: *offset,
                len: *len,
                mode: mode.bits(),
            },
        }
    }

    /// The buffer, if it has one.
    pub(crate) fn block(&self) -> Option<&Block> {
        match &self.action {
            Action::Transfer(placed) => Some(&placed.block),
            Action::PipeRead { block, .. } => Some(block),
            _ => None,
        }
    }

    /// Whether it changes the file.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self.action, Action::Transfer(Placed { write: true, .. }) | Action::Allocate { .. })
    }

    pub(crate) fn is_poll(&self) -> bool {
        matches!(self.action, Action::Poll(_))
    }

    /// Whether it completes by itself, or by nothing but what others do: given which pipes are loaded.
    pub(crate) fn is_certain(&self, loaded: &[bool]) -> bool {
        match self.action {
            Action::Poll(Pollable::Pipe(pipe)) | Action::PipeRead { pipe, .. } => loaded[pipe],
            Action::Timeout { long } => !long,
            _ => true,
        }
    }

    /// Whether somebody may cancel it: what happens is foreseen.
    pub(crate) fn can_be_cancelled(&self) -> bool {
        !matches!(self.action, Action::Cancel { .. } | Action::Allocate { .. })
    }
}

impl Placed {
    pub(crate) fn iovecs(&mut self, world: &World) -> Vec<iovec> {
        self.block.iovecs(&self.layout, &world.hole)
    }
}

impl Mode {
    pub(crate) fn bits(self) -> c_int {
        match self {
            Mode::Extend => 0,
            Mode::KeepSize => libc::FALLOC_FL_KEEP_SIZE,
            Mode::PunchHole => libc::FALLOC_FL_KEEP_SIZE | libc::FALLOC_FL_PUNCH_HOLE,
        }
    }
}
