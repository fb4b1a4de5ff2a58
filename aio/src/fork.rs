//! Tells a forked child from the process that made the context.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

const MAKER: u32 = 1;

/// One page that the kernel clears in every forked child.
///
/// A child has the context's memory but not its context: every system call answers `EINVAL`, and the ring is
/// either absent or its parent's. So whatever touches either asks here first, at the price of one load.
///
/// Invariant: the mapping lives as long as the gate, in a child too, and its first word is only ever accessed
/// as an atomic.
#[derive(Debug)]
pub(crate) struct Gate(MmapRaw);

impl Gate {
    pub(crate) fn new() -> io::Result<Self> {
        let page = MmapOptions::new().len(size_of::<AtomicU32>()).map_anon()?;
        let gate = Self(MmapRaw::from(page));
        let start = gate.0.as_mut_ptr().cast();
        // SAFETY: the range is the private anonymous mapping just made, and what a fork clears of it is this
        // module's alone.
        let failed = unsafe { libc::madvise(start, gate.0.len(), libc::MADV_WIPEONFORK) } != 0;
        if failed {
            return Err(io::Error::last_os_error());
        }
        gate.word().store(MAKER, Ordering::Relaxed);
        Ok(gate)
    }

    #[inline]
    fn word(&self) -> &AtomicU32 {
        // SAFETY: the start of a page is aligned and large enough, the mapping outlives the reference, and
        // every access is atomic: the type's invariant.
        unsafe { AtomicU32::from_ptr(self.0.as_mut_ptr().cast()) }
    }

    /// Whether this process is a child of the one that made the gate.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.word().load(Ordering::Relaxed) != MAKER
    }
}
