//! The memory of one ring of buffers.

use std::io;
use std::mem::{ManuallyDrop, offset_of};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use static_assertions::const_assert_eq;
use uring_sys::{io_uring_buf, io_uring_buf_ring__bindgen_ty_1__bindgen_ty_1 as Head};

use crate::fork::Gate;
use crate::ring::mapping::Mapping;

/// Bytes of an entry.
const ENTRY: u32 = size_of::<io_uring_buf>() as u32;

/// The tail lies where the first entry has nothing.
const TAIL: u32 = offset_of!(Head, tail) as u32;
const_assert_eq!(offset_of!(Head, tail), offset_of!(io_uring_buf, resv));

/// Entries that the kernel takes from, and the buffers that they name.
#[derive(Debug)]
pub(super) struct Memory {
    /// Absent from forked children.
    entries: ManuallyDrop<Mapping>,
    /// Whether the entries are memory of the ring's, mapped by its descriptor.
    is_rings: bool,
    buffers: MmapRaw,
    buffer_len: usize,
    gate: Gate,
}

impl Memory {
    /// Takes zeroed `entries` and allocates `nr` buffers of `len` bytes for them.
    pub(super) fn new(entries: Mapping, is_rings: bool, nr: u16, len: u32) -> io::Result<Self> {
        let too_much = || io::Error::from_raw_os_error(libc::ENOMEM);
        let (nr, buffer_len) = (usize::from(nr), len as usize);
        let total = nr.checked_mul(buffer_len).filter(|total| isize::try_from(*total).is_ok());
        let buffers = MmapRaw::from(MmapOptions::new().len(total.ok_or_else(too_much)?).map_anon()?);
        Ok(Self { entries: ManuallyDrop::new(entries), is_rings, buffers, buffer_len, gate: Gate::new()? })
    }

    /// Bytes that the entries of so many buffers take.
    pub(super) fn entries_len(nr: u16) -> usize {
        usize::from(nr) * size_of::<io_uring_buf>()
    }

    pub(super) fn entries(&self) -> NonNull<u8> {
        self.entries.start()
    }

    /// Whether this is a forked child, where the entries are absent and the buffers a copy.
    pub(super) fn is_forked(&self) -> bool {
        self.gate.owner().is_wiped()
    }

    /// Puts other memory where the entries are, if it is the ring's, whose descriptor the mapping holds: the kernel looks
    /// at them no more, and their owner may still fill some.
    pub(super) fn detach(&self) {
        if self.is_rings {
            self.entries.detach();
        }
    }

    /// Where a buffer starts.
    pub(super) fn buffer(&self, id: u16) -> NonNull<u8> {
        let offset = usize::from(id) * self.buffer_len;
        assert!(offset < self.buffers.len(), "the table knows no other buffers");
        let start = NonNull::new(self.buffers.as_mut_ptr()).expect("mmap never returns null");
        // SAFETY: the offset is inside of the mapping (checked above).
        unsafe { start.add(offset) }
    }

    /// Fills an entry that the kernel does not look at before the next [`publish`](Self::publish).
    ///
    /// # Safety
    ///
    /// The process is not a forked child, and the entry is not among those that the kernel may take.
    pub(super) unsafe fn fill(&self, slot: u16, id: u16, len: u32) {
        let field = |offset| self.entries.at(u32::from(slot) * ENTRY + offset as u32);
        let addr = self.buffer(id).as_ptr().expose_provenance() as u64;
        // The last field is left out: that of the first entry is the tail.
        // SAFETY: inside of the mapping, which is aligned to a page, and the kernel does not touch it (this fn's
        // contract).
        unsafe { field(offset_of!(io_uring_buf, addr)).cast().write(addr) };
        // SAFETY: as above.
        unsafe { field(offset_of!(io_uring_buf, len)).cast().write(len) };
        // SAFETY: as above.
        unsafe { field(offset_of!(io_uring_buf, bid)).cast().write(id) };
    }

    /// Advances the tail: the kernel sees every entry before it as filled once it sees the tail, and every earlier access
    /// to the buffers as done. Pairs with the kernel's `smp_load_acquire`.
    ///
    /// # Safety
    ///
    /// The process is not a forked child.
    pub(super) unsafe fn publish(&self, tail: u16) {
        let word: NonNull<AtomicU16> = self.entries.at(TAIL).cast();
        // SAFETY: inside of the mapping and aligned; the kernel treats the word as an atomic, too.
        unsafe { word.as_ref() }.store(tail, Ordering::Release);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if !self.is_forked() {
            // SAFETY: dropped once, here. In a forked child something else may lie there by now.
            unsafe { ManuallyDrop::drop(&mut self.entries) };
        }
    }
}
