//! The shared words, and what becomes of them when an ordering is weaker than ours.

use std::cell::Cell;

use loom::sync::atomic;
pub(super) use loom::sync::atomic::Ordering;

/// Which word of the rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    SqHead,
    SqTail,
    SqFlags,
    SqDropped,
    CqHead,
    CqTail,
    CqOverflow,
}

/// One ordering of ours that a model does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weaker {
    /// Loads of this word are relaxed.
    Load(Word),
    /// Stores to this word are relaxed.
    Store(Word),
    /// The fence is left out.
    NoFence,
    /// The fence orders no store with a later load.
    AcqRelFence,
}

thread_local! {
    /// All threads of a model are one thread of the process.
    static WEAKER: Cell<Option<Weaker>> = const { Cell::new(None) };
}

/// Makes one ordering of every ring of this thread's weaker than it is, or none.
pub(super) fn weaken(weaker: Option<Weaker>) {
    WEAKER.set(weaker);
}

/// What `Index` points to.
#[derive(Debug)]
pub(in crate::ring) struct AtomicU32 {
    word: atomic::AtomicU32,
    name: Word,
}

impl AtomicU32 {
    pub(super) fn new(name: Word, value: u32) -> Self {
        Self { word: atomic::AtomicU32::new(value), name }
    }

    /// The word as the kernel has it, with orderings of its own.
    pub(super) fn of_kernel(&self) -> &atomic::AtomicU32 {
        &self.word
    }

    pub(in crate::ring) fn load(&self, ordering: Ordering) -> u32 {
        let is_weaker = WEAKER.get() == Some(Weaker::Load(self.name));
        self.word.load(if is_weaker { Ordering::Relaxed } else { ordering })
    }

    pub(in crate::ring) fn store(&self, value: u32, ordering: Ordering) {
        let is_weaker = WEAKER.get() == Some(Weaker::Store(self.name));
        self.word.store(value, if is_weaker { Ordering::Relaxed } else { ordering });
    }
}

pub(in crate::ring) fn fence(ordering: Ordering) {
    match WEAKER.get() {
        Some(Weaker::NoFence) => {}
        Some(Weaker::AcqRelFence) => atomic::fence(Ordering::AcqRel),
        _ => atomic::fence(ordering),
    }
}
