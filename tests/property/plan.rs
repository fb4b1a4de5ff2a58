//! What is tried: a context of some size, and a sequence of steps on it. All of it prints and shrinks.
//!
//! A step says what is wanted, not where: which places are free to be read or written is decided as it runs, so that a
//! sequence stays a legal one when steps are taken out of it.

use std::fmt;

/// How many places of [`Kind::unit`] bytes the body of a file has.
pub(crate) const UNITS: usize = 24;
/// How many places a transfer covers at most.
pub(crate) const MOST_UNITS: usize = 3;
/// How many pipes are polled, and as many more are read from.
pub(crate) const PIPES: usize = 2;

/// Whether the files are opened for direct I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Buffered,
    Direct,
}

impl Kind {
    /// The bytes of one place.
    pub(crate) const fn unit(self) -> usize {
        match self {
            Kind::Buffered => 700,
            Kind::Direct => 4096,
        }
    }
}

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) steps: Vec<Step>,
    pub(crate) ending: Ending,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.setup)?;
        for (nth, step) in self.steps.iter().enumerate() {
            writeln!(f, "{nth:4}: {step:?}")?;
        }
        writeln!(f, " end: {:?}", self.ending)
    }
}

/// What the context is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) kind: Kind,
    pub(crate) entries: usize,
    /// The smallest completion ring that the kernel allows, instead of the usual one.
    pub(crate) least_completions: bool,
    /// The other way to reap: `defer_taskrun`, or every completion by system call.
    pub(crate) otherwise: bool,
    /// Operations of one sort have one user_data.
    pub(crate) shared_names: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Drain,
    /// Drops the context in mid-flight.
    Drop,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Add(Request),
    /// Adds until the queue is full, and once more.
    Fill(Request),
    Submit,
    Take(Take),
    Drain,
    /// Makes a pipe readable.
    Kick(usize),
    /// Empties a pipe, unless somebody waits for it.
    Quiet(usize),
    /// Looks whether the context's descriptor is readable.
    Readiness,
}

/// Takes completions.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) how: How,
    /// Takes no more than these from the iterator.
    pub(crate) most: Option<usize>,
    /// Leaks the iterator instead of dropping it.
    pub(crate) leak: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Completions,
    Wait,
    WaitNr(usize),
    WaitTimeout { millis: u64 },
}

#[derive(Clone, Debug)]
pub(crate) enum Request {
    Sync {
        data_only: bool,
        on: Syncable,
    },
    Transfer(Transfer),
    Poll(Pollable),
    /// Cancels one of the operations that are not completed.
    Cancel {
        nth: usize,
        poll_only: bool,
    },
    CancelNothing {
        poll_only: bool,
    },
    Nop,
    Timeout {
        long: bool,
    },
    PipeRead(usize),
    Allocate {
        place: Place,
        mode: Mode,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) write: bool,
    pub(crate) shape: Shape,
    pub(crate) place: Place,
    pub(crate) twist: Twist,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Plain,
    /// In so many parts, the first of the file last in memory; a part of no length among them.
    Vectored {
        parts: usize,
        iter: bool,
    },
    /// In a registered buffer.
    Registered,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In the body of the file: these places or the next free ones, less `skew` bytes at the front and `cut` at the end.
    Body { unit: usize, units: usize, skew: usize, cut: usize },
    /// Behind the body, where the file ends.
    End { unit: usize, units: usize, skew: usize, cut: usize },
    /// A write with `RWF_APPEND`.
    Append { units: usize, cut: usize },
    /// A read far past the end.
    Far,
    /// An offset below zero, as the kernel sees it.
    Negative,
}

/// What is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    Nothing,
    /// The descriptor is open for this direction only.
    OneWay,
    Dsync,
    Priority,
    /// The descriptor is open for the other direction only.
    WrongWay,
    /// The descriptor is `O_PATH`.
    NameOnly,
    NotOpen,
    /// The memory, or the last part of it, is not accessible.
    Inaccessible,
    /// No length.
    Empty,
    UnknownFlag,
    /// 1025 iovecs.
    TooMany,
    /// A registered file.
    Registered,
    /// A registered file that does not exist.
    BeyondTable,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Syncable {
    File,
    ReadOnly,
    NameOnly,
    NotOpen,
    Pipe,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Pollable {
    /// Ready once the pipe is kicked.
    Pipe(usize),
    /// The writing end, always ready.
    Writable(usize),
    /// A pipe that nobody can write to any more.
    HungUp,
    File,
    NotOpen,
}

/// Modes of `fallocate`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Extend,
    KeepSize,
    PunchHole,
}
