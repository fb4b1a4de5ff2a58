//! The buffers of the crate `bytes`.

use bytes::{Bytes, BytesMut};

use super::{IoBuf, IoBufMut};

// SAFETY: shared bytes never change, and stay where they are as long as the handle lives.
unsafe impl IoBuf for Bytes {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: the handle alone has these bytes, which stay where they are when it moves; `&mut` changes them only.
unsafe impl IoBuf for BytesMut {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above, up to the capacity.
unsafe impl IoBufMut for BytesMut {
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
