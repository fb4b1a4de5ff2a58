//! The memory that the ring shares with the kernel.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use memmap2::{Advice, MmapOptions, MmapRaw};
use uring_sys::{IORING_OFF_SQ_RING, IORING_OFF_SQES, io_uring_params};

use super::completion::Cqe;
use super::sqe::Sqe;

/// One `mmap` of a ring descriptor, absent from forked children.
///
/// It is never lent as a slice or a reference: the kernel writes into it.
#[derive(Debug)]
pub(crate) struct Mapping(MmapRaw);

impl Mapping {
    fn new(fd: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<Self> {
        let map = MmapOptions::new().offset(offset).len(len).populate().map_raw(&fd)?;
        // After a fork both processes would drive one ring; a child gets no mapping at all.
        map.advise(Advice::DontFork)?;
        Ok(Self(map))
    }

    /// Maps the two index rings, which one mapping holds (`IORING_FEAT_SINGLE_MMAP`).
    pub(crate) fn rings(fd: BorrowedFd<'_>, params: &io_uring_params) -> io::Result<Self> {
        let cqes = params.cq_off.cqes as usize + params.cq_entries as usize * size_of::<Cqe>();
        // Without an index array (`IORING_SETUP_NO_SQARRAY`) its offset is 0 and adds nothing.
        let array = match params.sq_off.array {
            0 => 0,
            offset => offset as usize + params.sq_entries as usize * size_of::<u32>(),
        };
        Self::new(fd, IORING_OFF_SQ_RING, cqes.max(array))
    }

    /// Maps the submission queue entries.
    pub(crate) fn sqes(fd: BorrowedFd<'_>, params: &io_uring_params) -> io::Result<Self> {
        let len = params.sq_entries as usize * size_of::<Sqe>();
        Self::new(fd, IORING_OFF_SQES, len)
    }

    /// Memory that no kernel writes to.
    #[cfg(test)]
    pub(super) fn anonymous(len: usize) -> Self {
        Self(MmapRaw::from(MmapOptions::new().len(len).map_anon().unwrap()))
    }

    /// The address `offset` bytes into the mapping.
    ///
    /// # Panics
    ///
    /// If `offset` lies outside, which would take a kernel that lies about its own layout.
    pub(crate) fn at(&self, offset: u32) -> NonNull<u8> {
        let offset = offset as usize;
        assert!(offset < self.0.len(), "the kernel named an offset outside of its own mapping");
        let base = NonNull::new(self.0.as_mut_ptr()).expect("mmap never returns null");
        // SAFETY: `offset` is below the mapping's length (checked above), so the sum stays inside one
        // allocation.
        unsafe { base.add(offset) }
    }
}
