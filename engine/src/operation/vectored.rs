//! Reads and writes of several buffers.

use std::fmt;

use libc::iovec;
use uring::RwFlags;

use super::Operation;
use crate::buffer::{IoBuf, IoBufMut};
use crate::file::IoFile;
use crate::request::{Action, IoVecs, Request};

/// Addresses and lengths of buffers.
struct Addresses(Vec<iovec>);

// SAFETY: the addresses are not followed here; the buffers that they are of go along and are `Send` by themselves, or the
// whole is not.
unsafe impl Send for Addresses {}
// SAFETY: as above.
unsafe impl std::marker::Sync for Addresses {}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} buffers]", self.0.len())
    }
}

/// Reads at an offset into several buffers, one after the other: `preadv2(2)`; at most 1024 of them.
///
/// As [`Read`](super::Read) does it: until all are full or the file ends. Buffers that have a length are then as long as what was read to them.
#[derive(Debug)]
pub struct ReadVectored<F, B> {
    file: F,
    buffers: Vec<B>,
    offset: u64,
    flags: RwFlags,
    addresses: Addresses,
}

/// Writes the initialised bytes of several buffers at an offset, one after the other: `pwritev2(2)`; at most 1024 of them.
#[derive(Debug)]
pub struct WriteVectored<F, B> {
    file: F,
    buffers: Vec<B>,
    offset: u64,
    flags: RwFlags,
    addresses: Addresses,
}

/// Gives both what they have in common.
macro_rules! vectored {
    ($($name:ident),*) => {$(
        impl<F, B> $name<F, B> {
            /// Names file, buffers and offset.
            pub fn new(file: F, buffers: Vec<B>, offset: u64) -> Self {
                let addresses = Addresses(Vec::with_capacity(buffers.len()));
                Self { file, buffers, offset, flags: RwFlags::default(), addresses }
            }

            /// Adds `RWF_*` flags; see [`Read::flags`](super::Read::flags()).
            #[must_use]
            pub fn flags(mut self, flags: RwFlags) -> Self {
                self.flags = flags;
                self
            }

            /// Gives back what [`new`](Self::new) was given.
            pub fn into_parts(self) -> (F, Vec<B>, u64) {
                (self.file, self.buffers, self.offset)
            }

            /// The buffers.
            pub fn buffers(&self) -> &[B] {
                &self.buffers
            }
        }
    )*};
}

vectored!(ReadVectored, WriteVectored);

// SAFETY: the guarantees of `IoBufMut`, which the operation owns, and of `IoFile`. The array of addresses is made anew
// each time, of the same values; a back end copies it.
unsafe impl<F: IoFile, B: IoBufMut> Operation for ReadVectored<F, B> {
    fn request(&mut self) -> Request<'_> {
        self.addresses.0.clear();
        self.addresses.0.extend(
            self.buffers.iter_mut().map(|buffer| iovec {
                iov_base: buffer.stable_mut_ptr().cast(),
                iov_len: buffer.bytes_total(),
            }),
        );
        let iovecs = IoVecs::new(&self.addresses.0);
        let action = Action::ReadVectored { iovecs, offset: self.offset, flags: self.flags };
        Request { file: (&self.file).into(), action }
    }

    unsafe fn finish(&mut self, transferred: usize) {
        let mut left = transferred;
        for buffer in &mut self.buffers {
            let count = left.min(buffer.bytes_total());
            left -= count;
            // SAFETY: the kernel fills the buffers in order, so it has written the first `count` bytes of this one.
            unsafe { buffer.set_init(count) };
        }
    }
}

// SAFETY: the guarantees of `IoBuf`, which the operation owns, and of `IoFile`; see above for the addresses.
unsafe impl<F: IoFile, B: IoBuf> Operation for WriteVectored<F, B> {
    fn request(&mut self) -> Request<'_> {
        self.addresses.0.clear();
        self.addresses.0.extend(self.buffers.iter().map(|buffer| iovec {
            iov_base: buffer.stable_ptr().cast_mut().cast(),
            iov_len: buffer.bytes_init(),
        }));
        let iovecs = IoVecs::new(&self.addresses.0);
        let action = Action::WriteVectored { iovecs, offset: self.offset, flags: self.flags };
        Request { file: (&self.file).into(), action }
    }

    unsafe fn finish(&mut self, _transferred: usize) {}
}
