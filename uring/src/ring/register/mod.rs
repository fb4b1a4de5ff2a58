//! `io_uring_register`: what a ring is told once.

mod buffers;
mod cancel;
mod clock;
mod clone;
mod event;
mod files;
mod filter;
mod message;
mod napi;
mod owned;
mod personality;
mod query;
mod regions;
mod resize;
mod restrictions;
mod tenancy;
mod waits;
mod workers;
mod zcrx;

use std::io;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use uring_sys::{IORING_REGISTER_ENABLE_RINGS, io_uring_register};

pub use self::cancel::SyncCancel;
pub use self::clock::Clock;
pub use self::clone::CloneBuffers;
pub use self::files::FilePlace;
pub use self::filter::{Filter, register_task_filter};
pub use self::message::send_message;
pub use self::napi::{Napi, NapiTracking};
pub use self::owned::{BufferMemory, BuffersError, RegisteredBuffers};
pub use self::personality::Personality;
pub(crate) use self::query::{query, query_scq, query_zcrx, query_zcrx_event};
pub(crate) use self::restrictions::restrict_thread;
pub(super) use self::tenancy::{Kept, Tenancy};
pub use self::waits::RegisteredWait;
pub use self::workers::MaxWorkers;
pub use self::zcrx::{Zcrx, ZcrxArea, ZcrxEvents, ZcrxQueue};
use super::core::Core;
use crate::entry::result;
use crate::error::{Error, Result};

/// What a ring is told once: [`Ring::registrar`](crate::Ring::registrar).
///
/// Files and buffers that it knows beforehand, who is to be told of completions, and what else
/// [`io_uring_register(2)`](https://man7.org/linux/man-pages/man2/io_uring_register.2.html) takes. A call on a ring
/// that is restricted is `EACCES`, unless its [restrictions](crate::Restrictions) allow it; in a forked child each is
/// [`Error::Forked`].
#[derive(Clone, Copy, Debug)]
pub struct Registrar<'ring> {
    core: &'ring Arc<Core>,
    /// The ring may be bound to the thread that this is made in.
    not_send: PhantomData<*const ()>,
}

impl<'ring> Registrar<'ring> {
    pub(crate) fn new(core: &'ring Arc<Core>) -> Self {
        Self { core, not_send: PhantomData }
    }

    /// The ring, unless this is a child of the process that it belongs to.
    pub(super) fn core(self) -> Result<&'ring Arc<Core>> {
        if self.core.gate().owner().get() == 0 { Err(Error::Forked) } else { Ok(self.core) }
    }

    /// Hands one structure to the kernel, which may answer in it.
    ///
    /// # Safety
    ///
    /// `T` is what `opcode` takes with the count `nr`, and what it names is valid for what the kernel does with it.
    unsafe fn tell<T>(
        self,
        opcode: u32,
        raw: &mut T,
        nr: u32,
        refused: impl FnOnce(io::Error) -> Error,
    ) -> Result<u32> {
        // SAFETY: the structure outlives the call; otherwise this fn's contract.
        unsafe { self.core()?.register(opcode, (&raw mut *raw).cast(), nr) }.map_err(refused)
    }
}

/// What the kernel is told to call its hold on a file or a buffer: when it lets go of it, a completion of that name and
/// of result 0 is posted. 0 asks for none.
pub type Tag = u64;

impl Core {
    /// Has the completions of `tags` expected, unless `done` fails.
    fn with_tags<T>(&self, tags: &[Tag], done: impl FnOnce() -> Result<T>) -> Result<T> {
        let tags = || tags.iter().copied().filter(|&tag| tag != 0);
        if tags().count() > 0 && self.counts.load(Ordering::Relaxed) {
            return Err(Error::invalid(
                "io_uring_register",
                "tags: this context counts its requests by their completions, and cannot have others; take a `Ring`",
            ));
        }
        self.note_added(tags());
        done().inspect_err(|_| self.note_taken(tags()))
    }

    /// # Safety
    ///
    /// `arg` and `nr` are what `opcode` takes, and valid for what the kernel does with them.
    pub(super) unsafe fn register(&self, opcode: u32, arg: *mut libc::c_void, nr: u32) -> io::Result<u32> {
        let (ring, kind) = self.door.for_register();
        // SAFETY: this fn's contract.
        result(unsafe { io_uring_register(ring, opcode | kind, arg, nr) })
    }

    /// Starts a ring that was made disabled.
    pub(crate) fn enable(&self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.register(IORING_REGISTER_ENABLE_RINGS, ptr::null_mut(), 0) }.map(drop).map_err(
            |error| match error.raw_os_error() {
                Some(libc::EBADFD) => {
                    Error::kernel("io_uring_register", error, "the ring is enabled already")
                }
                _ => refused(error, "enabling the ring"),
            },
        )
    }

    /// Unregisters what buffers and files there are. Closing the ring does so as well, but only some time
    /// later: until then memory stays pinned and file systems stay busy.
    pub(crate) fn release_resources(&self) {
        // A ring whose restrictions forbid this leaves it to the close.
        if self.has_buffers.load(Ordering::Relaxed) {
            let _ = self.unregister_buffers();
        }
        if self.has_files.load(Ordering::Relaxed) {
            let _ = self.unregister_files();
        }
    }
}

/// A length as the kernel counts; none of ours comes near the limit but by a mistake that the kernel
/// then refuses.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cold]
pub(super) fn refused(error: io::Error, what: &str) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::ENOMEM) => {
            format!("{what}: pinned memory counts against RLIMIT_MEMLOCK (ulimit -l)")
        }
        Some(libc::EMFILE) => format!("{what}: more than RLIMIT_NOFILE (ulimit -n)"),
        Some(libc::EBUSY) => format!("{what}: some are registered; unregister them first"),
        Some(libc::ENXIO) => format!("{what}: none are registered"),
        Some(libc::EEXIST) => format!("{what}: the ring is bound to the thread that first used it"),
        Some(libc::EBADF) => {
            format!("{what}: a ring without a descriptor is used in the thread that made it only")
        }
        Some(libc::EACCES) => format!("{what}: this ring's restrictions do not allow the call"),
        Some(libc::EPERM | libc::ENOSYS) => format!("{what}: forbidden, by a seccomp filter most likely"),
        _ => what.to_owned(),
    };
    Error::kernel("io_uring_register", error, hint)
}
