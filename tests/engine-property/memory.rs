//! Buffers that know what the kernel should not have touched: bytes around them, and all of them once they are dropped.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicIsize, Ordering};

use engine::{AlignedBuf, IoBuf, IoBufMut};

use crate::plan::{DIRECT_UNIT, Kind};

/// What is checked at either side.
const MARGIN: usize = 64;
const CANARY: u8 = 0xc5;
/// What a buffer holds that nothing was read to.
pub(crate) const UNTOUCHED: u8 = 0xee;
const DROPPED: u8 = 0xdd;

/// How many buffers there are.
static LIVE: AtomicIsize = AtomicIsize::new(0);

pub(crate) fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

thread_local! {
    /// Memory of dropped buffers: it stays what it is, or somebody still had it.
    static DROPPED_MEMORY: RefCell<Dropped> = const { RefCell::new(Dropped { all: Vec::new(), complaint: None }) };
}

struct Dropped {
    all: Vec<AlignedBuf>,
    complaint: Option<&'static str>,
}

/// Looks at the memory of the buffers that were dropped, and lets it go.
pub(crate) fn look_at_dropped() -> Result<(), &'static str> {
    DROPPED_MEMORY.with_borrow_mut(|dropped| {
        let written = dropped.all.drain(..).any(|memory| !holds(&memory, DROPPED));
        let complaint = written.then_some("memory was written to after its buffer was dropped");
        dropped.complaint.take().or(complaint).map_or(Ok(()), Err)
    })
}

/// Whether all bytes are this one.
pub(crate) fn holds(bytes: &[u8], byte: u8) -> bool {
    bytes.is_empty() || (bytes[0] == byte && bytes[1..] == bytes[..bytes.len() - 1])
}

/// A buffer between canaries.
#[derive(Debug)]
pub(crate) struct Buf {
    memory: AlignedBuf,
    start: usize,
    len: usize,
    init: usize,
}

impl Buf {
    /// Makes a buffer for reading.
    pub(crate) fn untouched(kind: Kind, len: usize) -> Buf {
        let start = match kind {
            Kind::Buffered => MARGIN,
            Kind::Direct => DIRECT_UNIT,
        };
        let mut memory = AlignedBuf::new(start + len + MARGIN);
        memory.fill(CANARY);
        LIVE.fetch_add(1, Ordering::Relaxed);
        let mut made = Buf { memory, start, len, init: 0 };
        made.reset();
        made
    }

    /// Makes a buffer for writing.
    pub(crate) fn of(kind: Kind, bytes: &[u8]) -> Buf {
        let mut made = Buf::untouched(kind, bytes.len());
        made.memory[made.start..][..bytes.len()].copy_from_slice(bytes);
        made.init = bytes.len();
        made
    }

    /// Makes it as for reading.
    pub(crate) fn reset(&mut self) {
        self.memory[self.start..][..self.len].fill(UNTOUCHED);
        self.init = 0;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..][..self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..][..self.len]
    }

    /// How much the engine has said was read.
    pub(crate) fn init(&self) -> usize {
        self.init
    }

    pub(crate) fn is_intact(&self) -> bool {
        let (before, after) =
            (&self.memory[self.start - MARGIN..self.start], &self.memory[self.start + self.len..]);
        holds(before, CANARY) && holds(after, CANARY)
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        let intact = self.is_intact();
        let mut memory = mem::replace(&mut self.memory, AlignedBuf::new(0));
        memory.fill(DROPPED);
        DROPPED_MEMORY.with_borrow_mut(|dropped| {
            dropped.all.push(memory);
            if !intact {
                dropped.complaint = Some("bytes around a buffer were written to");
            }
        });
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

// SAFETY: the memory is an `AlignedBuf`'s, which guarantees all of it; `start + len` is within, and neither changes.
unsafe impl IoBuf for Buf {
    fn stable_ptr(&self) -> *const u8 {
        self.memory.stable_ptr().wrapping_add(self.start)
    }

    fn bytes_init(&self) -> usize {
        self.init
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Buf {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.memory.stable_mut_ptr().wrapping_add(self.start)
    }

    fn bytes_total(&self) -> usize {
        self.len
    }

    unsafe fn set_init(&mut self, count: usize) {
        self.init = count;
    }
}
