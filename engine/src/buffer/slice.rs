//! A part of a buffer.

use std::ops::Range;

use super::{IoBuf, IoBufMut};
use crate::registration::Registration;

/// The part of a buffer that an operation is to use; see [`IoBuf::slice`].
///
/// A write writes what of the part is initialised; a read fills the part and leaves the rest of the buffer as it was,
/// but for the length, which grows to where the read ended if it was less: bytes before the part have to be
/// initialised for that, and a part that starts beyond the length is refused when it is made.
#[derive(Clone, Debug)]
pub struct Slice<B> {
    buffer: B,
    start: usize,
    end: usize,
}

impl<B: IoBuf> Slice<B> {
    pub(super) fn new(buffer: B, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        assert!(start <= end, "a slice from {start} to {end}");
        assert!(start <= buffer.bytes_init(), "a slice from {start} of {} bytes", buffer.bytes_init());
        Self { buffer, start, end }
    }

    /// Gives the whole buffer back.
    pub fn into_inner(self) -> B {
        self.buffer
    }

    /// The whole buffer.
    pub fn get_ref(&self) -> &B {
        &self.buffer
    }
}

// SAFETY: part of what the inner buffer guarantees: `start` is at most its initialised length.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.buffer.stable_ptr().wrapping_add(self.start)
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        self.end.min(self.buffer.bytes_init()).saturating_sub(self.start)
    }

    #[inline]
    fn registration(&self) -> Option<Registration> {
        self.buffer.registration()
    }
}

// SAFETY: as above, for the room that the inner buffer has.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    #[inline]
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.buffer.stable_mut_ptr().wrapping_add(self.start)
    }

    #[inline]
    fn bytes_total(&self) -> usize {
        self.end.min(self.buffer.bytes_total()).saturating_sub(self.start)
    }

    #[inline]
    unsafe fn set_init(&mut self, count: usize) {
        let end = self.start + count;
        if end > self.buffer.bytes_init() {
            // SAFETY: up to `start` the buffer was initialised (checked when the slice was made), and `count` bytes
            // from there on are now (this fn's contract).
            unsafe { self.buffer.set_init(end) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_and_the_rest_left() {
        let mut slice = vec![1_u8; 10].slice(4..6);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (2, 2));
        // SAFETY: all ten bytes are initialised.
        unsafe { slice.set_init(1) };
        assert_eq!(slice.into_inner().len(), 10);
    }

    #[test]
    fn a_part_beyond_the_length_makes_it_longer() {
        let mut bytes = Vec::with_capacity(16);
        bytes.extend([7; 4]);
        let mut slice = bytes.slice(4..100);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (0, slice.get_ref().capacity() - 4));
        let at = slice.stable_mut_ptr();
        // SAFETY: the vector has room for 16.
        unsafe { at.write(8) };
        // SAFETY: the byte has just been written.
        unsafe { slice.set_init(1) };
        assert_eq!(slice.into_inner(), [7, 7, 7, 7, 8]);
    }

    #[test]
    #[should_panic(expected = "a slice from 5 of 4 bytes")]
    fn a_part_that_would_leave_a_gap_is_refused() {
        let mut bytes = Vec::with_capacity(16);
        bytes.extend([7; 4]);
        let _ = bytes.slice(5..6);
    }
}
