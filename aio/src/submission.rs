//! The submitting half: fills slots, queues them, hands them to the kernel.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use aio_sys::{IOCB_CMD_POLL, IOCB_FLAG_RESFD, iocb};
use libc::iovec;

use crate::error::{Error, Result, limits};
use crate::fork::Wiped;
use crate::shared::{Local, Shared};
use crate::spsc::Producer;
use crate::{UserData, sys};

/// The opcode of what is not for the kernel: an entry of the queue that cancels, with its target in `aio_buf`.
pub(crate) const CANCEL: u16 = u16::MAX;
/// The opcode of a slot that is not in use.
const UNUSED: u16 = u16::MAX - 1;

/// Invariant: `row[start..end]` are the iocbs of distinct slots that are with this half; each is filled as
/// the caller of an `add_*` was told to vouch for. What follows up to `limit` is free, or the word is 0: then this is
/// a forked child.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) shared: Arc<Shared>,
    local: Producer,
    start: u64,
    end: u64,
    limit: Wiped,
    /// How many entries of the queue are not for the kernel.
    pub(crate) cancels: usize,
    /// Whether new iocbs signal the eventfd.
    signals: bool,
    /// For each slot the array of its vectored request. The kernel copies it in `io_submit`; it is kept to be
    /// filled again. Empty until the first vectored request.
    pub(crate) iovecs: Vec<Vec<iovec>>,
}

// SAFETY: the pointers lead to slots, which every thread may use under the invariants above and of `Slots`,
// and to memory whose owner has handed it to the kernel until a completion, whichever thread gets that.
unsafe impl Send for Submission {}

impl Submission {
    pub(crate) fn new(shared: Arc<Shared>, local: Producer) -> Self {
        let limit = shared.handle.for_submission();
        Self { shared, local, start: 0, end: 0, limit, cancels: 0, signals: false, iovecs: Vec::new() }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[inline]
    pub(crate) fn queued(&self) -> usize {
        (self.end - self.start) as usize
    }

    #[inline]
    pub(crate) fn space(&self) -> usize {
        (self.shared.row.returned() - self.end) as usize
    }

    /// Whether there is a slot for the next request. It stays free until [`place`](Self::place).
    #[inline]
    pub(crate) fn vacancy(&mut self) -> Result<()> {
        if self.end < self.limit.get() { Ok(()) } else { self.look_for_room() }
    }

    #[cold]
    fn look_for_room(&mut self) -> Result<()> {
        self.shared.handle.check()?;
        let returned = self.shared.row.returned();
        self.limit.set(returned);
        if self.end < returned { Ok(()) } else { Err(Error::NoSpace) }
    }

    /// The slot that the next request gets, after a [`vacancy`](Self::vacancy).
    pub(crate) fn next_slot(&self) -> u32 {
        self.shared.slots.slot_of(self.shared.row.at(self.end))
    }

    /// Queues a request in the slot that [`vacancy`](Self::vacancy) has found.
    #[inline]
    pub(crate) fn place(&mut self, filled: iocb) -> &mut iocb {
        let address = self.shared.row.at(self.end);
        self.end += 1;
        // SAFETY: the slot was free in the row, so it is with this half, which alone writes it now (the
        // invariant of `Slots`); the reference borrows the half.
        let place = unsafe { &mut *address };
        *place = filled;
        if self.signals {
            self.let_signal(place);
        }
        place
    }

    fn let_signal(&self, iocb: &mut iocb) {
        iocb.aio_flags |= IOCB_FLAG_RESFD;
        iocb.aio_resfd = self.shared.eventfd.as_fd().as_raw_fd().cast_unsigned();
    }

    /// Hands the queue over, in order, until it is empty or the kernel wants completions taken first. The caller
    /// has asked the gate.
    #[inline]
    pub(crate) fn submit(&mut self) -> Result<usize> {
        if self.signals != self.shared.eventfd.is_on() {
            self.start_signalling();
        }
        let queued = self.queued();
        if queued == 0 {
            return Ok(0);
        }
        if self.cancels > 0 {
            return self.submit_in_parts(None);
        }
        match self.submit_run(self.end) {
            Ok(accepted) if accepted as usize == queued => {
                self.accept(queued);
                Ok(queued)
            }
            answer => self.submit_in_parts(Some(answer)),
        }
    }

    /// The same with whatever is not the ordinary case; `answer` is what the kernel said to the first try.
    #[cold]
    fn submit_in_parts(&mut self, mut answer: Option<io::Result<u32>>) -> Result<usize> {
        let before = self.queued();
        let mut full = false;
        let mut local = false;
        while self.start < self.end && !full {
            if answer.is_none() && self.opcode_at(self.start) == CANCEL {
                self.cancel_next();
                local = true;
                continue;
            }
            match answer.take().unwrap_or_else(|| self.submit_run(self.next_cancel())) {
                Ok(accepted) if accepted > 0 => {
                    self.accept(accepted as usize);
                }
                Ok(_) => full = true,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EAGAIN) | None => full = true,
                    Some(errno) => {
                        self.complete_next(-errno);
                        local = true;
                    }
                },
            }
        }
        let accepted = before - self.queued();
        if local && self.signals {
            self.shared.submitting.add(1);
            self.shared.eventfd.raise();
        }
        if full && accepted == 0 && self.shared.in_flight() == 0 {
            return Err(no_room());
        }
        Ok(accepted)
    }

    /// The next entries of the queue are no longer this half's.
    #[inline]
    fn accept(&mut self, count: usize) {
        self.start += count as u64;
        self.shared.row.accept(self.start);
    }

    /// Gives the kernel the queue up to `end`, where no cancellation comes before.
    #[inline]
    fn submit_run(&mut self, end: u64) -> io::Result<u32> {
        self.shared.submitting.add(1);
        // SAFETY: the type's invariant, and the contract of the `add_*` for what the iocbs name: memory and
        // descriptors live. The arrays of vectored requests are this half's, and do not change until then.
        unsafe { sys::submit(self.shared.handle.id(), self.shared.row.array(self.start), end - self.start) }
    }

    fn next_cancel(&self) -> u64 {
        let next = (self.start..self.end).find(|&at| self.opcode_at(at) == CANCEL);
        next.unwrap_or(self.end)
    }

    fn opcode_at(&self, at: u64) -> u16 {
        // SAFETY: an iocb in the queue is with this half, and nobody writes it meanwhile.
        unsafe { (*self.shared.row.at(at)).aio_lio_opcode }
    }

    /// Completes the next entry of the queue with a result of our own.
    fn complete_next(&mut self, res: i32) {
        let slot = self.shared.slots.slot_of(self.shared.row.at(self.start));
        self.accept(1);
        self.local.push(&self.shared.local, Local { slot, res }.pack());
    }

    /// Carries out the next entry of the queue, which cancels.
    fn cancel_next(&mut self) {
        // SAFETY: as in `opcode_at`.
        let target = unsafe { (*self.shared.row.at(self.start)).aio_buf };
        let found = self.cancel_poll(target);
        self.cancels -= 1;
        self.complete_next(if found { 0 } else { -libc::ENOENT });
    }

    /// Cancels a poll in flight with this user_data; whether there was one.
    ///
    /// A poll that the kernel has completed, or not seen yet, it does not find: that is an answer as good as any.
    fn cancel_poll(&mut self, target: UserData) -> bool {
        // What free slots held is over: no need to ask the kernel about it.
        for at in self.end..self.shared.row.returned() {
            let iocb = self.shared.row.at(at);
            // SAFETY: a free slot is for this half to take, and nobody else's meanwhile.
            unsafe { (*iocb).aio_lio_opcode = UNUSED };
        }
        for slot in 0..self.shared.slots.len() {
            let iocb = self.shared.slots.iocb(slot as u32);
            // SAFETY: no other thread writes an iocb, ever, and this one does not now (the invariant of `Slots`).
            let copy = unsafe { iocb.read() };
            if u32::from(copy.aio_lio_opcode) == IOCB_CMD_POLL && copy.aio_data == target {
                self.shared.submitting.add(1);
                // SAFETY: a slot is valid for reads.
                if unsafe { sys::cancel(self.shared.handle.id(), iocb) } {
                    return true;
                }
            }
        }
        false
    }

    /// The eventfd was asked for: what is queued signals it too.
    #[cold]
    fn start_signalling(&mut self) {
        self.signals = true;
        for at in self.start..self.end {
            // SAFETY: an iocb in the queue is with this half, which alone writes it.
            let iocb = unsafe { &mut *self.shared.row.at(at) };
            self.let_signal(iocb);
        }
    }
}

#[cold]
fn no_room() -> Error {
    let hint = format!(
        "the kernel has no room for a request, and none of this context is in flight ({}): try again later, \
         or make the context larger",
        limits()
    );
    Error::kernel("io_submit", io::Error::from_raw_os_error(libc::EAGAIN), hint)
}
