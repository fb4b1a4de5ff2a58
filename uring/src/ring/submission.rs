//! The submission queue: entries that the process fills and the kernel consumes.

use std::ptr::NonNull;

use uring_sys::io_uring_params;

use super::index::Index;
use super::mapping::Mapping;
use super::sqe::Sqe;
use crate::UserData;
use crate::error::{Error, Result};
use crate::fork::{Gate, Wiped};

/// The process's side of the submission queue.
///
/// Invariants: `sqes` names `entries` entries inside a mapping that outlives the queue; `entries` is a
/// power of two and `mask` is `entries - 1`; positions `head..local_tail` belong to requests that wait
/// for the kernel, and every other position is ours to fill.
#[derive(Debug)]
pub(crate) struct SubmissionQueue {
    sqes: NonNull<Sqe>,
    /// Advanced by the kernel as it consumes entries.
    head: Index,
    /// Advanced by us; what lies before it is the kernel's to consume.
    tail: Index,
    /// Index of the next entry to fill; the upper half counts the wraps.
    local_tail: u64,
    /// Where it was when the queue was made.
    start: u64,
    /// `local_tail` may grow up to here, where the kernel was last seen to leave room. Never zero in the
    /// process that made the ring, always zero in a forked child, where there is no room at all.
    limit: Wiped,
    mask: u32,
    entries: u32,
}

// SAFETY: `sqes` points into a mapping that is valid in every thread; only the one owner of the queue
// writes through it.
unsafe impl Send for SubmissionQueue {}

impl SubmissionQueue {
    /// # Safety
    ///
    /// `params` is what the kernel answered for the ring that `rings` and `sqes` map, and both mappings
    /// outlive the queue.
    pub(crate) unsafe fn new(rings: &Mapping, sqes: &Mapping, gate: &Gate, params: &io_uring_params) -> Self {
        let off = &params.sq_off;
        if off.array != 0 {
            let array = rings.at(off.array).cast::<u32>();
            for index in 0..params.sq_entries {
                // The array stays the identity for ever: entry `i` is always found at position `i`.
                // SAFETY: `Mapping::rings` made room for `sq_entries` words from here.
                let word = unsafe { array.add(index as usize) };
                // SAFETY: inside the mapping, as said; nobody reads it before the first submit.
                unsafe { word.write(index) };
            }
        }
        // SAFETY: the mapping outlives the queue, and the kernel gave the offset (this fn's contract).
        let head = unsafe { Index::new(rings, off.head) };
        // SAFETY: as above.
        let tail = unsafe { Index::new(rings, off.tail) };
        let start = u64::from(tail.peek());
        let limit = gate.limit();
        limit.set(start + u64::from(params.sq_entries));
        Self {
            sqes: sqes.at(0).cast(),
            head,
            tail,
            local_tail: start,
            start,
            limit,
            mask: params.sq_entries - 1,
            entries: params.sq_entries,
        }
    }

    pub(crate) fn entries(&self) -> u32 {
        self.entries
    }

    /// The kernel's head, for whoever counts what the kernel has taken.
    pub(crate) fn head(&self) -> Index {
        self.head
    }

    /// Index of the next entry to fill: one past the last that was added.
    #[inline]
    pub(crate) fn local_tail(&self) -> u32 {
        self.local_tail as u32
    }

    /// Entries that the kernel has consumed since the queue was made.
    pub(crate) fn consumed(&self) -> u64 {
        self.local_tail - self.start - u64::from(self.queued())
    }

    /// Entries that were added and that the kernel has not consumed.
    #[inline]
    pub(crate) fn queued(&self) -> u32 {
        self.local_tail().wrapping_sub(self.head.observe())
    }

    /// Fails in a forked child, which must not touch the rings.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        if self.limit.is_wiped() { Err(Error::Forked) } else { Ok(()) }
    }

    /// Position of the next free entry; fails when all hold requests that the kernel has yet to consume,
    /// and in a forked child.
    #[inline]
    pub(crate) fn vacancy(&self) -> Result<usize> {
        if self.local_tail >= self.limit.get() {
            self.make_room()?;
        }
        Ok((self.local_tail() & self.mask) as usize)
    }

    /// Looks how far the kernel has come.
    #[cold]
    fn make_room(&self) -> Result<()> {
        self.check()?;
        let limit = self.local_tail + u64::from(self.entries - self.queued());
        self.limit.set(limit);
        if self.local_tail == limit { Err(Error::NoSpace) } else { Ok(()) }
    }

    /// Learns that the kernel has consumed every entry.
    #[inline]
    pub(crate) fn consumed_all(&self) {
        self.limit.set(self.local_tail + u64::from(self.entries));
    }

    /// Fills the entry that [`vacancy`](Self::vacancy) named and counts it.
    ///
    /// # Safety
    ///
    /// `position` is what `vacancy` returned, with no `push` since.
    #[inline]
    pub(crate) unsafe fn push(&mut self, position: usize, sqe: Sqe) -> NonNull<Sqe> {
        self.local_tail += 1;
        // SAFETY: `position` is below `entries` (masked in `vacancy`), so it lies inside the mapping.
        let slot = unsafe { self.sqes.add(position) };
        // SAFETY: the entry is vacant, so the kernel does not read it until `publish`; all 64 bytes are
        // written, so nothing of an earlier request stays.
        unsafe { slot.write(sqe) };
        slot
    }

    /// The `user_data` of each entry that was added since the last [`publish`](Self::publish).
    pub(crate) fn unpublished(&self) -> impl Iterator<Item = UserData> {
        let first = self.tail.peek();
        let count = self.local_tail().wrapping_sub(first);
        (0..count).map(move |nth| {
            let position = (first.wrapping_add(nth) & self.mask) as usize;
            // SAFETY: masked, so inside the mapping.
            let entry = unsafe { self.sqes.add(position) };
            // SAFETY: `push` has written it, and the kernel only reads it.
            unsafe { entry.read() }.user_data
        })
    }

    /// Hands every added entry to the kernel and returns how many it has not consumed yet.
    #[inline]
    pub(crate) fn publish(&mut self) -> u32 {
        self.tail.publish(self.local_tail());
        self.queued()
    }

    /// Takes back every entry that the kernel has not consumed.
    pub(crate) fn discard(&mut self) {
        self.local_tail -= u64::from(self.queued());
        self.consumed_all();
        self.tail.publish(self.local_tail());
    }
}
