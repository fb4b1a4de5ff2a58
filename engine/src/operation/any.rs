//! One type for engines that do several things.

use super::{
    Allocate, Discard, Operation, Poll, Read, ReadVectored, Sync, Write, WriteVectored, WriteZeroes,
};
use crate::buffer::IoBufMut;
use crate::file::IoFile;
use crate::request::Request;

/// Declares the type, its conversions and its [`Operation`].
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($type:ty)),* $(,)?) => {
        /// Any operation of this crate on one type of file and one of buffer; each converts into it.
        ///
        /// An engine that only ever reads is faster as `Engine<Read<_, _>>`.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Operations<F, B> {
            $($(#[$doc])* $name($type)),*
        }

        $(
            impl<F, B> From<$type> for Operations<F, B> {
                #[inline]
                fn from(operation: $type) -> Self {
                    Self::$name(operation)
                }
            }
        )*

        // SAFETY: the guarantees of each of them.
        unsafe impl<F: IoFile, B: IoBufMut> Operation for Operations<F, B> {
            #[inline]
            fn request(&mut self) -> Request<'_> {
                match self {
                    $(Self::$name(operation) => operation.request()),*
                }
            }

            #[inline]
            fn transfer_len(&mut self) -> Option<usize> {
                match self {
                    $(Self::$name(operation) => operation.transfer_len()),*
                }
            }

            #[inline]
            unsafe fn finish(&mut self, transferred: usize) {
                match self {
                    $(Self::$name(operation) => {
                        // SAFETY: this fn's contract.
                        unsafe { operation.finish(transferred) }
                    })*
                }
            }
        }
    };
}

operations! {
    /// Reads into a buffer.
    Read(Read<F, B>),
    /// Writes from a buffer.
    Write(Write<F, B>),
    /// Reads into several buffers.
    ReadVectored(ReadVectored<F, B>),
    /// Writes from several buffers.
    WriteVectored(WriteVectored<F, B>),
    /// Makes what was written durable.
    Sync(Sync<F>),
    /// Allocates space or punches a hole.
    Allocate(Allocate<F>),
    /// Gives up a range.
    Discard(Discard<F>),
    /// Zeroes a range.
    WriteZeroes(WriteZeroes<F>),
    /// Waits until something can be done.
    Poll(Poll<F>),
}

impl<F, B> Operations<F, B> {
    /// The buffer, if there is exactly one.
    pub fn into_buffer(self) -> Option<B> {
        match self {
            Self::Read(Read { buffer, .. }) | Self::Write(Write { buffer, .. }) => Some(buffer),
            _ => None,
        }
    }
}
