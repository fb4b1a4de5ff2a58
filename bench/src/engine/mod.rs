//! The interfaces under measurement, behind one trait.

pub(crate) mod aio;
pub(crate) mod owned;
pub(crate) mod pread;
pub(crate) mod uring;

use std::io;

use crate::case::Op;

/// One way to do I/O on one file, monomorphised into the measuring loop.
pub(crate) trait Engine {
    /// Queues one operation; nothing need happen before [`wait`](Self::wait).
    ///
    /// # Safety
    ///
    /// `len` bytes at `block` stay valid, and nobody else touches them, until `wait` has handed out the
    /// completion of `user_data` or the engine has been dropped.
    unsafe fn queue(
        &mut self,
        op: Op,
        block: *mut u8,
        len: usize,
        offset: u64,
        user_data: u64,
    ) -> io::Result<()>;

    /// Submits what is queued, waits for at least one completion, and hands out all that are there.
    fn wait(&mut self, completed: impl FnMut(u64, io::Result<u32>)) -> io::Result<()>;

    /// System calls made so far.
    fn system_calls(&self) -> u64;
}
