//! The memory that the ring shares with the kernel.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use memmap2::{Advice, MmapOptions, MmapRaw};
use uring_sys::{
    IORING_OFF_PBUF_RING, IORING_OFF_PBUF_SHIFT, IORING_OFF_SQ_RING, IORING_OFF_SQES, io_uring_params,
};

use super::layout::Layout;

/// One stretch of shared memory, absent from forked children.
///
/// It is never lent as a slice or a reference: the kernel writes into it.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    /// What unmaps it; nothing, where the memory is somebody else's.
    _map: Option<MmapRaw>,
}

// SAFETY: a stretch of memory that is reached through atomics and copies only, from whichever thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(map: MmapRaw) -> io::Result<Self> {
        // After a fork both processes would drive one ring; a child gets no mapping at all.
        map.advise(Advice::DontFork)?;
        let start = NonNull::new(map.as_mut_ptr()).expect("mmap never returns null");
        Ok(Self { start, len: map.len(), _map: Some(map) })
    }

    fn of_ring(fd: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<Self> {
        Self::of(MmapOptions::new().offset(offset).len(len).populate().map_raw(&fd)?)
    }

    /// Maps the two index rings, which one mapping holds (`IORING_FEAT_SINGLE_MMAP`).
    pub(crate) fn rings(fd: BorrowedFd<'_>, params: &io_uring_params) -> io::Result<Self> {
        Self::of_ring(fd, IORING_OFF_SQ_RING, Layout::of(params).rings_end(params))
    }

    /// Maps the submission queue entries.
    pub(crate) fn sqes(fd: BorrowedFd<'_>, params: &io_uring_params) -> io::Result<Self> {
        Self::of_ring(fd, IORING_OFF_SQES, Layout::of(params).sqes)
    }

    /// Maps the ring of a group of provided buffers, which the kernel has allocated.
    pub(crate) fn provided(fd: BorrowedFd<'_>, group: u16, len: usize) -> io::Result<Self> {
        Self::of_ring(fd, IORING_OFF_PBUF_RING | u64::from(group) << IORING_OFF_PBUF_SHIFT, len)
    }

    /// Memory of this process for the kernel to use: ordinary pages, or huge ones of 2<sup>`huge`</sup> bytes.
    pub(crate) fn own(len: usize, huge: Option<u8>) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        // Huge pages are advised on and unmapped as whole ones only.
        let len = huge.map_or(Some(len), |log2| whole(len, log2));
        options.len(len.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?).populate();
        if huge.is_some() {
            options.huge(huge);
        }
        Self::of(MmapRaw::from(options.map_anon()?))
    }

    /// Room for a mapping to come, which takes its place: the kernel maps no ring at a given address.
    pub(crate) fn reserve(len: usize) -> io::Result<Self> {
        Self::of(MmapRaw::from(MmapOptions::new().len(len).no_reserve_swap().map_anon()?))
    }

    /// Memory of the caller's for the kernel to use.
    ///
    /// # Safety
    ///
    /// `len` bytes from `start` on are mapped, belong to nobody else, and outlive the mapping.
    pub(crate) unsafe fn lent(start: NonNull<u8>, len: usize) -> io::Result<Self> {
        // SAFETY: this fn's contract: the range is mapped, and nobody else cares what a child sees of it.
        let ret = unsafe { libc::madvise(start.as_ptr().cast(), len, libc::MADV_DONTFORK) };
        if ret != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start, len, _map: None })
    }

    /// Memory that no kernel writes to.
    #[cfg(test)]
    pub(super) fn anonymous(len: usize) -> Self {
        Self::own(len, None).unwrap()
    }

    /// Puts memory of the process in its place, all zero, at once for all threads. If there is none, all stays as it is.
    pub(crate) fn detach(&self) {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the range is this mapping's, which nobody else unmaps, and is reached through pointers only, which
        // stay valid.
        let map = unsafe { libc::mmap(self.start.as_ptr().cast(), self.len, protection, flags, -1, 0) };
        if map != libc::MAP_FAILED {
            // SAFETY: as above. A child that has a copy does not look at it.
            let _ = unsafe { libc::madvise(map, self.len, libc::MADV_DONTFORK) };
        }
    }

    /// The same memory once more, for a ring whose kernel has it and outlives it.
    #[cfg(test)]
    pub(super) fn shared(&self) -> Self {
        Self { start: self.start, len: self.len, _map: None }
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Splits memory in two that belongs to nobody yet; the first part keeps it mapped.
    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        assert!(at <= self.len, "the caller has computed the length from its parts");
        // SAFETY: `at` is not past the end, so the sum stays inside one allocation.
        let second = Self { start: unsafe { self.start.add(at) }, len: self.len - at, _map: None };
        (Self { len: at, ..self }, second)
    }

    /// The address `offset` bytes into the mapping.
    ///
    /// # Panics
    ///
    /// If `offset` lies outside, which would take a kernel that lies about its own layout.
    pub(crate) fn at(&self, offset: u32) -> NonNull<u8> {
        let offset = offset as usize;
        assert!(offset < self.len, "the kernel named an offset outside of its own mapping");
        // SAFETY: `offset` is below the mapping's length (checked above), so the sum stays inside one
        // allocation.
        unsafe { self.start.add(offset) }
    }
}

/// Rounds up to whole pages of 2<sup>`log2`</sup> bytes, if there can be such.
fn whole(len: usize, log2: u8) -> Option<usize> {
    len.checked_next_multiple_of(1_usize.checked_shl(log2.into())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_whole() {
        assert_eq!(whole(1, 21), Some(2 << 20));
        assert_eq!(whole(2 << 20, 21), Some(2 << 20));
        assert_eq!((whole(1, 64), whole(1, 200)), (None, None));
    }
}
