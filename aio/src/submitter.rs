//! The half of a split context that adds and submits.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use libc::{c_short, iovec};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::UserData;
use crate::completer::Completer;
use crate::context::AioContext;
use crate::error::{Rejected, Result};
use crate::queued::Queued;
use crate::shared::Shared;
use crate::stats::Stats;
use crate::submission::Submission;

/// The submitting half of a context that was [split](AioContext::split).
///
/// Its methods are those of [`AioContext`], and so is [the contract](AioContext#safety) of the `unsafe` ones. Dropping it
/// lets the [`Completer`] know that no more comes; what is only queued is never done.
pub struct Submitter {
    submission: Submission,
    presence: Presence,
}

assert_impl_all!(Submitter: Send);
assert_not_impl_any!(Submitter: Sync, Clone);

/// Lets the other half know when this one is gone; empty when the halves are joined.
struct Presence(Option<Arc<Shared>>);

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.close();
        }
    }
}

/// Each method is the one of [`AioContext`] of the same name.
impl Submitter {
    pub(crate) fn new(submission: Submission) -> Self {
        let presence = Presence(Some(Arc::clone(submission.shared())));
        Self { submission, presence }
    }

    /// Makes one context of the two halves again.
    ///
    /// # Errors
    ///
    /// Both halves, if they are not of the same context.
    #[expect(clippy::result_large_err, reason = "the halves go back to whoever still needs them")]
    pub fn reunite(mut self, completer: Completer) -> Result<AioContext, (Self, Completer)> {
        if !Arc::ptr_eq(self.submission.shared(), completer.completion.shared()) {
            return Err((self, completer));
        }
        self.presence.0 = None;
        Ok(AioContext { submission: self.submission, completion: completer.completion })
    }

    /// Queues a read; see [`AioContext::add_read`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    #[inline]
    pub unsafe fn add_read(
        &mut self,
        ptr: *mut u8,
        len: usize,
        fd: impl AsFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_read(ptr, len, fd, offset, user_data)
    }

    /// Queues a write; see [`AioContext::add_write`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    #[inline]
    pub unsafe fn add_write(
        &mut self,
        ptr: *const u8,
        len: usize,
        fd: impl AsFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_write(ptr, len, fd, offset, user_data)
    }

    /// Queues a vectored read; see [`AioContext::add_readv`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked); the vector comes back in [`Rejected`].
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    pub unsafe fn add_readv(
        &mut self,
        iovecs: Vec<iovec>,
        fd: impl AsFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>, Rejected> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_owned(false, iovecs, fd, offset, user_data)
    }

    /// Queues a vectored write; see [`AioContext::add_writev`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked); the vector comes back in [`Rejected`].
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    pub unsafe fn add_writev(
        &mut self,
        iovecs: Vec<iovec>,
        fd: impl AsFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>, Rejected> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_owned(true, iovecs, fd, offset, user_data)
    }

    /// Queues a vectored read from an iterator; see [`AioContext::add_readv_iter`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    #[inline]
    pub unsafe fn add_readv_iter(
        &mut self,
        iovecs: impl IntoIterator<Item = iovec>,
        fd: impl AsFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_items(false, iovecs, fd, offset, user_data)
    }

    /// Queues a vectored write from an iterator; see [`AioContext::add_writev_iter`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    #[inline]
    pub unsafe fn add_writev_iter(
        &mut self,
        iovecs: impl IntoIterator<Item = iovec>,
        fd: impl AsFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_items(true, iovecs, fd, offset, user_data)
    }

    /// Queues an fsync; see [`AioContext::add_fsync`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    pub unsafe fn add_fsync(&mut self, fd: impl AsFd, user_data: UserData) -> Result<()> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_sync(false, fd, user_data)
    }

    /// Queues an fdatasync; see [`AioContext::add_fdatasync`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    pub unsafe fn add_fdatasync(&mut self, fd: impl AsFd, user_data: UserData) -> Result<()> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_sync(true, fd, user_data)
    }

    /// Queues a poll; see [`AioContext::add_poll_fd`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    ///
    /// # Safety
    ///
    /// [The contract](AioContext#safety) of the context.
    pub unsafe fn add_poll_fd(&mut self, fd: impl AsFd, events: c_short, user_data: UserData) -> Result<()> {
        let fd = fd.as_fd().as_raw_fd();
        self.submission.add_poll(fd, events, user_data)
    }

    /// Queues the cancellation of polls; see [`AioContext::remove_poll_fd`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    pub fn remove_poll_fd(&mut self, target: UserData, user_data: UserData) -> Result<()> {
        self.cancel(target, user_data)
    }

    /// Queues a cancellation; see [`AioContext::cancel`].
    ///
    /// # Errors
    ///
    /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
    pub fn cancel(&mut self, target: UserData, user_data: UserData) -> Result<()> {
        self.submission.add_cancel(target, user_data)
    }

    /// Hands the queue to the kernel; see [`AioContext::submit`].
    ///
    /// # Errors
    ///
    /// As of [`AioContext::submit`].
    #[inline]
    pub fn submit(&mut self) -> Result<usize> {
        self.submission.shared().handle.check()?;
        self.submission.submit()
    }

    /// Returns how many requests are queued and not yet accepted.
    #[inline]
    #[must_use]
    pub fn queued(&self) -> usize {
        self.submission.queued()
    }

    /// Returns how many requests can be added now. It grows when the other half takes completions.
    #[inline]
    #[must_use]
    pub fn space(&self) -> usize {
        self.submission.space()
    }

    /// Returns what both halves have done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.submission.shared().stats()
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("queued", &self.queued())
            .field("space", &self.space())
            .finish_non_exhaustive()
    }
}
