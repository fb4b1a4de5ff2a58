//! Operations: what an engine keeps in flight, owning what the kernel uses.

mod any;
mod control;
mod transfer;
mod vectored;

pub use self::any::Operations;
pub use self::control::{Allocate, Discard, Poll, Sync, WriteZeroes};
pub use self::transfer::{Read, Write};
pub use self::vectored::{ReadVectored, WriteVectored};
use crate::request::Request;

/// Something that an [`Engine`](crate::Engine) can keep in flight: it owns file and memory, and words the request.
///
/// The operations of this crate are enough for most users. A type of your own can wrap them, which a pair of an operation and anything else
/// does already, `(Read<_, _>, MyContext)`; or it refers to memory that is not a buffer of this process's allocator, such as
/// a guest's.
///
/// # Safety
///
/// From one call of [`request`](Self::request) on, until the value is dropped, or `finish` or anything else but `request`
/// is called on it:
///
/// 1. Memory that the request names is valid for what the request does, and is not otherwise used by anyone
///    (the exception of [`IoBuf`](crate::IoBuf) holds), however often the value is moved.
/// 2. `request` returns the same again, and `transfer_len` agrees with it.
/// 3. The file of the request stays open.
///
/// Leaking the value has to keep all of that up for ever, so it is `'static`.
pub unsafe trait Operation: 'static {
    /// Words the request.
    fn request(&mut self) -> Request<'_>;

    /// What [`Request::transfer_len`] says of the request.
    #[inline]
    fn transfer_len(&mut self) -> Option<usize> {
        self.request().transfer_len()
    }

    /// Takes note of how many bytes were transferred, also before an error.
    ///
    /// # Safety
    ///
    /// If the request reads, the kernel has written the first `transferred` bytes of its memory.
    unsafe fn finish(&mut self, transferred: usize);
}

/// No operation: for an engine of which only the [scopes](crate::Engine::scope) are used.
#[derive(Clone, Copy, Debug)]
pub enum Never {}

// SAFETY: there is no value that a method could be called on.
unsafe impl Operation for Never {
    fn request(&mut self) -> Request<'_> {
        match *self {}
    }

    unsafe fn finish(&mut self, _transferred: usize) {
        match *self {}
    }
}

// SAFETY: the operation's own guarantees; what goes with it has no part in the request.
unsafe impl<O: Operation, C: 'static> Operation for (O, C) {
    #[inline]
    fn request(&mut self) -> Request<'_> {
        self.0.request()
    }

    #[inline]
    fn transfer_len(&mut self) -> Option<usize> {
        self.0.transfer_len()
    }

    #[inline]
    unsafe fn finish(&mut self, transferred: usize) {
        // SAFETY: this fn's contract.
        unsafe { self.0.finish(transferred) }
    }
}

// SAFETY: the operation's own guarantees; a box moves without it.
unsafe impl<O: Operation + ?Sized> Operation for Box<O> {
    #[inline]
    fn request(&mut self) -> Request<'_> {
        (**self).request()
    }

    #[inline]
    fn transfer_len(&mut self) -> Option<usize> {
        (**self).transfer_len()
    }

    #[inline]
    unsafe fn finish(&mut self, transferred: usize) {
        // SAFETY: this fn's contract.
        unsafe { (**self).finish(transferred) }
    }
}
