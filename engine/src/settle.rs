//! What completions mean for operations in flight, and what follows from them.

use std::collections::VecDeque;
use std::io;
use std::ptr::NonNull;

use crate::backend::{Backend, OWN, add_request};
use crate::bounce::BOUNCED;
use crate::engine::Engine;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::SCOPED;
use crate::slots::{Progress, Slot};
use crate::verdict::{Verdict, cancelled, judge};

impl<T: Operation, B: Backend> Engine<T, B> {
    /// For how many completions to wait of so many: what has no room yet in the back end does not come out of it before
    /// something else does.
    #[cold]
    pub(crate) fn waitable(&self, wanted: usize) -> usize {
        if self.stalled.is_empty() { wanted } else { wanted.min(1) }
    }

    /// Looks after what is not as usual.
    #[cold]
    pub(crate) fn attend(&mut self) -> io::Result<()> {
        for id in std::mem::take(&mut self.stalled) {
            self.request_next(id);
        }
        self.attention = !self.stalled.is_empty() || !self.held.is_empty();
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Takes the next completion, if it is the usual one: the whole transfer of a live operation in one, whose place and bytes are
    /// returned. Any other is held.
    #[inline(always)]
    pub(crate) fn next_whole(&mut self) -> Option<(NonNull<Slot<T>>, usize)> {
        let Self { backend, slots, held, attention, .. } = self;
        backend.next_with(|user_data, result| match result {
            Ok(count) => {
                if let Some(slot) = slots.get_mut(user_data as u32 as usize)
                    && slot.name() == user_data
                    // SAFETY: a name that is still right is of a place that is taken.
                    && unsafe { slot.operation() }.transfer_len() == Some(count as usize)
                {
                    return Some((NonNull::from(slot), count as usize));
                }
                hold_count(held, attention, user_data, count);
                None
            }
            Err(error) => {
                hold_error(held, attention, user_data, error);
                None
            }
        })
    }

    /// Takes a completion to its operation, and returns the result if that is done.
    pub(crate) fn settle(
        &mut self,
        user_data: u64,
        result: io::Result<u32>,
    ) -> Option<(u64, io::Result<usize>)> {
        let Some(slot) = self.slots.get_mut(user_data as u32 as usize) else {
            return self.settle_foreign(user_data, result);
        };
        if slot.name() != user_data {
            return None;
        }
        let mut progress = *slot.progress_mut();
        // SAFETY: a name that is still right is of a place that is taken.
        let request = unsafe { slot.operation() }.request();
        let verdict = judge(&request, &mut progress, result);
        *slot.progress_mut() = progress;
        match verdict {
            Verdict::Done(Err(error))
                if self.bounces.is_enabled() && error.raw_os_error() == Some(libc::EINVAL) =>
            {
                return if self.bounce(user_data) { None } else { Some((user_data, Err(error))) };
            }
            Verdict::Done(result) => return Some((user_data, result)),
            Verdict::Rest => {
                slot.trace.note("short transfer");
                self.counts.short_transfers += 1;
            }
            Verdict::Again => {
                slot.trace.note("again");
                self.counts.retries += 1;
            }
        }
        self.request_next(user_data);
        None
    }

    /// The result of the operation that is being handed out, which has come so far; of an error, the second time only the
    /// errno.
    #[cold]
    #[inline(never)]
    pub(crate) fn result_of(&mut self, progress: &Progress) -> io::Result<usize> {
        if !progress.failed {
            return Ok(progress.done);
        }
        let error = self.error.take().unwrap_or_else(|| io::ErrorKind::Other.into());
        let errno = error.raw_os_error();
        self.error = Some(errno.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error));
        Err(error)
    }

    /// Makes the next request of an operation whose last one is over.
    pub(crate) fn request_next(&mut self, user_data: u64) {
        let Some(slot) = self.slots.get_mut(user_data as u32 as usize) else {
            if user_data as u32 & SCOPED == 0 {
                return self.request_stalled_window(user_data);
            }
            return crate::scope::request_next(self, user_data);
        };
        let progress = *slot.progress_mut();
        if progress.cancelled {
            self.hold(user_data, Err(cancelled()));
            return;
        }
        // SAFETY: the operation is in its place: its name is in the hands of the caller and not handed out.
        let request = unsafe { slot.operation() }.request().rest(progress.done);
        // SAFETY: as in `add`; the request before it is over.
        match unsafe { add_request(&mut *self.backend, request, user_data) } {
            Ok(()) => self.continued = true,
            Err(Error::Full) => {
                self.stalled.push(user_data);
                self.attention = true;
            }
            Err(error) => {
                let error: io::Error = error.into();
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                self.hold(user_data, Err(io::Error::from_raw_os_error(errno)));
            }
        }
    }

    /// Keeps a completion for the next who asks.
    pub(crate) fn hold(&mut self, user_data: u64, result: io::Result<u32>) {
        self.held.push_back((user_data, result));
        self.attention = true;
    }

    /// What has no place in the table.
    pub(crate) fn settle_foreign(
        &mut self,
        user_data: u64,
        result: io::Result<u32>,
    ) -> Option<(u64, io::Result<usize>)> {
        if user_data >= OWN {
            self.backend.attend(user_data, result);
        } else if user_data as u32 & SCOPED != 0 {
            crate::scope::settle(self, user_data, result);
        } else if user_data as u32 & BOUNCED != 0 {
            return self.settle_window(user_data, result);
        }
        None
    }
}

/// What was taken on the way to others.
type Held = VecDeque<(u64, io::Result<u32>)>;

#[cold]
#[inline(never)]
fn hold_count(held: &mut Held, attention: &mut bool, user_data: u64, count: u32) {
    held.push_back((user_data, Ok(count)));
    *attention = true;
}

#[cold]
#[inline(never)]
fn hold_error(held: &mut Held, attention: &mut bool, user_data: u64, error: io::Error) {
    held.push_back((user_data, Err(error)));
    *attention = true;
}
