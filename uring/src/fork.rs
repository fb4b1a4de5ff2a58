//! Tells a forked child from the process that made the context.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// A page of words that read as zero in every forked child (`MADV_WIPEONFORK`).
///
/// The rings themselves are absent there (`MADV_DONTFORK`), so a child has to learn that it is one before
/// it touches them; a page does so for every kind of fork, at the price of one load.
#[derive(Debug)]
pub(crate) struct Gate(MmapRaw);

impl Gate {
    const WORDS: usize = 4;

    pub(crate) fn new() -> io::Result<Self> {
        let len = Self::WORDS * size_of::<AtomicU64>();
        let gate = Self(MmapRaw::from(MmapOptions::new().len(len).map_anon()?));
        // memmap2 has no name for this advice.
        // SAFETY: the range is the mapping just made, which is private and anonymous, and nothing is in it
        // yet that a fork could wipe.
        let ret = unsafe { libc::madvise(gate.0.as_mut_ptr().cast(), gate.0.len(), libc::MADV_WIPEONFORK) };
        if ret != 0 {
            return Err(io::Error::last_os_error());
        }
        gate.owner().set(1);
        Ok(gate)
    }

    /// A word that is never zero in the process that made the context.
    pub(crate) fn owner(&self) -> Wiped {
        self.word(0)
    }

    /// A word for the submission queue to keep its limit in.
    pub(crate) fn limit(&self) -> Wiped {
        self.word(1)
    }

    /// A word for the iterators of completions to keep their end in.
    pub(crate) fn end(&self) -> Wiped {
        self.word(2)
    }

    /// A word for the taking half to note that nothing is out of the ordinary.
    pub(crate) fn usual(&self) -> Wiped {
        self.word(3)
    }

    fn word(&self, index: usize) -> Wiped {
        let page = NonNull::new(self.0.as_mut_ptr()).expect("mmap never returns null");
        // SAFETY: each caller names one of the page's `WORDS`.
        Wiped(unsafe { page.cast().add(index) })
    }
}

/// A word of a [`Gate`].
///
/// Invariant: the gate outlives it (`Core` owns the gate, and who holds a `Wiped` holds an `Arc<Core>`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wiped(NonNull<AtomicU64>);

// SAFETY: a pointer to an atomic that outlives it; every access is atomic.
unsafe impl Send for Wiped {}

impl Wiped {
    #[inline]
    fn word(&self) -> &AtomicU64 {
        // SAFETY: inside a live page (the type's invariant), aligned since the page is, and never accessed
        // but as an atomic. A fork keeps the mapping and clears it.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.word().load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set(&self, value: u64) {
        self.word().store(value, Ordering::Relaxed);
    }

    /// Whether this process is a forked child of the one that made the gate; for words that are never
    /// zero.
    #[inline]
    pub(crate) fn is_wiped(&self) -> bool {
        self.get() == 0
    }
}
