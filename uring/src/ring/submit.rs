//! The half of a ring that adds and submits requests.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use uring_sys::{
    IORING_ENTER_GETEVENTS, IORING_ENTER_SQ_WAIT, IORING_ENTER_SQ_WAKEUP, IORING_SETUP_IOPOLL,
    IORING_SETUP_SQPOLL, IORING_SQ_CQ_OVERFLOW, IORING_SQ_NEED_WAKEUP, IORING_SQ_TASKRUN,
};

use super::core::Core;
use super::index::Index;
use super::sq::Sq;
use crate::codes::Op;
use crate::entry::{Sqe, Submission};
use crate::error::{Error, PushError, Result};
use crate::fork::Wiped;

/// Bits of the submission ring's flags that say: enter, or completions stay behind.
pub(crate) const WANTS_ENTER: u32 = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

/// Adds and submits.
#[derive(Debug)]
pub(crate) struct Submit<S> {
    pub(crate) sq: Sq<S>,
    sq_flags: Index,
    /// Entries that the kernel could not use.
    dropped: Index,
    pub(crate) owner: Wiped,
    /// Where the other half has told the kernel that it is.
    cq_head: Index,
    /// Whether to write down what is in flight, see `Core::ledger`.
    keeps_ledger: bool,
    /// Whether a thread of the kernel's consumes entries (`IORING_SETUP_SQPOLL`, since 5.1).
    pub(crate) is_polled: bool,
    /// Whether completions come only to those who ask (`IORING_SETUP_IOPOLL`, since 5.1).
    polls: bool,
    /// Whether a request was pushed that sends without copies: the end of the ring has to know.
    pub(crate) sends_without_copies: bool,
    pub(crate) enters: u64,
    /// Last: what is above points into its mappings.
    pub(crate) core: Arc<Core>,
}

impl<S: Submission> Submit<S> {
    pub(crate) fn new(core: Arc<Core>, sq: Sq<S>, cq_head: Index) -> Self {
        let has = |flag| core.setup_flags() & flag != 0;
        Self {
            sq_flags: core.sq_word(|off| off.flags),
            dropped: core.sq_word(|off| off.dropped),
            owner: core.gate().owner(),
            cq_head,
            keeps_ledger: core.ledger().is_some(),
            is_polled: has(IORING_SETUP_SQPOLL),
            polls: has(IORING_SETUP_IOPOLL),
            sends_without_copies: false,
            enters: 0,
            sq,
            core,
        }
    }

    /// Learns where the words lie, after the ring has moved.
    pub(super) fn renew(&mut self, cq_head: Index) {
        self.sq_flags = self.core.sq_word(|off| off.flags);
        self.dropped = self.core.sq_word(|off| off.dropped);
        self.cq_head = cq_head;
    }

    /// Fails in a forked child, which must not touch the rings.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        self.sq.check()
    }

    /// Adds a request, or gives it back.
    #[inline]
    pub(crate) fn push(&mut self, sqe: S) -> Result<(), PushError<S>> {
        if sqe.places() == 1 {
            match self.sq.vacancy() {
                Ok(position) => {
                    // Of most requests the compiler knows the operation here.
                    if matches!(sqe.first().op(), Op::SEND_ZC | Op::SENDMSG_ZC) {
                        self.sends_without_copies = true;
                    }
                    // SAFETY: `position` is fresh from `vacancy`, and the entry takes one place.
                    unsafe { self.sq.push(position, sqe) };
                    Ok(())
                }
                Err(error) => Err(PushError { error, entry: sqe }),
            }
        } else {
            self.push_double(sqe)
        }
    }

    #[cold]
    fn push_double(&mut self, sqe: S) -> Result<(), PushError<S>> {
        self.sq.push_double(sqe).map_err(|(error, entry)| PushError { error, entry })
    }

    /// Flags for an enter that does not wait: none, unless completions would stay behind.
    #[inline]
    pub(crate) fn flush_flags(&self) -> u32 {
        if self.sq_flags.peek() & WANTS_ENTER == 0 && !self.polls { 0 } else { IORING_ENTER_GETEVENTS }
    }

    /// Hands all added entries to the kernel's view of the queue and returns how many it has yet to
    /// consume.
    #[inline]
    pub(crate) fn publish(&mut self) -> u32 {
        if self.keeps_ledger {
            self.core.note_added(self.sq.unpublished());
        }
        self.sq.publish()
    }

    /// Learns what an enter has consumed.
    #[inline]
    pub(crate) fn consumed(&mut self, count: u32) {
        if self.sq.rewinds() {
            self.sq.rewind(count);
        }
    }

    /// Forgets the requests that the kernel has not consumed, and lets a polling thread consume those that it was
    /// given.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        if !self.is_polled {
            self.sq.discard();
            return Ok(());
        }
        self.sq.discard_unpublished();
        while self.sq.queued() > 0 {
            self.enters += 1;
            match self.core.enter(0, 0, IORING_ENTER_SQ_WAKEUP) {
                Ok(_) => thread::yield_now(),
                // The thread takes nothing from a disabled ring.
                Err(error) if error.raw_os_error() == Some(libc::EBADFD) => self.sq.discard(),
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// As `Core::enter_until`, whoever consumes the entries.
    pub(crate) fn enter_until(&mut self, to_submit: u32, wanted: u32, deadline: Instant) -> io::Result<u32> {
        if self.is_polled {
            self.wake()?;
            return self.core.enter_until(0, wanted, deadline);
        }
        self.core.enter_until(to_submit, wanted, deadline).inspect(|count| self.consumed(*count))
    }

    pub(crate) fn dropped(&self) -> u32 {
        self.dropped.peek()
    }

    pub(crate) fn submit(&mut self) -> Result<usize> {
        self.check()?;
        if self.is_polled {
            return self.hand_over();
        }
        let mut accepted = 0;
        loop {
            let to_submit = self.publish();
            if to_submit == 0 {
                return Ok(accepted);
            }
            self.enters += 1;
            match self.core.enter(to_submit, 0, self.flush_flags()) {
                Ok(0) => return Ok(accepted),
                Ok(consumed) => {
                    self.consumed(consumed);
                    accepted += consumed as usize;
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    // Completions have to be taken first; there are some to come.
                    Some(libc::EAGAIN | libc::EBUSY) if self.owed() > 0 => return Ok(accepted),
                    _ => return Err(Error::enter(error)),
                },
            }
        }
    }

    /// Leaves what was added to the polling thread, and wakes that if it sleeps.
    fn hand_over(&mut self) -> Result<usize> {
        let before = self.sq.published();
        self.publish();
        let handed = self.sq.published().wrapping_sub(before) as usize;
        self.wake().map_err(Error::enter)?;
        Ok(handed)
    }

    /// Wakes the polling thread if it sleeps.
    pub(crate) fn wake(&mut self) -> io::Result<()> {
        while self.needs_wakeup() {
            self.enters += 1;
            match self.core.enter(0, 0, IORING_ENTER_SQ_WAKEUP) {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the polling thread sleeps.
    fn needs_wakeup(&self) -> bool {
        // The thread says that it sleeps and then looks at the tail once more; this side has published the tail.
        self.sq_flags.peek_fenced() & IORING_SQ_NEED_WAKEUP != 0
    }

    /// Waits until the polling thread has consumed an entry, if all places are taken.
    pub(crate) fn wait_for_room(&mut self) -> Result<()> {
        self.check()?;
        if !self.is_polled {
            return Err(Error::invalid(
                "io_uring_enter",
                "only a ring with SQPOLL can wait for room: submit instead",
            ));
        }
        while self.sq.room() == 0 {
            self.wake().map_err(Error::enter)?;
            self.enters += 1;
            match self.core.enter(0, 0, IORING_ENTER_SQ_WAIT) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(Error::enter(error)),
            }
        }
        Ok(())
    }

    /// Places that the kernel has consumed and whose completions it does not know to be taken.
    fn owed(&self) -> u32 {
        self.sq.head().peek().wrapping_sub(self.cq_head.peek())
    }

    /// Adds a small request of this crate's own.
    pub(crate) fn push_own(&mut self, sqe: Sqe) -> Result<()> {
        self.push(S::small(sqe)).map_err(|refused| refused.error)
    }
}
