//! What a case does: a ring and steps, as the fuzzer's bytes say them.

use arbitrary::Arbitrary;
use uring::ring::Builder;
use uring::{Completion, Ring, SqeFlags, Submission};

#[derive(Arbitrary, Debug)]
pub(crate) struct Plan {
    pub(crate) entry: Entry,
    pub(crate) setup: Setup,
    pub(crate) steps: Vec<Step>,
    /// Whether all requests are seen to their ends before the ring is.
    pub(crate) ends: bool,
}

/// What the entries of the ring are.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Entry {
    Usual,
    Large,
    Mixed,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Setup {
    entries: u8,
    cq_entries: Option<u8>,
    kind: Kind,
    no_mmap: bool,
    registered_fd_only: bool,
    disabled: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Usual,
    Coop,
    SingleIssuer,
    Defer,
    Rewind,
    Polled,
}

impl Setup {
    pub(crate) fn builder<S: Submission, C: Completion>(self) -> Builder<'static, S, C> {
        let entries = 1 + usize::from(self.entries % 32);
        let mut builder = Ring::builder(entries);
        if let Some(more) = self.cq_entries {
            builder = builder.cq_entries(entries.next_power_of_two() + usize::from(more % 32));
        }
        builder = match self.kind {
            Kind::Usual => builder,
            Kind::Coop => builder.coop_taskrun(),
            Kind::SingleIssuer => builder.single_issuer(),
            Kind::Defer => builder.single_issuer().defer_taskrun(),
            Kind::Rewind => builder.rewind(),
            Kind::Polled => builder.sqpoll(std::time::Duration::from_millis(1)),
        };
        if self.no_mmap {
            builder = builder.no_mmap();
        }
        if self.registered_fd_only {
            builder = builder.registered_fd_only();
        }
        if self.disabled {
            builder = builder.disabled();
        }
        builder
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Step {
    Push(Request, Flags),
    /// Until the queue is full.
    Fill(Flags),
    Submit,
    Wait {
        nr: u8,
        millis: u8,
    },
    /// Registers what later steps wait by.
    Waits,
    WaitRegistered {
        which: u8,
        nr: u8,
        millis: Option<u8>,
    },
    Resize {
        entries: u8,
        cq_entries: Option<u8>,
    },
    /// Some of what an iterator has, which is dropped then.
    Look {
        take: u8,
    },
    Next,
    Peek,
    Enable,
    Split,
    Files(Option<u8>),
    PlaceFile {
        place: u8,
        file: Option<File>,
    },
    Buffers(Option<u8>),
    Cancel(u8),
    /// A group of provided buffers, in place of the last one.
    Provide {
        incremental: bool,
    },
    Unprovide,
    /// Bytes that arrive at the socket.
    Arrive(u8),
    Probe,
    /// Ends the ring by a call instead of a drop.
    Close,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Request {
    Nop { result: Option<i16>, task_work: bool },
    Read { file: File, len: u16, offset: u16 },
    Write { file: File, len: u16, offset: u16 },
    ReadFixed { buffer: u8, len: u16, offset: u16 },
    Poll { file: File, multishot: bool },
    Timeout { micros: u16, count: u8, multishot: bool },
    LinkTimeout { micros: u16 },
    Cancel { target: u8, all: bool },
    CancelAny,
    PollRemove { target: u8 },
    Message,
    Close { place: u8 },
    Recv { multishot: bool },
}

/// What requests act on.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    /// Holds a pattern; nobody writes it.
    Pattern,
    /// Is written.
    Scratch,
    /// Bytes are read once they arrive.
    Socket,
    /// A place in the table of registered files.
    Place(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Flags {
    is_linked: bool,
    is_hard: bool,
    drains: bool,
    is_async: bool,
    pub(crate) is_silent: bool,
}

impl Flags {
    /// Whether the next request is of the same chain.
    pub(crate) fn links(self) -> bool {
        self.is_linked || self.is_hard
    }

    /// Without a worker, and with a completion.
    pub(crate) fn loud(self) -> Self {
        Self { is_async: false, is_silent: false, ..self }
    }

    pub(crate) fn bits(self) -> SqeFlags {
        [
            (self.is_linked, SqeFlags::IO_LINK),
            (self.is_hard, SqeFlags::IO_HARDLINK),
            (self.drains, SqeFlags::IO_DRAIN),
            (self.is_async, SqeFlags::ASYNC),
            (self.is_silent, SqeFlags::CQE_SKIP_SUCCESS),
        ]
        .into_iter()
        .filter(|(has, _)| *has)
        .fold(SqeFlags::empty(), |flags, (_, flag)| flags.union(flag))
    }
}
