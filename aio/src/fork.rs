//! Tells a forked child from the process that made the context.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// A page of words that read as zero in every forked child (`MADV_WIPEONFORK`).
///
/// A child has the context's memory but not its context: every system call answers `EINVAL`, and the ring is
/// either absent or its parent's. So whatever touches either asks here first. The hot paths ask by keeping
/// here a bound that they compare with anyway: below zero there is nothing.
///
/// Invariant: the mapping lives as long as the gate, in a child too, and its words are only ever accessed as
/// atomics.
#[derive(Debug)]
pub(crate) struct Gate {
    page: MmapRaw,
    owner: Wiped,
}

impl Gate {
    /// The words are a cache line apart, because the halves of a context write one each.
    const STRIDE: usize = 64;
    const WORDS: usize = 3;

    pub(crate) fn new() -> io::Result<Self> {
        let page = MmapRaw::from(MmapOptions::new().len(Self::WORDS * Self::STRIDE).map_anon()?);
        let start = page.as_mut_ptr().cast();
        // SAFETY: the range is the private anonymous mapping just made, and what a fork clears of it is this
        // module's alone.
        let failed = unsafe { libc::madvise(start, page.len(), libc::MADV_WIPEONFORK) } != 0;
        if failed {
            return Err(io::Error::last_os_error());
        }
        let owner = Self::word(&page, 0);
        owner.set(1);
        Ok(Self { page, owner })
    }

    fn word(page: &MmapRaw, index: usize) -> Wiped {
        let start = NonNull::new(page.as_mut_ptr()).expect("mmap never returns null");
        // SAFETY: every caller names one of the page's `WORDS`.
        Wiped(unsafe { start.byte_add(index * Self::STRIDE) }.cast())
    }

    /// Whether this process is a child of the one that made the gate.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.owner.get() == 0
    }

    /// A word for the submitting half.
    pub(crate) fn for_submission(&self) -> Wiped {
        Self::word(&self.page, 1)
    }

    /// A word for the reaping half.
    pub(crate) fn for_completion(&self) -> Wiped {
        Self::word(&self.page, 2)
    }
}

/// A word of a [`Gate`].
///
/// Invariant: the gate outlives it; who holds a `Wiped` holds the `Arc<Shared>` whose handle has the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wiped(NonNull<AtomicU64>);

// SAFETY: a pointer to an atomic that outlives it; every access is atomic.
unsafe impl Send for Wiped {}

// SAFETY: as above.
unsafe impl Sync for Wiped {}

impl Wiped {
    #[inline]
    fn word(&self) -> &AtomicU64 {
        // SAFETY: inside a live page (the type's invariant), aligned since the page is, and never accessed but
        // as an atomic. A fork keeps the mapping and clears it.
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
}
