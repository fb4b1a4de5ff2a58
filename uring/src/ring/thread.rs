//! Ring descriptors registered with a thread (`IORING_REGISTER_RING_FDS`, since 5.18).
//!
//! A registered descriptor saves `io_uring_enter` the look-up and the reference of the file, about a
//! third of an empty call. The table belongs to the *thread* (16 entries), so an index means nothing in
//! another one, and only its own thread can take it back.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use uring_sys::{
    IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS, io_uring_register, io_uring_rsrc_update,
};

thread_local! {
    static TABLE: Arc<Table> = Arc::default();
}

/// Stands for one thread; its address tells threads apart for as long as anybody asks.
#[derive(Debug, Default)]
struct Table {
    /// Indices of rings that were dropped in other threads, for the owner to take back.
    orphans: Mutex<Vec<u32>>,
}

/// One registered descriptor.
#[derive(Debug)]
pub(crate) struct Registration {
    table: Arc<Table>,
    index: u32,
}

impl Registration {
    /// Registers `fd` with the calling thread; `None` where the kernel does not (before 5.18, table full,
    /// restricted ring), which costs speed only.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> Option<Self> {
        let table = TABLE.try_with(Arc::clone).ok()?;
        let orphans =
            std::mem::take(&mut *table.orphans.lock().unwrap_or_else(PoisonError::into_inner));
        for index in orphans {
            unregister(fd, index);
        }
        let mut update = io_uring_rsrc_update {
            offset: u32::MAX,
            data: u64::from(fd.as_raw_fd().unsigned_abs()),
            ..Default::default()
        };
        // SAFETY: `update` is one valid entry that outlives the call; the kernel writes the index into it.
        let done = unsafe {
            io_uring_register(
                fd.as_raw_fd(),
                IORING_REGISTER_RING_FDS,
                (&raw mut update).cast(),
                1,
            )
        };
        (done == 1).then_some(Self {
            table,
            index: update.offset,
        })
    }

    /// The index to enter by, if the calling thread is the one that it was registered with.
    #[inline]
    pub(crate) fn index(&self) -> Option<u32> {
        let here = TABLE
            .try_with(|table| Arc::ptr_eq(table, &self.table))
            .unwrap_or(false);
        here.then_some(self.index)
    }

    /// Gives the entry back, or leaves it to its thread.
    pub(crate) fn release(self, fd: BorrowedFd<'_>) {
        if self.index().is_some() {
            unregister(fd, self.index);
        } else {
            self.table
                .orphans
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(self.index);
        }
    }
}

/// Frees an entry of the calling thread's table; any ring's descriptor serves.
fn unregister(fd: BorrowedFd<'_>, index: u32) {
    let mut update = io_uring_rsrc_update {
        offset: index,
        ..Default::default()
    };
    // SAFETY: `update` is one valid entry that outlives the call. A failure leaves the entry taken until
    // the thread ends, which harms nobody.
    let _ = unsafe {
        io_uring_register(
            fd.as_raw_fd(),
            IORING_UNREGISTER_RING_FDS,
            (&raw mut update).cast(),
            1,
        )
    };
}
