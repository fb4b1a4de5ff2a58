//! Buffers that operations own.

mod aligned;
#[cfg(feature = "bytes")]
mod bytes;
mod pool;
mod slice;

use std::sync::Arc;

pub use self::aligned::AlignedBuf;
pub use self::pool::{BufferPool, PooledBuf};
pub use self::slice::Slice;
use crate::registration::Registration;

/// Memory that the kernel may read while an operation owns the buffer.
///
/// # Safety
///
/// Until the buffer is dropped or something is done with it through `&mut`:
///
/// 1. [`stable_ptr`](Self::stable_ptr) returns the same address each time, however often the buffer itself is
///    moved, and [`bytes_init`](Self::bytes_init) the same count.
/// 2. That many bytes there are valid for reads and initialised, and nobody writes to them but through
///    `&mut` of the buffer, or, for memory that is shared with others by its nature (a guest's), they are not memory
///    that Rust references point to.
pub unsafe trait IoBuf: 'static {
    /// Where the bytes start.
    fn stable_ptr(&self) -> *const u8;

    /// How many bytes are initialised; a write writes these.
    fn bytes_init(&self) -> usize;

    /// Where the memory stands among the registered buffers of a ring, if it does.
    #[inline]
    fn registration(&self) -> Option<Registration> {
        None
    }

    /// Takes the buffer for the part `range` of its initialised bytes.
    ///
    /// # Panics
    ///
    /// If the range ends beyond the buffer's [capacity](IoBufMut::bytes_total), or starts after its end.
    fn slice(self, range: std::ops::Range<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        Slice::new(self, range)
    }
}

/// Memory that the kernel may write while an operation owns the buffer.
///
/// A read fills it from the start to its [total](Self::bytes_total) and then tells it how much there is.
///
/// # Safety
///
/// As for [`IoBuf`], and until the buffer is dropped or something else is done with it through `&mut`:
///
/// 1. [`stable_mut_ptr`](Self::stable_mut_ptr) returns the same address each time, that of
///    [`stable_ptr`](IoBuf::stable_ptr), and [`bytes_total`](Self::bytes_total) the same count.
/// 2. That many bytes there are valid for writes, and nobody else reads or writes them: the same exception.
pub unsafe trait IoBufMut: IoBuf {
    /// Where the bytes start.
    fn stable_mut_ptr(&mut self) -> *mut u8;

    /// How many bytes there is room for; a read asks for these.
    fn bytes_total(&self) -> usize;

    /// Notes that the first `count` bytes have been read, which makes them initialised; a buffer that has a length
    /// has this one from now on.
    ///
    /// # Safety
    ///
    /// The first `count` bytes are initialised, and there are as many.
    unsafe fn set_init(&mut self, count: usize);
}

// SAFETY: the bytes are on the heap, where a move of the vector leaves them; nothing but `&mut` changes them.
unsafe impl IoBuf for Vec<u8> {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above; up to the capacity the vector owns the bytes.
unsafe impl IoBufMut for Vec<u8> {
    #[inline]
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    #[inline]
    fn bytes_total(&self) -> usize {
        self.capacity()
    }

    #[inline]
    unsafe fn set_init(&mut self, count: usize) {
        // SAFETY: this fn's contract.
        unsafe { self.set_len(count) }
    }
}

// SAFETY: the bytes are on the heap, where a move of the box leaves them; nothing but `&mut` changes them.
unsafe impl IoBuf for Box<[u8]> {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Box<[u8]> {
    #[inline]
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    #[inline]
    fn bytes_total(&self) -> usize {
        self.len()
    }

    #[inline]
    unsafe fn set_init(&mut self, _count: usize) {}
}

// SAFETY: as for `Box<[u8]>`.
unsafe impl<const N: usize> IoBuf for Box<[u8; N]> {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        N
    }
}

// SAFETY: as above.
unsafe impl<const N: usize> IoBufMut for Box<[u8; N]> {
    #[inline]
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    #[inline]
    fn bytes_total(&self) -> usize {
        N
    }

    #[inline]
    unsafe fn set_init(&mut self, _count: usize) {}
}

/// Declares buffers that are only read: shared bytes that never change.
macro_rules! shared_bytes {
    ($($type:ty),*) => {$(
        // SAFETY: nobody can change shared bytes, and they stay where they are as long as the handle lives.
        unsafe impl IoBuf for $type {
            #[inline]
            fn stable_ptr(&self) -> *const u8 {
                self.as_ptr()
            }

            #[inline]
            fn bytes_init(&self) -> usize {
                self.len()
            }
        }
    )*};
}

shared_bytes!(&'static [u8], &'static str, Arc<[u8]>, String);
