//! What is tried: an engine of some size with faults of some sorts, and a sequence of steps on it. All of it prints and
//! shrinks; which faults there are where follows from a seed.

use std::fmt;

/// The bytes that files have at first: neither a whole number of pages nor of blocks.
pub(crate) const SIZE: usize = 22 * DIRECT_UNIT + 77;
/// How far behind that end places lie.
pub(crate) const BEYOND: usize = 6 * DIRECT_UNIT;
/// What direct transfers are multiples of.
pub(crate) const DIRECT_UNIT: usize = 4096;
pub(crate) const PIPES: usize = 2;

/// Whether the file is opened for direct I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Buffered,
    Direct,
}

impl Kind {
    /// Places, lengths and splits are multiples of this.
    pub(crate) const fn unit(self) -> usize {
        match self {
            Kind::Buffered => 1,
            Kind::Direct => DIRECT_UNIT,
        }
    }
}

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) steps: Vec<Step>,
    /// At the end, take everything; or drop the engine with whatever it has.
    pub(crate) drain: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.setup)?;
        for (nth, step) in self.steps.iter().enumerate() {
            writeln!(f, "{nth:4}: {step:?}")?;
        }
        writeln!(f, " end: {}", if self.drain { "drain" } else { "drop" })
    }
}

/// What the engine is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) kind: Kind,
    pub(crate) depth: usize,
    pub(crate) rates: Rates,
    /// Of the faults.
    pub(crate) seed: u64,
    /// The file is put in the ring's table.
    pub(crate) registered: bool,
}

/// How often there is a fault of a sort, in 256ths of the occasions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    /// A request is passed on with less to do.
    pub(crate) short: u8,
    /// A request is answered and not passed on.
    pub(crate) answer: u8,
    /// A request is done, at least in part, and said to have failed.
    pub(crate) spoil: u8,
    /// A request is not taken for want of room.
    pub(crate) full: u8,
    /// A request is refused otherwise.
    pub(crate) refuse: u8,
    /// A completion is held back.
    pub(crate) late: u8,
    /// A submit, a wait or a cancellation fails.
    pub(crate) calls: u8,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Add(Request),
    /// The request, until there is no room.
    Fill(Request),
    Submit,
    Take(Take),
    /// Everything, after what would never end was seen to.
    Drain,
    /// One in flight, by age.
    Cancel(usize),
    /// One that is over.
    CancelStale(usize),
    CancelAll,
    /// Something is written to a pipe, or read from it.
    Kick(usize),
    Quiet(usize),
    Scope(Scoped),
    /// The engine is dropped as it is, and another one made; or closed.
    Renew {
        close: bool,
    },
}

/// Bytes of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) len: usize,
}

/// Through which descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Open for both, in the table of the ring if so wished.
    Usual,
    /// Open for what is done.
    OneWay,
    /// Open for the other.
    WrongWay,
    /// `O_PATH`.
    NameOnly,
}

#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Of as many buffers as parts; of one buffer, without a vector, if there are none.
    Transfer {
        write: bool,
        place: Place,
        parts: usize,
        door: Door,
    },
    Sync {
        data_only: bool,
        door: Door,
    },
    Control {
        what: Control,
        place: Place,
        door: Door,
    },
    Poll {
        pipe: usize,
        door: Door,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Allocate,
    PunchHole,
    Discard,
    WriteZeroes { unmap: bool },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Completions,
    Wait,
    WaitNr(usize),
    WaitTimeout { millis: u64 },
}

/// Some completions are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Take {
    pub(crate) how: How,
    /// Not more than these.
    pub(crate) most: Option<usize>,
    pub(crate) way: Way,
}

/// What is done with an operation that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Next,
    IntoCompletion,
    Drop,
    /// It is added again, so far behind where it was.
    Again {
        shift: u64,
    },
    /// The first one is leaked, and its place with it.
    Forget,
}

/// A scope.
#[derive(Clone, Debug)]
pub(crate) struct Scoped {
    pub(crate) requests: Vec<ScopedRequest>,
    /// The closure panics when it is through.
    pub(crate) panic: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ScopedRequest {
    pub(crate) write: bool,
    pub(crate) place: Place,
    /// As of a transfer.
    pub(crate) parts: usize,
    pub(crate) cancel: bool,
    /// The result is waited for at once, after all others are added, or not at all.
    pub(crate) wait: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    AtOnce,
    Later,
    Never,
}
