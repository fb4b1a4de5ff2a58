//! Where a source puts its requests.

use std::io;
use std::os::fd::AsFd;

use ::aio::{AioContext, Error};
use libc::{c_short, iovec};
use uring::RwFlags;

use super::registry::{Entry, user_data};

/// Takes the requests of one source, for [`AioSource::submit`](super::AioSource::submit).
///
/// # Errors
///
/// Each method returns [`WouldBlock`](io::ErrorKind::WouldBlock) if the reactor has no room, and
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a second request where one is all that was announced. What the kernel has against a request is its
/// result.
///
/// # Safety
///
/// All of them are for a source that keeps the contract of [`AioSource`](super::AioSource) for what they name.
#[derive(Debug)]
pub struct Submitter<'a> {
    pub(super) context: &'a mut AioContext,
    pub(super) entry: &'a mut Entry,
    pub(super) index: u32,
    pub(super) most: usize,
}

impl Submitter<'_> {
    /// Adds a request, and counts it.
    fn add<T>(&mut self, add: impl FnOnce(&mut AioContext, u64) -> Result<T, Error>) -> io::Result<()> {
        let nr = self.entry.results.len();
        if nr >= self.most {
            let text = format!("a request too many: {} is what the source was made for", self.most);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        add(self.context, user_data(self.index, nr))?;
        self.entry.results.push(Ok(0));
        self.entry.pending += 1;
        Ok(())
    }

    /// Adds a read of up to `len` bytes at `offset`: `preadv2(2)`.
    ///
    /// # Errors
    ///
    /// [As all](Submitter).
    ///
    /// # Safety
    ///
    /// [As all](Submitter#safety).
    pub unsafe fn add_read(
        &mut self,
        ptr: *mut u8,
        len: usize,
        fd: impl AsFd,
        offset: u64,
        flags: RwFlags,
    ) -> io::Result<()> {
        self.add(|context, user_data| {
            // SAFETY: the source keeps the memory and the file until the event (this fn's contract), which is after
            // the completion.
            let queued = unsafe { context.add_read(ptr, len, fd, offset, user_data) }?;
            queued.rw_flags(::aio::RwFlags::from_bits_retain(flags.bits()));
            Ok(())
        })
    }

    /// Adds a write of `len` bytes at `offset`: `pwritev2(2)`.
    ///
    /// # Errors
    ///
    /// [As all](Submitter).
    ///
    /// # Safety
    ///
    /// [As all](Submitter#safety).
    pub unsafe fn add_write(
        &mut self,
        ptr: *const u8,
        len: usize,
        fd: impl AsFd,
        offset: u64,
        flags: RwFlags,
    ) -> io::Result<()> {
        self.add(|context, user_data| {
            // SAFETY: as in `add_read`.
            let queued = unsafe { context.add_write(ptr, len, fd, offset, user_data) }?;
            queued.rw_flags(::aio::RwFlags::from_bits_retain(flags.bits()));
            Ok(())
        })
    }

    /// Adds a read into several pieces of memory; the array itself is copied.
    ///
    /// # Errors
    ///
    /// [As all](Submitter).
    ///
    /// # Safety
    ///
    /// [As all](Submitter#safety).
    pub unsafe fn add_readv(&mut self, iovecs: &[iovec], fd: impl AsFd, offset: u64) -> io::Result<()> {
        let iovecs = iovecs.iter().copied();
        self.add(|context, user_data| {
            // SAFETY: as in `add_read`.
            unsafe { context.add_readv_iter(iovecs, fd, offset, user_data) }.map(drop)
        })
    }

    /// Adds a write from several pieces of memory; the array itself is copied.
    ///
    /// # Errors
    ///
    /// [As all](Submitter).
    ///
    /// # Safety
    ///
    /// [As all](Submitter#safety).
    pub unsafe fn add_writev(&mut self, iovecs: &[iovec], fd: impl AsFd, offset: u64) -> io::Result<()> {
        let iovecs = iovecs.iter().copied();
        self.add(|context, user_data| {
            // SAFETY: as in `add_read`.
            unsafe { context.add_writev_iter(iovecs, fd, offset, user_data) }.map(drop)
        })
    }

    /// Adds an `fsync(2)`, or an `fdatasync(2)`.
    ///
    /// # Errors
    ///
    /// [As all](Submitter).
    ///
    /// # Safety
    ///
    /// [As all](Submitter#safety).
    pub unsafe fn add_sync(&mut self, fd: impl AsFd, data_only: bool) -> io::Result<()> {
        self.add(|context, user_data| {
            if data_only {
                // SAFETY: the source keeps the file open (this fn's contract).
                unsafe { context.add_fdatasync(fd, user_data) }
            } else {
                // SAFETY: as above.
                unsafe { context.add_fsync(fd, user_data) }
            }
        })
    }

    /// Adds a one-shot `poll(2)` for `libc::POLLIN`, …. It ends when the source is dropped.
    ///
    /// # Errors
    ///
    /// [As all](Submitter).
    ///
    /// # Safety
    ///
    /// [As all](Submitter#safety).
    pub unsafe fn add_poll(&mut self, fd: impl AsFd, events: c_short) -> io::Result<()> {
        // SAFETY: as in `add_sync`.
        self.add(|context, user_data| unsafe { context.add_poll_fd(fd, events, user_data) })
    }
}
