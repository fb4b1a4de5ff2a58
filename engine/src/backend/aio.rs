//! Kernel AIO.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use aio::{AioContext, RwFlags};

use super::{Backend, BackendKind, OWN};
use crate::error::{Error, unsupported};
use crate::eventfd::EventFd;
use crate::request::{Action, Request};

/// Completion of a request to cancel another, or of the first one of all.
const OURS: u64 = OWN;

/// A kernel AIO context.
#[derive(Debug)]
pub struct Aio {
    context: AioContext,
    /// What to cancel, and there was no room to say so.
    cancels: Vec<u64>,
    /// Nobody has looked for completions since the last submit.
    unseen: bool,
    /// The entry to cancel by is in use.
    cancelling: bool,
}

impl Aio {
    /// Makes a context with room for `depth` requests in flight, and tries it.
    ///
    /// # Errors
    ///
    /// As [`AioContext::new`], and whatever a request that is done at once says.
    pub fn new(depth: usize) -> io::Result<Self> {
        // One entry to cancel by, and one for whoever wraps this.
        let mut context = AioContext::new(depth + 2)?;
        let always = EventFd::new()?;
        // SAFETY: the eventfd is open until the completion is taken, below.
        unsafe { context.add_poll_fd(&always, libc::POLLOUT, OURS)? };
        context.wait()?.try_for_each(|(_, result)| result.map(drop))?;
        Ok(Self { context, cancels: Vec::new(), cancelling: false, unseen: false })
    }

    /// Queues a cancellation if there is none already: more than one entry would take the room of requests.
    #[cold]
    fn cancel_late(&mut self) -> Result<(), Error> {
        if self.cancelling {
            return Ok(());
        }
        if let Some(&user_data) = self.cancels.last() {
            match self.context.cancel(user_data, OURS) {
                Err(aio::Error::NoSpace) => return Ok(()),
                other => other?,
            }
            self.cancels.pop();
            self.cancelling = true;
        }
        Ok(())
    }

    #[cold]
    fn look(&mut self) -> Option<(u64, io::Result<u32>)> {
        self.unseen = false;
        // Seen, and left for the next line. In a forked child there is nothing.
        mem::forget(self.context.completions().ok()?);
        self.context.next_completion()
    }

    /// How many completions to wait for: what is yet to be cancelled may not come before the cancellation does.
    #[inline]
    fn wanted(&self, nr: usize) -> usize {
        if self.cancels.is_empty() { nr } else { nr.min(1) }
    }

    #[inline]
    fn prepare(&mut self) -> Result<(), Error> {
        if self.cancels.is_empty() { Ok(()) } else { self.cancel_late() }
    }
}

// SAFETY: each of the numbered rules is a promise of `AioContext`: exactly one completion a request, after which the
// kernel is done with the memory; vectors are copied; `close` waits for what is in flight. Requests of our own have `OURS`.
unsafe impl Backend for Aio {
    #[inline]
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        let Request { file, action } = request;
        let (context, fd) = (&mut self.context, file.fd);
        let (queued, flags) = match action {
            Action::Read { ptr, len, offset, flags, .. } => {
                // SAFETY: this fn's contract.
                (unsafe { context.add_read(ptr, len, fd, offset, user_data) }?, flags)
            }
            Action::Write { ptr, len, offset, flags, .. } => {
                // SAFETY: this fn's contract.
                (unsafe { context.add_write(ptr, len, fd, offset, user_data) }?, flags)
            }
            Action::ReadVectored { iovecs, offset, flags } => {
                // SAFETY: this fn's contract.
                (unsafe { context.add_readv_iter(iovecs.iter(), fd, offset, user_data) }?, flags)
            }
            Action::WriteVectored { iovecs, offset, flags } => {
                // SAFETY: this fn's contract.
                (unsafe { context.add_writev_iter(iovecs.iter(), fd, offset, user_data) }?, flags)
            }
            // SAFETY: this fn's contract.
            Action::Sync { data_only: false } => return Ok(unsafe { context.add_fsync(fd, user_data) }?),
            // SAFETY: this fn's contract.
            Action::Sync { data_only: true } => return Ok(unsafe { context.add_fdatasync(fd, user_data) }?),
            Action::Poll { events } => {
                // SAFETY: this fn's contract.
                return Ok(unsafe { context.add_poll_fd(fd, events, user_data) }?);
            }
            // `Assisted` has these done by threads.
            Action::Allocate { .. } | Action::Discard { .. } | Action::WriteZeroes { .. } => {
                return Err(unsupported());
            }
        };
        if flags.bits() != 0 {
            queued.rw_flags(RwFlags::from_bits_retain(flags.bits()));
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), Error> {
        self.prepare()?;
        self.context.submit()?;
        // The descriptor stays readable for what is done by now until `next` looks for it.
        self.unseen = true;
        Ok(())
    }

    #[inline]
    fn wait(&mut self, nr: usize) -> Result<(), Error> {
        self.prepare()?;
        mem::forget(self.context.wait_nr(self.wanted(nr))?);
        Ok(())
    }

    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        self.prepare()?;
        mem::forget(self.context.wait_timeout(timeout)?);
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Option<(u64, io::Result<u32>)> {
        match self.context.next_completion() {
            None if self.unseen => self.look(),
            next => next,
        }
    }

    fn attend(&mut self, user_data: u64, _result: io::Result<u32>) {
        self.cancelling &= user_data != OURS;
    }

    fn cancel(&mut self, user_data: u64) -> Result<(), Error> {
        self.cancels.push(user_data);
        self.cancel_late()
    }

    fn kind(&self) -> BackendKind {
        BackendKind::Aio
    }

    fn close(self) -> io::Result<()> {
        match self.context.close() {
            // The parent's requests are the parent's.
            Ok(()) | Err(aio::Error::Forked) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Aio {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.context.as_fd()
    }
}
