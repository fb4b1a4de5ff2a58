//! Reads and writes of one buffer.

use uring::RwFlags;

use super::Operation;
use crate::buffer::{IoBuf, IoBufMut};
use crate::file::IoFile;
use crate::request::{Action, Request};

/// Reads at an offset into a buffer, until it is full or the file ends: `preadv2(2)`.
///
/// A buffer that has a length, such as a vector, is filled to its capacity from the start, and is then as long as what was
/// read. At the end of the file the count is short.
#[derive(Clone, Debug)]
pub struct Read<F, B> {
    /// From what.
    pub file: F,
    /// Into what.
    pub buffer: B,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// `RWF_*`.
    pub flags: RwFlags,
}

/// Writes the initialised bytes of a buffer at an offset, all of them unless there is an error: `pwritev2(2)`.
#[derive(Clone, Debug)]
pub struct Write<F, B> {
    /// To what.
    pub file: F,
    /// From what.
    pub buffer: B,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// `RWF_*`.
    pub flags: RwFlags,
}

/// Gives both what they have in common.
macro_rules! transfer {
    ($($name:ident),*) => {$(
        impl<F, B> $name<F, B> {
            /// Names file, buffer and offset.
            #[inline]
            pub fn new(file: F, buffer: B, offset: u64) -> Self {
                Self { file, buffer, offset, flags: RwFlags::default() }
            }

            /// Adds `RWF_*` flags.
            ///
            /// With [`RwFlags::NOWAIT`] what would block fails with `EAGAIN`, which is then not tried again.
            #[inline]
            #[must_use]
            pub fn flags(mut self, flags: RwFlags) -> Self {
                self.flags = flags;
                self
            }
        }
    )*};
}

transfer!(Read, Write);

// SAFETY: the guarantees of `IoBufMut`, which the operation owns, and of `IoFile`.
unsafe impl<F: IoFile, B: IoBufMut> Operation for Read<F, B> {
    #[inline]
    fn request(&mut self) -> Request<'_> {
        let action = Action::Read {
            ptr: self.buffer.stable_mut_ptr(),
            len: self.buffer.bytes_total(),
            offset: self.offset,
            flags: self.flags,
            registration: self.buffer.registration(),
        };
        Request { file: (&self.file).into(), action }
    }

    #[inline]
    fn transfer_len(&mut self) -> Option<usize> {
        Some(self.buffer.bytes_total())
    }

    #[inline]
    unsafe fn finish(&mut self, transferred: usize) {
        // SAFETY: the kernel has written these bytes (this fn's contract), so they are initialised.
        unsafe { self.buffer.set_init(transferred) }
    }
}

// SAFETY: the guarantees of `IoBuf`, which the operation owns, and of `IoFile`.
unsafe impl<F: IoFile, B: IoBuf> Operation for Write<F, B> {
    #[inline]
    fn request(&mut self) -> Request<'_> {
        let action = Action::Write {
            ptr: self.buffer.stable_ptr(),
            len: self.buffer.bytes_init(),
            offset: self.offset,
            flags: self.flags,
            registration: self.buffer.registration(),
        };
        Request { file: (&self.file).into(), action }
    }

    #[inline]
    fn transfer_len(&mut self) -> Option<usize> {
        Some(self.buffer.bytes_init())
    }

    #[inline]
    unsafe fn finish(&mut self, _transferred: usize) {}
}
