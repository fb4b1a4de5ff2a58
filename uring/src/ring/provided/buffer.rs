//! Buffers in the hands of the user.

use std::iter::FusedIterator;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::slice;

use super::BufRing;
use super::table::{Part, Rest};

/// What a completion has left in a provided buffer: [`BufRing::take`]. It is the bytes that the result tells.
///
/// When it is dropped, the buffer goes back to the kernel; one of an [incremental](super::BufRingOptions::incremental)
/// ring once it is used up and every part of it was dropped, one of an [outgoing](super::BufRingOptions::outgoing) ring
/// when it is [given](Self::give).
#[derive(Debug)]
#[must_use = "the buffer goes back to the kernel at once"]
pub struct Buffer<'group> {
    /// Invariant: until this is dropped, nobody else reads or writes the part: the kernel is done with it (the contract
    /// of `take`), and the table gives it to nobody.
    group: &'group BufRing,
    part: Part,
}

impl<'group> Buffer<'group> {
    /// `part` was taken from the table, and the kernel is done with it.
    pub(super) fn new(group: &'group BufRing, part: Part) -> Self {
        Self { group, part }
    }

    /// The number of the buffer.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.part.id
    }

    /// Where in the buffer this starts, in bytes: 0 but in an incremental ring.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.part.start as usize
    }

    /// Gives the buffer to the kernel with its first `len` bytes only, all if there are fewer, which is what a send from
    /// it sends. As a drop, if `len` is 0 or another part of the buffer is held.
    pub fn give(self, len: usize) {
        let this = ManuallyDrop::new(self);
        // A length past 32 bits is past that of the buffer as well.
        this.group.release(this.part.id, Some(u32::try_from(len).unwrap_or(u32::MAX)).filter(|&len| len > 0));
    }
}

impl Deref for Buffer<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = self.group.start(self.part);
        // SAFETY: the part lies inside of its buffer, as the table computes it; nobody writes it (the type's invariant).
        unsafe { slice::from_raw_parts(start.as_ptr(), self.part.len as usize) }
    }
}

impl DerefMut for Buffer<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let start = self.group.start(self.part);
        // SAFETY: as in `deref`, and nobody reads it either; `self` is borrowed for as long.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.part.len as usize) }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        self.group.release(self.part.id, None);
    }
}

/// The buffers that the completion of a bundle has filled, in the order of the data: [`BufRing::take_bundle`].
///
/// Those that were not taken out go back to the kernel when it is dropped.
#[derive(Debug)]
#[must_use = "the buffers go back to the kernel at once"]
pub struct Bundle<'group> {
    /// The kernel is done with what `rest` names, as that of a [`Buffer`].
    pub(super) group: &'group BufRing,
    pub(super) rest: Rest,
}

impl<'group> Iterator for Bundle<'group> {
    type Item = Buffer<'group>;

    fn next(&mut self) -> Option<Buffer<'group>> {
        let part = self.group.table.borrow_mut().next_of(&mut self.rest)?;
        Some(Buffer::new(self.group, part))
    }
}

impl FusedIterator for Bundle<'_> {}

impl Drop for Bundle<'_> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}
