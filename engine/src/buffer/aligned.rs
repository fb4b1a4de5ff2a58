//! Memory at an address that suits direct I/O.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

use super::{IoBuf, IoBufMut};

/// A buffer whose address is a multiple of a power of two, as `O_DIRECT` asks for: of 4096, unless told otherwise.
///
/// Like a vector it has a length within a capacity, but never grows. All of it is initialised, with zeroes at first.
///
/// ```
/// let mut buffer = engine::AlignedBuf::new(8192);
/// assert_eq!((buffer.len(), buffer.capacity()), (8192, 8192));
/// assert_eq!(buffer.as_ptr().addr() % 4096, 0);
/// buffer.set_len(100);
/// assert_eq!(buffer[..], [0; 100]);
/// ```
pub struct AlignedBuf {
    /// Invariant: an allocation of `layout`, initialised, owned by this value alone; dangling if the layout has no
    /// size.
    start: NonNull<u8>,
    layout: Layout,
    /// Invariant: at most the size of `layout`.
    len: usize,
}

// SAFETY: the allocation is owned by this value alone, as a box would own it.
unsafe impl Send for AlignedBuf {}
// SAFETY: as above; shared, it is only read.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// The usual alignment in bytes: enough for every disk in use.
    pub const ALIGNMENT: usize = 4096;

    /// Allocates `len` zeroes, aligned to [`ALIGNMENT`](Self::ALIGNMENT).
    ///
    /// # Panics
    ///
    /// If there are more than `isize::MAX` of them.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self::with_alignment(len, Self::ALIGNMENT)
    }

    /// Allocates `len` zeroes at a multiple of `alignment`.
    ///
    /// # Panics
    ///
    /// If `alignment` is not a power of two, or `len` rounded up to it is more than `isize::MAX`.
    #[must_use]
    pub fn with_alignment(len: usize, alignment: usize) -> Self {
        let layout = Layout::from_size_align(len, alignment)
            .expect("an alignment that is a power of two, and a length below isize::MAX");
        if len == 0 {
            return Self { start: layout_dangling(alignment), layout, len };
        }
        // SAFETY: the layout has a size.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Self { start, layout, len },
            None => handle_alloc_error(layout),
        }
    }

    /// Allocates a copy of `bytes`, aligned to [`ALIGNMENT`](Self::ALIGNMENT).
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Self {
        let mut made = Self::new(bytes.len());
        made.copy_from_slice(bytes);
        made
    }

    /// Bytes that there is room for.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.layout.size()
    }

    /// Multiple of what the address is.
    #[must_use]
    pub fn alignment(&self) -> usize {
        self.layout.align()
    }

    /// Makes the buffer as long as this; bytes that come back are what they were.
    ///
    /// # Panics
    ///
    /// If that is more than its capacity.
    #[inline]
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity(), "a length of {len} in a buffer of {}", self.capacity());
        self.len = len;
    }
}

fn layout_dangling(alignment: usize) -> NonNull<u8> {
    NonNull::new(std::ptr::without_provenance_mut(alignment)).expect("an alignment is not zero")
}

impl Deref for AlignedBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` bytes of the allocation, initialised, owned by `self` and borrowed as `self` is (the type's
        // invariants).
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: allocated with this layout (the type's invariant), and not used after this.
            unsafe { dealloc(self.start.as_ptr(), self.layout) }
        }
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuf")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .field("alignment", &self.alignment())
            .finish()
    }
}

impl Clone for AlignedBuf {
    fn clone(&self) -> Self {
        let mut made = Self::with_alignment(self.capacity(), self.alignment());
        made.len = self.len;
        made.copy_from_slice(self);
        made
    }
}

// SAFETY: the allocation stays where it is; nothing but `&mut` changes it (the type's invariants).
unsafe impl IoBuf for AlignedBuf {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        self.len
    }
}

// SAFETY: as above, up to the capacity.
unsafe impl IoBufMut for AlignedBuf {
    #[inline]
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    #[inline]
    fn bytes_total(&self) -> usize {
        self.capacity()
    }

    #[inline]
    unsafe fn set_init(&mut self, count: usize) {
        self.len = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_aligned_and_lengths_kept() {
        for (len, alignment) in [(1, 512), (4096, 512), (5000, 4096), (0, 4096), (0, 1), (3, 1 << 20)] {
            let buffer = AlignedBuf::with_alignment(len, alignment);
            assert_eq!(buffer.as_ptr().addr() % alignment, 0);
            assert_eq!((buffer.len(), buffer.capacity(), buffer.alignment()), (len, len, alignment));
            assert!(buffer.iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_clone_is_as_long_and_has_the_same_room() {
        let mut buffer = AlignedBuf::from_slice(b"0123456789");
        buffer.set_len(4);
        let clone = buffer.clone();
        assert_eq!(clone[..], *b"0123");
        assert_eq!(clone.capacity(), 10);
    }

    #[test]
    #[should_panic(expected = "a length of 11 in a buffer of 10")]
    fn a_length_beyond_the_capacity_is_refused() {
        AlignedBuf::new(10).set_len(11);
    }
}
