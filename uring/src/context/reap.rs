//! The half of a context that takes completions.

use std::io;
use std::sync::Arc;

use uring_sys::{IORING_ENTER_GETEVENTS, IORING_SQ_CQ_OVERFLOW};

use super::queue::WANTS_ENTER;
use crate::UserData;
use crate::error::{Error, Result};
use crate::fork::Wiped;
use crate::ring::Core;
use crate::ring::completion::{CompletionQueue, result};
use crate::ring::index::Index;

/// Takes completions.
#[derive(Debug)]
pub(crate) struct Reap {
    pub(crate) cq: CompletionQueue,
    /// How many entries the kernel has consumed.
    sq_head: Index,
    sq_flags: Index,
    owner: Wiped,
    keeps_ledger: bool,
    /// Errno of an enter made where no error could be returned, for the next call that can.
    deferred: Option<i32>,
    /// Set if there is a ledger to keep or a deferred error, so that the usual call asks once.
    is_unusual: bool,
    /// The kernel lost completions, so what is in flight can no longer be counted.
    pub(crate) lost: bool,
    pub(crate) enters: u64,
    /// Last: what is above points into its mappings.
    pub(crate) core: Arc<Core>,
}

impl Reap {
    pub(crate) fn new(core: Arc<Core>, cq: CompletionQueue, sq_head: Index) -> Self {
        Self {
            sq_head,
            sq_flags: core.sq_flags(),
            owner: core.owner(),
            keeps_ledger: core.ledger().is_some(),
            deferred: None,
            is_unusual: core.ledger().is_some(),
            lost: false,
            enters: 0,
            cq,
            core,
        }
    }

    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.owner.is_wiped()
    }

    /// Fails in a forked child, and with what an earlier call could not report.
    #[inline]
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.is_forked() || self.deferred.is_some() {
            return Err(self.refusal());
        }
        Ok(())
    }

    /// Whether `check` and `publish` have nothing to look after.
    #[inline]
    pub(crate) fn is_usual(&self) -> bool {
        !self.is_unusual && !self.is_forked()
    }

    #[cold]
    fn refusal(&mut self) -> Error {
        self.is_unusual = self.keeps_ledger;
        match self.deferred.take() {
            Some(errno) if !self.is_forked() => self.error(io::Error::from_raw_os_error(errno)),
            _ => Error::Forked,
        }
    }

    /// Turns a failed enter into this crate's error.
    #[cold]
    pub(crate) fn error(&mut self, error: io::Error) -> Error {
        self.lost |= error.raw_os_error() == Some(libc::EBADR);
        Error::enter(error)
    }

    /// Tells the kernel what has been taken.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.keeps_ledger {
            self.core.note_taken(self.cq.unpublished());
        }
        self.cq.publish();
    }

    /// Requests that the kernel has consumed and whose completions have not been taken.
    ///
    /// Seen from another thread, completions may run ahead of the count of what was consumed, which is
    /// written last.
    pub(crate) fn in_flight(&self) -> u32 {
        let in_flight = self.sq_head.observe().wrapping_sub(self.cq.local_head());
        if in_flight > i32::MAX.cast_unsigned() { 0 } else { in_flight }
    }

    /// Lets in what the kernel holds back, without waiting.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.sq_flags.peek() & WANTS_ENTER == 0 {
            return Ok(());
        }
        loop {
            self.enters += 1;
            match self.core.enter(0, 0, IORING_ENTER_GETEVENTS) {
                Ok(_) => return Ok(()),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    // The ring is full again, and the rest follows when that has been taken.
                    Some(libc::EBUSY | libc::EAGAIN) => return Ok(()),
                    _ => return Err(error),
                },
            }
        }
    }

    pub(crate) fn completions(&mut self) -> Result<Completions<'_>> {
        self.check()?;
        self.publish();
        self.flush().map_err(|error| self.error(error))?;
        Ok(self.iter())
    }

    /// Iterates over what is ready.
    #[inline]
    pub(crate) fn iter(&mut self) -> Completions<'_> {
        let tail = self.cq.tail();
        self.iter_to(tail)
    }

    /// Iterates over what is ready, from an observed tail on.
    #[inline]
    pub(crate) fn iter_to(&mut self, tail: u32) -> Completions<'_> {
        Completions { reap: self, tail }
    }
}

/// Iterator over completions: the `user_data` of each request and what became of it.
///
/// The result is the count of bytes, the poll mask or 0, and an error with the request's errno. What is
/// not taken here stays for the next iterator. The iterator ends when the completion queue is empty and
/// the kernel holds nothing back.
#[derive(Debug)]
#[must_use = "completions that are not taken stay in the ring"]
pub struct Completions<'a> {
    reap: &'a mut Reap,
    /// An observed tail of the completion queue; up to here completions may be taken.
    tail: u32,
}

impl Completions<'_> {
    /// Looks for more once all that were known of are taken.
    #[inline]
    fn refill(&mut self) -> bool {
        self.tail = self.reap.cq.tail();
        self.tail != self.reap.cq.local_head()
            || self.reap.sq_flags.peek() & IORING_SQ_CQ_OVERFLOW != 0 && self.let_in()
    }

    /// Makes the room that the kernel waits for, and lets in what it holds back.
    #[cold]
    fn let_in(&mut self) -> bool {
        self.reap.publish();
        if let Err(error) = self.reap.flush() {
            self.reap.lost |= error.raw_os_error() == Some(libc::EBADR);
            self.reap.deferred = error.raw_os_error();
            self.reap.is_unusual = true;
        }
        self.tail = self.reap.cq.tail();
        self.tail != self.reap.cq.local_head()
    }
}

impl Iterator for Completions<'_> {
    type Item = (UserData, io::Result<u32>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.tail == self.reap.cq.local_head() && !self.refill() {
            return None;
        }
        // SAFETY: `tail` was observed and is ahead of the head, both just compared.
        let cqe = unsafe { self.reap.cq.take() };
        Some((cqe.user_data, result(cqe.res)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.tail.wrapping_sub(self.reap.cq.local_head()) as usize, None)
    }
}

impl Drop for Completions<'_> {
    #[inline]
    fn drop(&mut self) {
        self.reap.publish();
    }
}
