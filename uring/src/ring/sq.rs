//! The submission queue: entries that the process fills and the kernel consumes.

use std::marker::PhantomData;
use std::ptr::NonNull;

use uring_sys::{IORING_POLL_UPDATE_USER_DATA, IORING_SETUP_SQ_REWIND};

use super::core::Maps;
use super::index::Index;
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Sqe, SqeFlags, Submission};
use crate::error::{Error, Result};
use crate::fork::{Gate, Wiped};

/// The process's side of the submission queue.
///
/// Invariants: `sqes` names `entries` places inside a mapping that outlives the queue; `entries` is a
/// power of two and `mask` is `entries - 1`; positions `head..local_tail` belong to requests that wait
/// for the kernel, and every other position is ours to fill.
#[derive(Debug)]
pub(crate) struct Sq<S> {
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
    /// Indices that never had an entry, in a ring that rewinds (`IORING_SETUP_SQ_REWIND`): each submit begins at the
    /// first place, so the indices up to the next one that lies there are passed over. There the kernel looks at neither
    /// index, and `head` is advanced by us.
    skipped: u64,
    /// `local_tail` behind the last entry that took two places; 0 before there was one.
    double_end: u64,
    mask: u32,
    entries: u32,
    rewinds: bool,
    entry: PhantomData<S>,
}

// SAFETY: `sqes` points into a mapping that is valid in every thread; only the one owner of the queue
// writes through it.
unsafe impl<S> Send for Sq<S> {}

impl<S: Submission> Sq<S> {
    /// # Safety
    ///
    /// `maps` are those of a ring, with what the kernel answered for it, and outlive the queue.
    pub(crate) unsafe fn new(maps: &Maps, gate: &Gate) -> Self {
        let Maps { rings, sqes, params } = maps;
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
        let rewinds = params.flags & IORING_SETUP_SQ_REWIND != 0;
        let limit = gate.limit();
        limit.set(start + u64::from(params.sq_entries));
        Self {
            sqes: sqes.at(0).cast(),
            head,
            tail,
            local_tail: start,
            start,
            limit,
            skipped: 0,
            double_end: 0,
            mask: params.sq_entries - 1,
            entries: params.sq_entries,
            rewinds,
            entry: PhantomData,
        }
    }

    /// Goes over to other memory and takes along what the kernel has not consumed.
    ///
    /// # Safety
    ///
    /// As [`new`](Self::new), with places for all that is [queued](Self::queued). What was mapped before still is, and
    /// the kernel reads entries in an enter only.
    pub(crate) unsafe fn move_to(&mut self, maps: &Maps, gate: &Gate) {
        // SAFETY: this fn's contract.
        let mut next = unsafe { Self::new(maps, gate) };
        let left = self.queued();
        let head = self.local_tail - u64::from(left);
        // In a ring that rewinds the next enter begins at the first place.
        let front = if self.rewinds { head.next_multiple_of(u64::from(next.entries)) } else { head };
        for nth in 0..left {
            let from = self.place(self.position((head as u32).wrapping_add(nth)));
            let to = next.place(next.position((front as u32).wrapping_add(nth)));
            // SAFETY: a place of each queue, which lie in mappings of their own.
            unsafe { from.copy_to_nonoverlapping(to, S::STRIDE) };
        }
        next.start = self.start;
        next.skipped = self.skipped + (front - head);
        next.local_tail = front + u64::from(left);
        next.double_end = if self.double_end == self.local_tail { next.local_tail } else { 0 };
        if next.rewinds {
            next.head.set(front as u32);
        }
        next.tail.publish(next.local_tail());
        next.limit.set(front + u64::from(next.entries));
        *self = next;
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
        self.local_tail - self.start - self.skipped - u64::from(self.queued())
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

    /// Where the entry of an index lies.
    #[inline]
    fn position(&self, index: u32) -> usize {
        (index & self.mask) as usize
    }

    /// The place at a position.
    #[inline]
    fn place(&self, position: usize) -> NonNull<Sqe> {
        // SAFETY: positions are masked, so it lies inside the mapping.
        unsafe { self.sqes.add(position * S::STRIDE) }
    }

    /// Position of the next free entry; fails when all hold requests that the kernel has yet to consume,
    /// and in a forked child.
    #[inline]
    pub(crate) fn vacancy(&self) -> Result<usize> {
        if self.local_tail >= self.limit.get() {
            self.make_room()?;
        }
        Ok(self.position(self.local_tail()))
    }

    /// Looks how far the kernel has come.
    #[cold]
    fn make_room(&self) -> Result<()> {
        self.check()?;
        let limit = self.local_tail + u64::from(self.room());
        self.limit.set(limit);
        if self.local_tail == limit { Err(Error::NoSpace) } else { Ok(()) }
    }

    /// Places that are free.
    pub(crate) fn room(&self) -> u32 {
        self.entries - self.queued()
    }

    /// Learns that the kernel has consumed every entry.
    #[inline]
    pub(crate) fn consumed_all(&self) {
        self.limit.set(self.local_tail + u64::from(self.entries));
    }

    /// Fills the place that [`vacancy`](Self::vacancy) named and counts it.
    ///
    /// # Safety
    ///
    /// `position` is what `vacancy` returned, with no `push` since, and the entry takes one place.
    #[inline]
    pub(crate) unsafe fn push(&mut self, position: usize, sqe: S) -> NonNull<Sqe> {
        self.local_tail += 1;
        let place = self.place(position);
        // SAFETY: the place is vacant, so the kernel does not read it until `publish`; all its bytes are
        // written, so nothing of an earlier request stays.
        unsafe { sqe.write(place) };
        place
    }

    /// Adds an entry that takes two places of a mixed ring. They lie side by side: where the queue's end is between
    /// them, a request that does nothing and says nothing fills the last place.
    pub(crate) fn push_double(&mut self, sqe: S) -> Result<(), (Error, S)> {
        if let Err(error) = self.check() {
            return Err((error, sqe));
        }
        if !sqe.is_whole() {
            let why = "the operation has no 128 bytes in a ring that has entries of both sizes";
            return Err((Error::invalid("push", why), sqe));
        }
        let at_end = self.position(self.local_tail()) + 1 == self.entries as usize;
        if self.room() < 2 + u32::from(at_end) {
            return Err((Error::NoSpace, sqe));
        }
        if at_end {
            let flags = SqeFlags::CQE_SKIP_SUCCESS.bits() | self.link();
            let filler = Sqe { flags, ..Sqe::new(Op::NOP) };
            // SAFETY: there is room, and this is the position of the tail.
            unsafe { self.push(self.position(self.local_tail()), S::small(filler)) };
        }
        // SAFETY: two places are free from here on and neither is past the end, both just checked.
        unsafe { self.push(self.position(self.local_tail()), sqe) };
        self.local_tail += 1;
        self.double_end = self.local_tail;
        Ok(())
    }

    /// Flags that link the last entry, if the kernel has not consumed it, to what follows: a chain goes on behind a filler.
    pub(super) fn link(&self) -> u8 {
        if self.queued() == 0 {
            return 0;
        }
        let places = if self.double_end == self.local_tail { 2 } else { 1 };
        let last = self.place(self.position(self.local_tail().wrapping_sub(places)));
        // SAFETY: `push` has written it, and the kernel only reads it.
        let last = unsafe { last.read() };
        last.flags & (SqeFlags::IO_LINK | SqeFlags::IO_HARDLINK).bits()
    }

    /// The tail as the kernel knows it.
    pub(crate) fn published(&self) -> u32 {
        self.tail.peek()
    }

    /// The first 64 bytes of each entry from `first` on to the tail.
    fn entries_from(&self, first: u32) -> impl Iterator<Item = NonNull<Sqe>> {
        let count = self.local_tail().wrapping_sub(first);
        (0..count).map(move |nth| self.place(self.position(first.wrapping_add(nth))))
    }

    /// The `user_data` of each entry that was added since the last [`publish`](Self::publish), and those that the entries
    /// give to other requests.
    pub(crate) fn unpublished(&self) -> impl Iterator<Item = UserData> {
        self.entries_from(self.tail.peek()).flat_map(|entry| {
            // SAFETY: `push` has written it, and the kernel only reads it.
            let entry = unsafe { entry.read() };
            let renames = entry.op() == Op::POLL_REMOVE && entry.len & IORING_POLL_UPDATE_USER_DATA != 0;
            [Some(entry.user_data), renames.then_some(entry.off)].into_iter().flatten()
        })
    }

    /// Hands every added entry to the kernel and returns how many it has not consumed yet.
    #[inline]
    pub(crate) fn publish(&mut self) -> u32 {
        self.tail.publish(self.local_tail());
        self.queued()
    }

    /// Notes what an enter has consumed, in a ring where the kernel does not. What it left is moved to the front,
    /// where the next enter begins.
    #[cold]
    pub(crate) fn rewind(&mut self, consumed: u32) {
        let head = self.head.peek().wrapping_add(consumed);
        let left = self.local_tail().wrapping_sub(head);
        let first = self.place(self.position(head));
        // SAFETY: both ranges lie inside the mapping, and the kernel reads entries in an enter only.
        unsafe { first.copy_to(self.sqes, left as usize * S::STRIDE) };
        let end = self.local_tail - u64::from(left);
        let front = end.next_multiple_of(u64::from(self.entries));
        self.skipped += front - end;
        let is_double_last = self.double_end == self.local_tail;
        self.local_tail = front + u64::from(left);
        self.double_end = if is_double_last { self.local_tail } else { 0 };
        self.head.set(front as u32);
        self.limit.set(front + u64::from(self.entries));
    }

    /// Hides from the kernel what it has not consumed, until the next [`publish`](Self::publish).
    pub(crate) fn withdraw(&mut self) {
        self.tail.publish(self.head.peek());
    }

    /// Whether an enter leaves it to this side to count what was consumed.
    #[inline]
    pub(crate) fn rewinds(&self) -> bool {
        self.rewinds
    }

    /// Takes back every entry that the kernel has not consumed.
    pub(crate) fn discard(&mut self) {
        self.local_tail -= u64::from(self.queued());
        self.consumed_all();
        self.tail.publish(self.local_tail());
    }

    /// Takes back every entry that the kernel has not been shown.
    pub(crate) fn discard_unpublished(&mut self) {
        self.local_tail -= u64::from(self.local_tail().wrapping_sub(self.published()));
    }
}
