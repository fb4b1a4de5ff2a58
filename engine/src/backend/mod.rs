//! Back ends: what carries requests out.

mod adding;
mod aio;
mod assisted;
mod choice;
mod threads;
mod uring;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::adding::{add_request, add_to};
pub use self::aio::Aio;
pub use self::assisted::Assisted;
pub use self::choice::{AnyBackend, Choice};
pub use self::threads::Threads;
pub(crate) use self::threads::quietly;
pub use self::uring::Uring;
use crate::buffer::BufferPool;
use crate::error::Error;
use crate::file::RegisteredFile;
use crate::operation::Operation;
use crate::request::Request;

/// Where `user_data` of requests starts that are a back end's own; an [`Engine`](crate::Engine) hands their completions to
/// [`Backend::attend`].
pub const OWN: u64 = 0xffff_ffff_ffff_0000;

/// A kind of back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendKind {
    /// io_uring: [`URingContext`](::uring::URingContext).
    Uring,
    /// Kernel AIO: [`AioContext`](::aio::AioContext).
    Aio,
    /// Blocking calls in threads.
    Threads,
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uring => "io_uring",
            Self::Aio => "kernel AIO",
            Self::Threads => "threads",
        })
    }
}

/// What an [`Engine`](crate::Engine) runs on: takes requests, and says what became of each.
///
/// Those of this crate are [`Uring`], [`Aio`] and [`Threads`], with [`AnyBackend`] for whichever of them there is. Wrap one
/// to inject faults, or write one for a device of your own.
///
/// # Safety
///
/// An engine frees the memory of a request when the back end says that it is done with it. So:
///
/// 1. Each request that [`add`](Self::add) has accepted comes out of [`next`](Self::next) exactly once, with its `user_data`, and
///    nothing else does but `user_data` from [`OWN`] up.
/// 2. From then on, neither the kernel nor a thread of the back end touches the memory of the request, or its descriptor.
/// 3. Before that it may be touched at any time, and only as the request says: a read writes within its `len` bytes, a write reads
///    within them.
/// 4. A count of bytes in an `Ok` for a read is at most what was asked for, and so many bytes from the start
///    have been written.
/// 5. A request that `add` has refused is as if it had never been.
/// 6. An array of buffers is copied in `add`.
/// 7. `Ok` from [`close`](Self::close) means that 2 holds for every request. An `Err` does not, and the memory is then leaked. An engine does
///    not drop a back end in any other way.
/// 8. A panic in any of these methods leaves 2 true of what `next` has handed out, and keeps the rest.
pub unsafe trait Backend: AsFd + Sized {
    /// Queues a request.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is no room before a submit, and what the kernel says; nothing has happened then.
    ///
    /// # Safety
    ///
    /// The memory and the descriptor that the request names are valid for it, and nobody else touches the memory, until it has
    /// come out of [`next`](Self::next) or [`close`](Self::close) has returned `Ok`.
    /// `user_data` is below [`OWN`] and of no other request in flight.
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error>;

    /// Adds the operation's request if that takes nothing unusual, and says whether it did: else [`add`](Self::add) is to be
    /// asked.
    ///
    /// It becomes part of the caller's code, which is why a back end may have it: there the kind of request is known.
    ///
    /// # Safety
    ///
    /// As [`add`](Self::add).
    #[inline(always)]
    unsafe fn add_usual(&mut self, operation: &mut impl Operation, user_data: u64) -> bool {
        let _ = (operation, user_data);
        false
    }

    /// Starts what was queued. What is done by now, [`next`](Self::next) has, and the descriptor is readable for it until then.
    ///
    /// # Errors
    ///
    /// What the kernel says; nothing is lost by it.
    fn submit(&mut self) -> Result<(), Error>;

    /// Starts what was queued, and waits until `nr` completions are there, or as many as requests are in flight if that is
    /// less. A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// What the kernel says; nothing is lost by it.
    fn wait(&mut self, nr: usize) -> Result<(), Error>;

    /// As [`wait`](Self::wait) for one completion, for `timeout` at the most.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error>;

    /// Takes a completion that is there, and neither waits nor submits.
    ///
    /// After it has returned `None`, the descriptor of the back end is readable when there is another one.
    fn next(&mut self) -> Option<(u64, io::Result<u32>)>;

    /// As [`next`](Self::next), and makes something of the completion, or nothing.
    ///
    /// A back end that is one of several has `make` become part of each one's code.
    #[inline]
    fn next_with<R>(&mut self, make: impl FnOnce(u64, io::Result<u32>) -> Option<R>) -> Option<R> {
        let (user_data, result) = self.next()?;
        make(user_data, result)
    }

    /// Looks at a completion of the back end's own.
    fn attend(&mut self, user_data: u64, result: io::Result<u32>);

    /// Asks to end a request early, which then completes with `ECANCELED`. It may have no effect; it is not forgotten for want of room.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    fn cancel(&mut self, user_data: u64) -> Result<(), Error>;

    /// Which kind it is.
    fn kind(&self) -> BackendKind;

    /// Requests that were carried out in another way than was asked for first.
    fn fallbacks(&self) -> u64 {
        0
    }

    /// Puts a file in the table of the ring, if there is one.
    fn register_file(&mut self, file: Arc<OwnedFd>) -> RegisteredFile {
        RegisteredFile::new(file, None)
    }

    /// Registers the memory of a pool with the ring, if there is one.
    fn register_buffers(&mut self, pool: &mut BufferPool) {
        let _ = pool;
    }

    /// Ends the back end: cancels what can be cancelled, waits for the rest, forgets what was not started.
    ///
    /// # Errors
    ///
    /// The kernel, or a thread, may still use the memory of requests in flight.
    fn close(self) -> io::Result<()>;
}
