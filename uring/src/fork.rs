//! Tells a forked child from the process that made the context.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

const OWNER: u32 = 1;

/// A page that reads as zero in every forked child (`MADV_WIPEONFORK`).
///
/// The rings themselves are absent there (`MADV_DONTFORK`), so a child has to learn that it is one before
/// it touches them; a page does so for every kind of fork, at the price of one load.
#[derive(Debug)]
pub(crate) struct Gate(MmapRaw);

impl Gate {
    pub(crate) fn new() -> io::Result<Self> {
        let gate = Self(MmapRaw::from(
            MmapOptions::new().len(size_of::<AtomicU32>()).map_anon()?,
        ));
        // memmap2 has no name for this advice.
        // SAFETY: the range is the mapping just made, which is private and anonymous, and nothing is in it
        // yet that a fork could wipe.
        let ret = unsafe {
            libc::madvise(
                gate.0.as_mut_ptr().cast(),
                gate.0.len(),
                libc::MADV_WIPEONFORK,
            )
        };
        if ret != 0 {
            return Err(io::Error::last_os_error());
        }
        gate.watch().word().store(OWNER, Ordering::Relaxed);
        Ok(gate)
    }

    /// A copy of the address that is looked at.
    pub(crate) fn watch(&self) -> Watch {
        Watch(
            NonNull::new(self.0.as_mut_ptr())
                .expect("mmap never returns null")
                .cast(),
        )
    }
}

/// The word of a [`Gate`].
///
/// Invariant: the gate outlives it (`Core` owns the gate, and who holds a `Watch` holds an `Arc<Core>`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(NonNull<AtomicU32>);

// SAFETY: a pointer to an atomic that outlives it; every access is atomic.
unsafe impl Send for Watch {}

impl Watch {
    #[inline]
    fn word(&self) -> &AtomicU32 {
        // SAFETY: the start of a live page (the type's invariant), aligned to far more than four bytes,
        // and never accessed but as an atomic. A fork keeps the mapping and clears it.
        unsafe { self.0.as_ref() }
    }

    /// Whether this process is a forked child of the one that made the gate.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.word().load(Ordering::Relaxed) != OWNER
    }
}
