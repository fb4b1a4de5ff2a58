//! The half of a ring that takes completions.

use std::io;
use std::sync::Arc;

use uring_sys::{
    IORING_ENTER_GETEVENTS, IORING_ENTER_NO_IOWAIT, IORING_SETUP_IOPOLL, IORING_SETUP_SQ_REWIND,
    IORING_SETUP_SQPOLL, IORING_SQ_CQ_OVERFLOW,
};

use super::core::Core;
use super::cq::Cq;
use super::index::Index;
use super::submit::WANTS_ENTER;
use crate::entry::{Completion, Cqe, CqeFlags};
use crate::error::{Error, Result};
use crate::fork::Wiped;

/// Takes completions.
#[derive(Debug)]
pub(crate) struct Reap<C> {
    pub(crate) cq: Cq<C>,
    /// How many entries the kernel has consumed.
    sq_head: Index,
    sq_flags: Index,
    /// Completions that found no room, on kernels that drop them; always zero on ours.
    overflow: Index,
    owner: Wiped,
    /// Where the current iterator ends, as `Cq::position`; zero in a forked child.
    end: Wiped,
    keeps_ledger: bool,
    /// No ledger, no thread that polls, nothing else that takes more than one enter for all.
    is_plain: bool,
    /// Whether completions come only to those who ask (`IORING_SETUP_IOPOLL`, since 5.1).
    polls: bool,
    /// Errno of an enter made where no error could be returned, for the next call that can.
    deferred: Option<i32>,
    /// Zero if the ring is not a plain one, an error deferred or a completion lost, and in a forked child: the
    /// usual call asks once.
    usual: Wiped,
    /// Whether each request completes once, so that what is in flight can be counted.
    pub(crate) counts: bool,
    /// The kernel lost completions, so what is in flight can no longer be counted.
    pub(crate) lost: bool,
    /// Flags of each enter that waits.
    pub(crate) wait_flags: u32,
    pub(crate) enters: u64,
    /// Last: what is above points into its mappings.
    pub(crate) core: Arc<Core>,
}

impl<C: Completion> Reap<C> {
    pub(crate) fn new(core: Arc<Core>, cq: Cq<C>, sq_head: Index) -> Self {
        const SPECIAL: u32 = IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL | IORING_SETUP_SQ_REWIND;
        let keeps_ledger = core.ledger().is_some();
        let is_plain = !keeps_ledger && core.setup_flags() & SPECIAL == 0;
        core.gate().usual().set(u64::from(is_plain));
        // Up to here nothing is there; what comes is seen by whoever takes the next one.
        core.gate().end().set(cq.position());
        Self {
            sq_head,
            sq_flags: core.sq_word(|off| off.flags),
            overflow: core.cq_word(|off| off.overflow),
            owner: core.gate().owner(),
            end: core.gate().end(),
            keeps_ledger,
            is_plain,
            polls: core.setup_flags() & IORING_SETUP_IOPOLL != 0,
            deferred: None,
            usual: core.gate().usual(),
            counts: false,
            lost: false,
            wait_flags: IORING_ENTER_GETEVENTS,
            enters: 0,
            cq,
            core,
        }
    }

    /// Learns where the words lie, after the ring has moved.
    pub(super) fn renew(&mut self, sq_head: Index) {
        self.sq_head = sq_head;
        self.sq_flags = self.core.sq_word(|off| off.flags);
        self.overflow = self.core.cq_word(|off| off.overflow);
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
        self.usual.set(u64::from(self.is_plain));
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
            self.lose();
        }
        Error::enter(error)
    }

    /// Knows from here on that completions will not come.
    #[cold]
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.usual.set(0);
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

    /// Requests that the kernel has consumed and whose completions have not been taken, if each completes once.
    ///
    /// Seen from another thread, completions may run ahead of the count of what was consumed, which is
    /// written last.
    pub(crate) fn in_flight(&self) -> u32 {
        let in_flight = self.sq_head.peek().wrapping_sub(self.cq.local_head());
        if in_flight > i32::MAX.cast_unsigned() { 0 } else { in_flight }
    }

    /// Lets in what the kernel holds back, without waiting.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.sq_flags.peek() & WANTS_ENTER == 0 && !self.polls {
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

    pub(crate) fn completions(&mut self) -> Result<Completions<'_, C>> {
        self.check()?;
        self.publish();
        self.flush().map_err(|error| self.error(error))?;
        Ok(self.iter())
    }

    /// Iterates over what is ready.
    #[inline]
    pub(crate) fn iter(&mut self) -> Completions<'_, C> {
        let tail = self.cq.tail();
        self.iter_to(tail)
    }

    /// Iterates over what is ready, from an observed tail on.
    #[inline]
    pub(crate) fn iter_to(&mut self, tail: u32) -> Completions<'_, C> {
        self.set_end(tail);
        Completions { end: self.end, reap: self }
    }

    /// Lets completions be taken up to an observed tail.
    #[inline]
    fn set_end(&mut self, tail: u32) {
        let ready = tail.wrapping_sub(self.cq.local_head());
        self.end.set(self.cq.position() + u64::from(ready));
    }

    /// Takes the next completion, also of those that came since the last look; `end` is the field of that name, at
    /// hand in a register of the caller's.
    #[inline]
    pub(crate) fn take(&mut self, end: Wiped) -> Option<C> {
        let position = end.get();
        if self.cq.position() >= position && !self.refill(position) {
            return None;
        }
        // SAFETY: `end` is an observed tail, and ahead of the head, both just compared; in a forked child,
        // where the ring is not mapped, it is zero.
        Some(unsafe { self.cq.take() })
    }

    /// Takes the next of the completions that were there at the last look, fillers left out.
    #[inline]
    fn next(&mut self, end: Wiped) -> Option<C> {
        while self.cq.position() < end.get() {
            // SAFETY: as in `take`.
            let cqe = unsafe { self.cq.take() };
            if !C::IS_MIXED || !cqe.first().flags().contains(CqeFlags::SKIP) {
                return Some(cqe);
            }
        }
        None
    }

    /// As an iterator does that is dropped at its end.
    #[inline]
    pub(crate) fn next_completion(&mut self) -> Option<C> {
        while let Some(cqe) = self.take(self.end) {
            if !C::IS_MIXED || !cqe.first().flags().contains(CqeFlags::SKIP) {
                return Some(cqe);
            }
        }
        self.publish();
        None
    }

    /// Copies the next completion that says something, without taking it.
    pub(crate) fn peek(&mut self) -> Result<Option<C>> {
        self.check()?;
        if self.cq.ready() == 0 {
            self.publish();
            self.flush().map_err(|error| self.error(error))?;
        }
        while self.cq.ready() > 0 {
            // SAFETY: there is one, as was just seen.
            let cqe = unsafe { self.cq.look() };
            if !C::IS_MIXED || !cqe.first().flags().contains(CqeFlags::SKIP) {
                return Ok(Some(cqe));
            }
            // SAFETY: as above.
            unsafe { self.cq.take() };
        }
        Ok(None)
    }

    pub(crate) fn overflow(&self) -> u32 {
        self.overflow.peek()
    }

    /// Whether waiting for completions counts as waiting for a disk.
    pub(crate) fn set_iowait(&mut self, counts: bool) {
        let other = if counts { 0 } else { IORING_ENTER_NO_IOWAIT };
        self.wait_flags = IORING_ENTER_GETEVENTS | other;
    }

    /// Looks for more once all up to `end` are taken.
    #[inline]
    fn refill(&mut self, end: u64) -> bool {
        if end == 0 {
            // A forked child.
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

/// Iterator over the completions that were there when it was made.
///
/// What is not taken here stays for the next iterator.
#[derive(Debug)]
#[must_use = "completions that are not taken stay in the ring"]
pub struct Completions<'a, C: Completion = Cqe> {
    /// The one of `reap`: up to here completions may be taken.
    end: Wiped,
    reap: &'a mut Reap<C>,
}

impl<C: Completion> Completions<'_, C> {
    /// Completions that are there, fillers and halves of mixed rings counted.
    pub(crate) fn ready(&self) -> usize {
        self.end.get().saturating_sub(self.reap.cq.position()) as usize
    }

    /// Takes the next completion, also of those that came since.
    #[inline]
    pub(crate) fn next_or_newer(&mut self) -> Option<C> {
        self.reap.take(self.end)
    }
}

/// In a forked child it ends at once.
impl<C: Completion> Iterator for Completions<'_, C> {
    type Item = C;

    #[inline]
    fn next(&mut self) -> Option<C> {
        self.reap.next(self.end)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (if C::IS_MIXED { 0 } else { self.ready() }, None)
    }
}

impl<C: Completion> Drop for Completions<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.reap.publish();
    }
}
