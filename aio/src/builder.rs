//! What can be chosen when a context is made.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::completion::Completion;
use crate::context::AioContext;
use crate::error::{Error, Result};
use crate::eventfd::EventFd;
use crate::handle::Handle;
use crate::ring::Ring;
use crate::row::Row;
use crate::shared::Shared;
use crate::slot::Slots;
use crate::spsc::Queue;
use crate::stats::Calls;
use crate::submission::Submission;

/// Makes a context that is not as [`AioContext::new`] makes it.
///
/// # Examples
///
/// ```
/// let mut context = aio::AioContext::builder(32).force_syscall(true).build()?;
/// assert_eq!(context.wait()?.count(), 0);
/// # Ok::<(), aio::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct Builder {
    nr: usize,
    force_syscall: bool,
}

impl Builder {
    pub(crate) fn new(num_entries: usize) -> Self {
        Self { nr: num_entries, force_syscall: false }
    }

    /// Takes completions by `io_getevents` always, never from the mapped ring.
    ///
    /// A switch for an emptier road: should a kernel or an emulator of one get the ring wrong, nothing depends on
    /// it any more. At depth 1 it costs a third of the throughput, at depth 32 nothing.
    pub fn force_syscall(mut self, force: bool) -> Self {
        self.force_syscall = force;
        self
    }

    /// Makes the context: [io_setup(2)].
    ///
    /// # Errors
    ///
    /// - `EINVAL`: no entries, or more than 4 194 304.
    /// - `EAGAIN`: the entries of all contexts of the system would exceed `/proc/sys/fs/aio-max-nr`; the text has
    ///   both numbers.
    /// - `ENOSYS`, `EPERM`: no kernel AIO here, or none for this process; the text says what forbids it.
    /// - `EMFILE`, `ENFILE`, `ENOMEM`: no descriptor or memory left.
    ///
    /// [io_setup(2)]: https://man7.org/linux/man-pages/man2/io_setup.2.html
    pub fn build(self) -> Result<AioContext> {
        let nr = self.nr;
        let handle = Handle::new(nr)?;
        // SAFETY: the context is live as long as `handle`, which goes into `Shared`; who holds the ring holds
        // `Shared` too and asks the handle's gate first. The reaping half is the one consumer.
        let ring = unsafe { Ring::of(handle.id(), handle.for_completion()) };
        if let Some(ring) = &ring {
            let kept = ring.keep_from_children();
            kept.map_err(|error| Error::kernel("madvise", error, "MADV_DONTFORK of the ring"))?;
        }
        let ring = ring.filter(|_| !self.force_syscall);
        let eventfd = EventFd::new()
            .map_err(|error| Error::kernel("eventfd", error, "close descriptors, or raise RLIMIT_NOFILE"))?;
        let (local, completing, reaping) = Queue::new(nr);
        let slots = Slots::new(nr);
        let row = Row::of(&slots);
        let shared = Arc::new(Shared {
            handle,
            slots,
            row,
            local,
            eventfd,
            submitting: Calls::default(),
            reaping: Calls::default(),
            look_closer: AtomicBool::new(false),
            last: AtomicBool::new(false),
        });
        Ok(AioContext {
            submission: Submission::new(Arc::clone(&shared), completing),
            completion: Completion::new(shared, ring, reaping),
        })
    }
}
