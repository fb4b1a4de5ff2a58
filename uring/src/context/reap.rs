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
    /// Where the current iterator ends, as `CompletionQueue::position`; zero in a forked child.
    end: Wiped,
    keeps_ledger: bool,
    /// Errno of an enter made where no error could be returned, for the next call that can.
    deferred: Option<i32>,
    /// Zero if there is a ledger to keep, an error deferred or a completion lost, and in a forked child: the
    /// usual call asks once.
    usual: Wiped,
    /// The kernel lost completions, so what is in flight can no longer be counted.
    pub(crate) lost: bool,
    pub(crate) enters: u64,
    /// Last: what is above points into its mappings.
    pub(crate) core: Arc<Core>,
}

impl Reap {
    pub(crate) fn new(core: Arc<Core>, cq: CompletionQueue, sq_head: Index) -> Self {
        core.gate().usual().set(u64::from(core.ledger().is_none()));
        Self {
            sq_head,
            sq_flags: core.sq_flags(),
            owner: core.gate().owner(),
            end: core.gate().end(),
            keeps_ledger: core.ledger().is_some(),
            deferred: None,
            usual: core.gate().usual(),
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
        if self.is_usual() { Ok(()) } else { self.check_closely() }
    }

    /// Whether `check` and `publish` have nothing to look after.
    #[inline]
    pub(crate) fn is_usual(&self) -> bool {
        !self.usual.is_wiped()
    }

    #[cold]
    fn check_closely(&mut self) -> Result<()> {
        if self.is_forked() {
            return Err(Error::Forked);
        }
        let Some(errno) = self.deferred.take() else { return Ok(()) };
        self.usual.set(u64::from(!self.keeps_ledger));
        Err(self.error(io::Error::from_raw_os_error(errno)))
    }

    /// What there is to say of completions that will not come.
    #[cold]
    pub(crate) fn lost_completions(&mut self) -> Error {
        self.error(io::Error::from_raw_os_error(libc::EBADR))
    }

    /// Turns a failed enter into this crate's error.
    #[cold]
    pub(crate) fn error(&mut self, error: io::Error) -> Error {
        if error.raw_os_error() == Some(libc::EBADR) {
            self.lost = true;
            self.usual.set(0);
        }
        Error::enter(error)
    }

    /// Tells the kernel what has been taken; does nothing in a forked child.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.is_usual() {
            self.cq.publish();
        } else {
            self.publish_closely();
        }
    }

    #[cold]
    fn publish_closely(&mut self) {
        if self.is_forked() {
            return;
        }
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
        self.set_end(tail);
        Completions { end: self.end, reap: self }
    }

    /// Lets completions be taken up to an observed tail.
    #[inline]
    fn set_end(&mut self, tail: u32) {
        let ready = tail.wrapping_sub(self.cq.local_head());
        self.end.set(self.cq.position() + u64::from(ready));
    }

    /// Takes the next completion; `end` is the field of that name, at hand in a register of the caller's.
    #[inline]
    fn next(&mut self, end: Wiped) -> Option<(UserData, io::Result<u32>)> {
        let end = end.get();
        if self.cq.position() >= end && !self.refill(end) {
            return None;
        }
        // SAFETY: `end` is an observed tail, and ahead of the head, both just compared; in a forked child,
        // where the ring is not mapped, it is zero.
        let cqe = unsafe { self.cq.take() };
        Some((cqe.user_data, result(cqe.res)))
    }

    /// As an iterator does that is dropped at its end.
    #[inline]
    pub(crate) fn next_completion(&mut self) -> Option<(UserData, io::Result<u32>)> {
        let next = self.next(self.end);
        if next.is_none() {
            self.publish();
        }
        next
    }

    /// Looks for more once all up to `end` are taken.
    #[inline]
    fn refill(&mut self, end: u64) -> bool {
        if end == 0 {
            // A forked child, or nobody has looked yet.
            return false;
        }
        let tail = self.cq.tail();
        if tail == self.cq.local_head() {
            return self.sq_flags.peek() & IORING_SQ_CQ_OVERFLOW != 0 && self.let_in();
        }
        self.set_end(tail);
        true
    }

    /// Makes the room that the kernel waits for, and lets in what it holds back.
    #[cold]
    fn let_in(&mut self) -> bool {
        self.publish();
        if let Err(error) = self.flush() {
            self.lost |= error.raw_os_error() == Some(libc::EBADR);
            self.deferred = error.raw_os_error();
            self.usual.set(0);
        }
        let tail = self.cq.tail();
        self.set_end(tail);
        tail != self.cq.local_head()
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
    /// The one of `reap`: up to here completions may be taken.
    end: Wiped,
    reap: &'a mut Reap,
}

/// In a forked child it ends at once.
impl Iterator for Completions<'_> {
    type Item = (UserData, io::Result<u32>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.reap.next(self.end)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end.get().saturating_sub(self.reap.cq.position()) as usize, None)
    }
}

impl Drop for Completions<'_> {
    #[inline]
    fn drop(&mut self) {
        self.reap.publish();
    }
}
