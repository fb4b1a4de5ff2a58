//! The reaping half: takes completions from the ring, from `io_getevents` and from the submitting half.

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aio_sys::{IOCB_CMD_POLL, IOCB_FLAG_RESFD, io_event, iocb};

use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::ring::Ring;
use crate::shared::{Local, Shared};
use crate::spsc::Consumer;
use crate::{UserData, sys};

/// How long to sleep at most while requests are in flight that do not signal the eventfd.
const SILENT_NAP: Duration = Duration::from_millis(10);

/// What is seen and not yet taken is counted here and not in the iterator, so that an iterator that is leaked
/// neither repeats nor loses a completion.
#[derive(Debug)]
pub(crate) struct Completion {
    shared: Arc<Shared>,
    /// `None`: a ring that this crate does not know, or the caller wants the system call.
    ring: Option<Ring>,
    /// What `io_getevents` has taken, `buffer[next..filled]` of it to be handed out yet. It holds as many
    /// events as there are slots, so whatever can come has room.
    buffer: Box<[io_event]>,
    next: usize,
    filled: usize,
    local: Consumer,
    /// `Shared::look_closer`, as of the last look: it is set before the first event that it matters for.
    look_closer: bool,
    /// Whether the last look saw completions that are not simply the next ones in the ring.
    elsewhere: bool,
}

impl Completion {
    pub(crate) fn new(shared: Arc<Shared>, ring: Option<Ring>, local: Consumer) -> Self {
        let buffer = vec![io_event::default(); shared.slots.len()].into_boxed_slice();
        Self { shared, ring, buffer, next: 0, filled: 0, local, look_closer: false, elsewhere: false }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn into_shared(self) -> Arc<Shared> {
        self.shared
    }

    /// Lets the kernel reuse what was taken from its ring.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if let Some(ring) = &mut self.ring {
            ring.publish();
        }
    }

    /// How many completions [`next`](Iterator::next) has, as of the last look.
    #[inline]
    fn ready(&self) -> usize {
        let ring = self.ring.as_ref().map_or(0, Ring::seen);
        ring + self.outside()
    }

    /// Those of them that are not in the kernel's ring.
    #[inline]
    fn outside(&self) -> usize {
        self.filled - self.next + self.local.seen()
    }

    /// Sees what is there, and returns how many completions [`next`](Iterator::next) has. Without a ring that takes a
    /// system call, which is made on demand.
    #[inline]
    fn look(&mut self, demand: bool) -> Result<usize> {
        let signals = self.shared.eventfd.is_on();
        if signals {
            // First the eventfd, then the ring: what comes later raises it again.
            self.shared.reaping.add(1);
            self.shared.eventfd.clear();
        }
        self.local.look(&self.shared.local);
        let (in_ring, wraps) = match &mut self.ring {
            Some(ring) => (ring.observe(), ring.wraps()),
            None => {
                if demand || signals {
                    // What was signalled has to be seen, now that the signal is gone.
                    self.fetch(0, Some(Duration::ZERO))?;
                }
                (0, false)
            }
        };
        self.look_closer = self.shared.look_closer.load(Ordering::Relaxed);
        let outside = self.outside();
        self.elsewhere = wraps || outside > 0;
        Ok(in_ring + outside)
    }

    /// Moves events from the kernel to the buffer: at least `min`, if they come in time and no signal does.
    fn fetch(&mut self, min: usize, timeout: Option<Duration>) -> Result<()> {
        self.publish();
        self.buffer.copy_within(self.next..self.filled, 0);
        (self.next, self.filled) = (0, self.filled - self.next);
        self.shared.reaping.add(1);
        let room = &mut self.buffer[self.filled..];
        // SAFETY: this half alone takes events, and it is borrowed.
        let taken = unsafe { sys::getevents(self.shared.handle.id(), min, room, timeout) };
        // A handler of the signal that ended the call may have forked: the ring is not there in the child.
        self.shared.handle.check()?;
        if let Some(ring) = &mut self.ring {
            ring.resume();
        }
        match taken {
            Ok(taken) => self.filled += taken as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(refused("io_getevents", error)),
        }
        Ok(())
    }

    /// What is there now.
    pub(crate) fn completions(&mut self) -> Result<Completions<'_>> {
        self.shared.handle.check()?;
        // What an iterator took that was leaked.
        self.publish();
        let completions = Completions { half: self };
        completions.half.look(true)?;
        Ok(completions)
    }

    /// At least `nr` completions or as many as are in flight, while one thread has both halves. The caller has
    /// asked the gate.
    #[inline]
    pub(crate) fn wait(&mut self, nr: usize, timeout: Option<Duration>) -> Result<Completions<'_>> {
        // From here on it keeps the eventfd true, on failure too.
        let completions = Completions { half: self };
        let ready = completions.half.look(false)?;
        let wanted = nr.min(completions.half.shared.in_flight());
        if ready < wanted {
            completions.half.block(wanted, timeout)?;
        }
        Ok(completions)
    }

    #[cold]
    fn block(&mut self, wanted: usize, timeout: Option<Duration>) -> Result<()> {
        let deadline = Deadline::new(timeout);
        loop {
            let left = deadline.left();
            self.fetch(wanted.saturating_sub(self.outside()), left)?;
            // The eventfd was raised for what the call has taken.
            let ready = self.look(false)?;
            if ready >= wanted || left == Some(Duration::ZERO) {
                return Ok(());
            }
        }
    }

    /// The same with the submitting half in another thread, which may submit at any moment: then nothing in
    /// flight is no reason to return.
    pub(crate) fn wait_for_other(&mut self, nr: usize, timeout: Option<Duration>) -> Result<Completions<'_>> {
        self.shared.handle.check()?;
        // What an iterator took that was leaked: the other half cannot give it back to the kernel.
        self.publish();
        let deadline = Deadline::new(timeout);
        let completions = Completions { half: self };
        let half = &mut *completions.half;
        loop {
            let ready = half.look(true)?;
            // Asked for after the look at the eventfd, which is raised after it is set: it is seen here, or
            // `sleep` ends at once.
            let awaited = if half.shared.is_closed() { 0 } else { 1 };
            let wanted = nr.min(half.shared.in_flight().max(awaited));
            let left = deadline.left();
            if ready >= wanted || left == Some(Duration::ZERO) {
                return Ok(completions);
            }
            half.sleep(left)?;
        }
    }

    /// Sleeps until the eventfd is raised, or time is up, or a signal comes.
    fn sleep(&mut self, left: Option<Duration>) -> Result<()> {
        if self.shared.eventfd.silent() > 0 {
            // They do not raise the eventfd, but end this call; a local completion does not, hence the nap.
            let nap = left.unwrap_or(SILENT_NAP).min(SILENT_NAP);
            return self.fetch(1, Some(nap));
        }
        let mut fd =
            libc::pollfd { fd: self.shared.eventfd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let timeout = left.map(sys::timespec_of);
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        self.shared.reaping.add(1);
        // SAFETY: one pollfd and one timespec, or null, all of them locals of this function.
        let ret = unsafe { libc::ppoll(&raw mut fd, 1, timeout, ptr::null()) };
        if ret < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(refused("ppoll", error));
            }
        }
        // As in `fetch`.
        self.shared.handle.check()
    }

    /// As an iterator does that is dropped at its end.
    #[inline]
    pub(crate) fn next_completion(&mut self) -> Option<(UserData, io::Result<u32>)> {
        let next = self.take();
        if next.is_none() {
            self.leave();
        }
        next
    }

    /// Lets the kernel, and whoever sleeps on the eventfd, know what was taken and what was not.
    #[inline]
    fn leave(&mut self) {
        if self.shared.handle.is_forked() {
            return;
        }
        self.publish();
        if self.shared.eventfd.is_on() {
            self.leave_signal();
        }
    }

    #[inline]
    fn take(&mut self) -> Option<(UserData, io::Result<u32>)> {
        let event = match self.ring.as_mut().and_then(Ring::pop) {
            Some(event) => event,
            None if self.elsewhere => self.take_elsewhere()?,
            None => return None,
        };
        Some(self.finish(&event))
    }

    /// The next event, if it is not simply the next one in the ring.
    #[cold]
    fn take_elsewhere(&mut self) -> Option<io_event> {
        if self.shared.handle.is_forked() {
            return None;
        }
        if self.next < self.filled {
            self.next += 1;
            return Some(self.buffer[self.next - 1]);
        }
        if let Some(ring) = &mut self.ring
            && ring.turn()
        {
            return ring.pop();
        }
        let local = Local::unpack(self.local.pop_seen(&self.shared.local)?);
        let iocb = self.shared.slots.iocb(local.slot);
        // SAFETY: the slot's number came out of the queue, so it is with this half (the invariant of `Slots`).
        let data = unsafe { (*iocb).aio_data };
        Some(io_event { data, obj: iocb.addr() as u64, res: local.res.into(), res2: 0 })
    }

    /// Frees the slot of an event and says how the request went.
    #[inline]
    fn finish(&self, event: &io_event) -> (UserData, io::Result<u32>) {
        let mut res = event.res;
        if let Some(iocb) = self.shared.slots.find(event.obj) {
            if self.look_closer {
                res = self.look_closer(iocb, res);
            }
            self.shared.row.give_back(iocb);
        }
        (event.data, sys::answer(res))
    }

    /// What an event alone does not say.
    #[cold]
    fn look_closer(&self, iocb: *mut iocb, res: i64) -> i64 {
        // SAFETY: the slot's event is here and it is not yet given back: it is with this half.
        let iocb = unsafe { iocb.read() };
        if self.shared.eventfd.silent() > 0 && iocb.aio_flags & IOCB_FLAG_RESFD == 0 {
            self.shared.eventfd.one_silent_less();
        }
        if u32::from(iocb.aio_lio_opcode) != IOCB_CMD_POLL || res < 0 {
            return res;
        }
        if res == 0 {
            // A poll that fires has a mask; only a cancelled one has none.
            return -i64::from(libc::ECANCELED);
        }
        // The kernel may report whatever the file announced, beyond what was asked for.
        let always = i64::from(libc::POLLERR | libc::POLLHUP);
        res & (iocb.aio_buf.cast_signed() | always)
    }

    /// Raises the eventfd again, if somebody who sleeps on it would miss something.
    fn leave_signal(&self) {
        if self.ready() > 0 || self.shared.eventfd.silent() > 0 {
            self.shared.reaping.add(1);
            self.shared.eventfd.raise();
        }
    }
}

#[cold]
fn refused(call: &'static str, error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
            "forbidden since the context was made, by a seccomp filter most likely"
        }
        Some(libc::EINVAL) => "the context was destroyed by somebody else",
        _ => "completions stay where they are: try again",
    };
    Error::kernel(call, error, hint)
}

/// The completions that were there when it was made, each with the `user_data` of its request.
///
/// What is not taken stays for the next call.
#[must_use = "completions that are not taken stay in the context"]
pub struct Completions<'a> {
    half: &'a mut Completion,
}

impl Iterator for Completions<'_> {
    type Item = (UserData, io::Result<u32>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.half.take()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let forked = self.half.shared.handle.is_forked();
        let ready = if forked { 0 } else { self.half.ready() };
        (ready, Some(ready))
    }
}

impl FusedIterator for Completions<'_> {}

impl Drop for Completions<'_> {
    #[inline]
    fn drop(&mut self) {
        self.half.leave();
    }
}

impl fmt::Debug for Completions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("ready", &self.half.ready()).finish_non_exhaustive()
    }
}
