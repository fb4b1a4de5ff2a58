//! The completion queue: results that the kernel posts and the process takes.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::core::Maps;
use super::index::Index;
use crate::UserData;
use crate::entry::{Completion, Cqe};

/// The process's side of the completion queue.
///
/// Invariants: `cqes` names `mask + 1` entries inside a mapping that outlives the queue; positions
/// `local_head..tail` hold completions that nobody has taken.
#[derive(Debug)]
pub(crate) struct Cq<C> {
    cqes: NonNull<Cqe>,
    /// Advanced by us; the kernel may reuse what lies before it.
    head: Index,
    /// Advanced by the kernel.
    tail: Index,
    /// Index of the next completion to take; the upper half counts the wraps.
    local_head: u64,
    /// Where it was when the queue was made.
    start: u64,
    mask: u32,
    entry: PhantomData<C>,
}

// SAFETY: `cqes` points into a mapping that is valid in every thread; only the one owner of the queue
// reads through it and advances the head.
unsafe impl<C> Send for Cq<C> {}

impl<C: Completion> Cq<C> {
    /// # Safety
    ///
    /// `maps` are those of a ring, with what the kernel answered for it, and outlive the queue.
    pub(crate) unsafe fn new(maps: &Maps) -> Self {
        let Maps { rings, params, .. } = maps;
        let off = &params.cq_off;
        // SAFETY: the mapping outlives the queue, and the kernel gave the offset (this fn's contract).
        let head = unsafe { Index::new(rings, off.head) };
        // SAFETY: as above.
        let tail = unsafe { Index::new(rings, off.tail) };
        // Beyond zero, so that an end of what may be taken is never zero.
        let start = 1 << 32 | u64::from(head.peek());
        Self {
            cqes: rings.at(off.cqes).cast(),
            head,
            tail,
            local_head: start,
            start,
            mask: params.cq_entries - 1,
            entry: PhantomData,
        }
    }

    /// Goes over to other memory and takes along what nobody has taken.
    ///
    /// # Safety
    ///
    /// As [`new`](Self::new), with places for all that is [ready](Self::ready). What was mapped before still is, and
    /// the kernel posts no more there.
    pub(crate) unsafe fn move_to(&mut self, maps: &Maps) {
        // SAFETY: this fn's contract.
        let mut next = unsafe { Self::new(maps) };
        for nth in 0..self.ready() {
            let index = self.local_head().wrapping_add(nth);
            let (from, to) = (self.place(index), next.place(index));
            // SAFETY: a place of each queue, which lie in mappings of their own; the kernel writes to neither: there it
            // posts no more, and here not before the head has passed it.
            unsafe { from.copy_to_nonoverlapping(to, C::STRIDE) };
        }
        (next.local_head, next.start) = (self.local_head, self.start);
        *self = next;
    }

    pub(crate) fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// Our head as the kernel knows it, for whoever asks how much it has room for.
    pub(crate) fn head(&self) -> Index {
        self.head
    }

    /// Completions taken since the ring was made, and before: the lower half is the index of the next one.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.local_head
    }

    /// Index of the next completion to take.
    #[inline]
    pub(crate) fn local_head(&self) -> u32 {
        self.local_head as u32
    }

    /// Completions taken since the queue was made.
    pub(crate) fn taken(&self) -> u64 {
        self.local_head - self.start
    }

    /// The place of an index.
    #[inline]
    fn place(&self, index: u32) -> NonNull<Cqe> {
        let position = (index & self.mask) as usize;
        // SAFETY: masked, so inside the mapping.
        unsafe { self.cqes.add(position * C::STRIDE) }
    }

    /// The `user_data` of each request whose last completion was taken since the last [`publish`](Self::publish).
    pub(crate) fn unpublished(&self) -> impl Iterator<Item = UserData> {
        let first = self.head.peek();
        let count = self.local_head().wrapping_sub(first);
        (0..count).filter_map(move |nth| {
            // SAFETY: it was taken, so the kernel has written it, and it is not given back yet.
            let cqe = unsafe { self.place(first.wrapping_add(nth)).read() };
            (!cqe.has_more()).then_some(cqe.user_data)
        })
    }

    /// One past the last completion that the kernel has posted.
    #[inline]
    pub(crate) fn tail(&self) -> u32 {
        self.tail.observe()
    }

    /// Completions posted and not taken.
    #[inline]
    pub(crate) fn ready(&self) -> u32 {
        self.tail().wrapping_sub(self.local_head())
    }

    /// Copies the next completion out without counting it as taken.
    ///
    /// # Safety
    ///
    /// There is one: a tail observed earlier lies past [`local_head`](Self::local_head).
    #[inline]
    pub(crate) unsafe fn look(&self) -> C {
        // SAFETY: the kernel finished writing it before it advanced the tail that was observed (this
        // fn's contract), and does not touch it again before `publish` moves the head past it.
        unsafe { C::read(self.place(self.local_head())) }
    }

    /// Copies the next completion out and counts it as taken.
    ///
    /// # Safety
    ///
    /// As [`look`](Self::look).
    #[inline]
    pub(crate) unsafe fn take(&mut self) -> C {
        // SAFETY: this fn's contract.
        let cqe = unsafe { self.look() };
        self.local_head += u64::from(cqe.places());
        cqe
    }

    /// Gives the entries of all taken completions back to the kernel.
    #[inline]
    pub(crate) fn publish(&mut self) {
        self.head.publish(self.local_head());
    }
}
