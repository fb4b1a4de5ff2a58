//! Ring descriptors registered with a thread (`IORING_REGISTER_RING_FDS`, since 5.18).
//!
//! A registered descriptor saves `io_uring_enter` the look-up and the reference of the file, about a
//! third of an empty call. The table belongs to the *thread* (16 entries), so an index means nothing in
//! another one, and only its own thread can take it back.

use std::cell::Cell;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use uring_sys::{
    IORING_REGISTER_RING_FDS, IORING_REGISTER_USE_REGISTERED_RING, IORING_UNREGISTER_RING_FDS,
    io_uring_register, io_uring_rsrc_update,
};

thread_local! {
    static TABLE: Arc<Table> = Arc::default();
    /// Names the thread once it has registered a descriptor; 0 before. Apart from the table, since a plain
    /// word is read in one instruction.
    static THREAD: Cell<u64> = const { Cell::new(NOBODY) };
}

/// The name of no thread.
pub(super) const NOBODY: u64 = 0;

/// The name of the calling thread, [`NOBODY`] if it has registered nothing. Names are never used again.
#[inline]
pub(super) fn current() -> u64 {
    THREAD.get()
}

/// Names the calling thread.
fn name() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(NOBODY);
    if THREAD.get() == NOBODY {
        THREAD.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
    }
    THREAD.get()
}

/// A thread's registered descriptors, as far as others have a say.
#[derive(Debug, Default)]
struct Table {
    /// Indices of rings that were dropped in other threads, for the owner to take back.
    orphans: Mutex<Vec<u32>>,
}

/// One registered descriptor.
#[derive(Debug)]
pub(crate) struct Registration {
    table: Arc<Table>,
    thread: u64,
    index: u32,
    /// Whether the entry was given back, and may be another ring's.
    is_released: AtomicBool,
}

impl Registration {
    /// Registers `fd` with the calling thread; `None` where the kernel does not (before 5.18, table full,
    /// restricted ring), which costs speed only.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> Option<Self> {
        let table = TABLE.try_with(Arc::clone).ok()?;
        let orphans = std::mem::take(&mut *table.orphans.lock().unwrap_or_else(PoisonError::into_inner));
        for index in orphans {
            unregister(fd.as_raw_fd(), 0, index);
        }
        let mut update = io_uring_rsrc_update {
            offset: u32::MAX,
            data: u64::from(fd.as_raw_fd().unsigned_abs()),
            ..Default::default()
        };
        // SAFETY: `update` is one valid entry that outlives the call; the kernel writes the index into it.
        let done = unsafe {
            io_uring_register(fd.as_raw_fd(), IORING_REGISTER_RING_FDS, (&raw mut update).cast(), 1)
        };
        (done == 1).then(|| Self::of(table, update.offset))
    }

    /// Whether the calling thread may enter by the index.
    pub(super) fn is_mine(&self) -> bool {
        // Only this thread gives it back before the ring's end.
        self.thread == current() && !self.is_released.load(Ordering::Relaxed)
    }

    /// The thread that may enter by the index, and no other.
    pub(super) fn thread(&self) -> u64 {
        self.thread
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Takes over a descriptor that the kernel has registered with the calling thread as it made the ring.
    pub(crate) fn adopt(index: u32) -> Self {
        let table = TABLE.try_with(Arc::clone).unwrap_or_default();
        Self::of(table, index)
    }

    fn of(table: Arc<Table>, index: u32) -> Self {
        Self { table, thread: name(), index, is_released: AtomicBool::new(false) }
    }

    /// Gives the entry back, by a descriptor where there is one, or leaves it to its thread.
    pub(crate) fn release(&self, fd: Option<BorrowedFd<'_>>) {
        if self.is_released.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.thread == current() {
            match fd {
                Some(fd) => unregister(fd.as_raw_fd(), 0, self.index),
                None => {
                    unregister(self.index.cast_signed(), IORING_REGISTER_USE_REGISTERED_RING, self.index);
                }
            }
        } else {
            self.table.orphans.lock().unwrap_or_else(PoisonError::into_inner).push(self.index);
        }
    }
}

/// Frees an entry of the calling thread's table; any ring serves, by its descriptor or by an entry.
fn unregister(ring: RawFd, kind: u32, index: u32) {
    let mut update = io_uring_rsrc_update { offset: index, ..Default::default() };
    let opcode = IORING_UNREGISTER_RING_FDS | kind;
    // SAFETY: `update` is one valid entry that outlives the call. A failure leaves the entry taken until
    // the thread ends, which harms nobody.
    let _ = unsafe { io_uring_register(ring, opcode, (&raw mut update).cast(), 1) };
}
