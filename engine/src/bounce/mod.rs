//! Unaligned transfers of files that are opened with `O_DIRECT`, by way of aligned memory.
//!
//! A transfer is made as it is, first. Where the file refuses that with `EINVAL`, and it is the alignment that is wrong, its part
//! of the file is cut into windows that are aligned, and each window is read to memory of our own, or written from it; one that
//! is to be written and does not begin and end with what is written is read before.

mod transfer;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use uring::RwFlags;

use self::transfer::Transfer;
use crate::backend::{Backend, add_request};
use crate::buffer::{AlignedBuf, IoBufMut};
use crate::direct::{DirectIo, is_direct};
use crate::engine::Engine;
use crate::error::Error;
use crate::operation::Operation;
use crate::request::{Action, FileRef, Request};
use crate::verdict::{cancelled, is_to_try_again};

/// Set in the index of names of requests for windows.
pub(crate) const BOUNCED: u32 = 1 << 30;

/// Most bytes of a window that a transfer takes part of.
const CHUNK: usize = 1 << 20;

/// The transfers under way.
#[derive(Debug, Default)]
pub(crate) struct Bounces {
    enabled: bool,
    active: Vec<Bounce>,
    /// Writes that read a window before they write it wait for each other: two of them may share a block.
    waiting: VecDeque<(u64, DirectIo)>,
    pub(crate) count: u64,
}

/// One transfer.
#[derive(Debug)]
struct Bounce {
    /// The operation.
    name: u64,
    direct: DirectIo,
    /// The memory of the window. It stays where it is until its request is over.
    window: AlignedBuf,
    /// Where the window starts in the file.
    start: u64,
    /// What of the window the operation is about.
    head: usize,
    len: usize,
    step: Step,
    /// The window holds more than what the operation writes.
    rewrites: bool,
    /// Bytes of the window that are transferred.
    done: usize,
    /// The window is written where the file ends, which is here.
    file_end: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Read,
    ReadToWrite,
    Write,
}

impl Bounces {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled, ..Self::default() }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether a window of the operation may be in flight.
    pub(crate) fn has(&self, name: u64) -> bool {
        self.active.iter().any(|bounce| bounce.name == name)
    }

    /// Makes an operation that waits one that does not; whether it did.
    pub(crate) fn stop_waiting(&mut self, name: u64) -> bool {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == name);
        at.and_then(|at| self.waiting.remove(at)).is_some()
    }

    fn get_mut(&mut self, name: u64) -> Option<&mut Bounce> {
        self.active.iter_mut().find(|bounce| bounce.name == name)
    }

    /// Begins with an operation, without a window yet.
    fn push(&mut self, name: u64, direct: DirectIo) {
        self.active.push(Bounce {
            name,
            direct,
            window: AlignedBuf::new(0),
            start: 0,
            head: 0,
            len: 0,
            step: Step::Read,
            rewrites: false,
            done: 0,
            file_end: None,
        });
    }

    /// Leaks the windows, which the kernel may still use.
    pub(crate) fn leak(&mut self) {
        mem::forget(mem::take(&mut self.active));
    }
}

/// What becomes of an operation: the result, if it is over.
type Settled = Option<(u64, io::Result<usize>)>;

impl<T: Operation, B: Backend> Engine<T, B> {
    /// Begins anew with an operation that the file has refused, if that is for its alignment; whether it is.
    pub(crate) fn bounce(&mut self, name: u64) -> bool {
        let Some(transfer) = self.transfer_of(name) else { return false };
        let Some(file) = self.file_of(name) else { return false };
        // Where an append lands is not known before, and an atomic write is not to be taken apart.
        if transfer.flags.contains(RwFlags::APPEND)
            || transfer.flags.contains(RwFlags::ATOMIC)
            || !is_direct(file.fd)
        {
            return false;
        }
        let Ok(Some(direct)) = DirectIo::probe(file.fd) else { return false };
        // Offsets that no file has are refused for themselves.
        let end = transfer.offset.checked_add(transfer.len as u64);
        if transfer.suits(&direct) || end.is_none_or(|end| i64::try_from(direct.round_up(end)).is_err()) {
            return false;
        }
        self.bounces.count += 1;
        if let Some(slot) = self.slots.get_mut(name as u32 as usize) {
            slot.trace.note("bounced");
        }
        self.bounces.push(name, direct);
        self.begin_or_fail(name);
        true
    }

    fn transfer_of(&mut self, name: u64) -> Option<Transfer> {
        let slot = self.slots.get_mut(name as u32 as usize).filter(|slot| slot.name() == name)?;
        // SAFETY: a name that is still right is of a place that is taken.
        Transfer::of(&unsafe { slot.operation() }.request())
    }

    /// The file of an operation in flight, for as long as it is that.
    fn file_of(&mut self, name: u64) -> Option<FileRef<'_>> {
        let slot = self.slots.get_mut(name as u32 as usize).filter(|slot| slot.name() == name)?;
        // SAFETY: a name that is still right is of a place that is taken.
        Some(unsafe { slot.operation() }.request().file)
    }

    fn progress_of(&mut self, name: u64) -> (usize, bool) {
        let slot = self.slots.get_mut(name as u32 as usize);
        slot.map_or((0, true), |slot| {
            let progress = slot.progress_mut();
            (progress.done, progress.cancelled)
        })
    }

    /// Begins with the next window of an operation.
    fn begin_window(&mut self, name: u64) -> Settled {
        let (done, is_cancelled) = self.progress_of(name);
        if is_cancelled {
            return self.end_bounce(name, Err(cancelled()));
        }
        let transfer = self.transfer_of(name)?;
        let others_rewrite = self.bounces.active.iter().any(|bounce| bounce.name != name && bounce.rewrites);
        let bounce = self.bounces.get_mut(name)?;
        let direct = bounce.direct;
        let from = transfer.offset + done as u64;
        bounce.len = (transfer.len - done).min(CHUNK);
        bounce.start = bounce.direct.round_down(from);
        // Less than a chunk and two blocks.
        bounce.head = (from - bounce.start) as usize;
        let end = bounce.direct.round_up(from + bounce.len as u64);
        let size = (end - bounce.start) as usize;
        (bounce.done, bounce.file_end) = (0, None);
        bounce.window = AlignedBuf::with_alignment(size, bounce.direct.memory as usize);
        bounce.rewrites = !transfer.read && bounce.len < size;
        if bounce.rewrites && others_rewrite {
            self.bounces.active.retain(|bounce| bounce.name != name);
            self.bounces.waiting.push_back((name, direct));
            return None;
        }
        bounce.step = match (transfer.read, bounce.rewrites) {
            (true, _) => Step::Read,
            (false, true) => Step::ReadToWrite,
            (false, false) => {
                fill(bounce, &transfer, done);
                Step::Write
            }
        };
        self.request_window(name)
    }

    /// Asks for what is left of the window.
    fn request_window(&mut self, name: u64) -> Settled {
        let Self { backend, slots, bounces, continued, .. } = self;
        let slot = slots.get_mut(name as u32 as usize).filter(|slot| slot.name() == name)?;
        // SAFETY: a name that is still right is of a place that is taken.
        let request = unsafe { slot.operation() }.request();
        let bounce = bounces.get_mut(name)?;
        let (len, offset) = (bounce.window.len() - bounce.done, bounce.start + bounce.done as u64);
        let ptr = bounce.window.stable_mut_ptr().wrapping_add(bounce.done);
        let action = match bounce.step {
            Step::Read => Action::Read { ptr, len, offset, flags: request.flags(), registration: None },
            Step::ReadToWrite => {
                Action::Read { ptr, len, offset, flags: RwFlags::default(), registration: None }
            }
            Step::Write => Action::Write {
                ptr: ptr.cast_const(),
                len,
                offset,
                flags: request.flags(),
                registration: None,
            },
        };
        let request = Request { file: request.file, action };
        // SAFETY: the window stays in `bounces` until its request is over, and nobody looks at it before; the operation keeps its
        // file open. Should the back end not let go of it, the window is leaked with the operations.
        match unsafe { add_request(&mut **backend, request, name | u64::from(BOUNCED)) } {
            Ok(()) => {
                *continued = true;
                None
            }
            Err(Error::Full) => {
                self.stalled.push(name | u64::from(BOUNCED));
                self.attention = true;
                None
            }
            Err(error) => self.end_bounce(name, Err(error.into())),
        }
    }

    /// Asks again for a window that there was no room to ask for.
    pub(crate) fn request_stalled_window(&mut self, user_data: u64) {
        let name = user_data & !u64::from(BOUNCED);
        let (_, is_cancelled) = self.progress_of(name);
        let settled =
            if is_cancelled { self.end_bounce(name, Err(cancelled())) } else { self.request_window(name) };
        if let Some((name, Err(error))) = settled {
            self.hold(name, Err(error));
        }
    }

    /// Takes a completion to its window.
    pub(crate) fn settle_window(&mut self, user_data: u64, result: io::Result<u32>) -> Settled {
        let name = user_data & !u64::from(BOUNCED);
        let count = match result {
            Ok(count) => count as usize,
            Err(error) if self.is_to_try_again(name, &error) => {
                self.counts.retries += 1;
                return self.request_window(name);
            }
            Err(error) => return self.end_bounce(name, Err(error)),
        };
        let bounce = self.bounces.get_mut(name)?;
        bounce.done += count;
        let is_whole = bounce.done == bounce.window.len();
        if !is_whole && count > 0 && count.is_multiple_of(bounce.direct.offset as usize) {
            self.counts.short_transfers += 1;
            return self.request_window(name);
        }
        match bounce.step {
            Step::Read => self.window_is_read(name),
            Step::ReadToWrite => {
                if !is_whole {
                    let end = bounce.start + bounce.done as u64;
                    bounce.file_end = Some(end.max(bounce.start + (bounce.head + bounce.len) as u64));
                    let done = bounce.done;
                    bounce.window[done..].fill(0);
                }
                (bounce.done, bounce.step) = (0, Step::Write);
                let (done, _) = self.progress_of(name);
                let transfer = self.transfer_of(name)?;
                fill(self.bounces.get_mut(name)?, &transfer, done);
                self.request_window(name)
            }
            Step::Write if !is_whole => self.end_bounce(name, Err(io::ErrorKind::WriteZero.into())),
            Step::Write => self.window_is_written(name),
        }
    }

    fn is_to_try_again(&mut self, name: u64, error: &io::Error) -> bool {
        let Some(slot) = self.slots.get_mut(name as u32 as usize) else { return false };
        let mut progress = *slot.progress_mut();
        // SAFETY: the place is taken, by the operation that the window is for.
        let request = unsafe { slot.operation() }.request();
        let again = is_to_try_again(&request, &mut progress, error);
        *slot.progress_mut() = progress;
        again
    }

    fn window_is_read(&mut self, name: u64) -> Settled {
        let (done, _) = self.progress_of(name);
        let transfer = self.transfer_of(name)?;
        let bounce = self.bounces.get_mut(name)?;
        let got = bounce.done.saturating_sub(bounce.head).min(bounce.len);
        let mut bytes = &bounce.window[bounce.head..][..got];
        for (to, len) in transfer.memory_from(done) {
            let count = len.min(bytes.len());
            // SAFETY: memory of an operation in flight, valid for writes of `len` bytes, and no request for it is under
            // way; the window is memory of our own.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, count) };
            bytes = &bytes[count..];
        }
        let ended = got < bounce.len;
        self.window_is_over(name, &transfer, got, ended)
    }

    fn window_is_written(&mut self, name: u64) -> Settled {
        let transfer = self.transfer_of(name)?;
        let bounce = self.bounces.get_mut(name)?;
        let len = bounce.len;
        if let Some(end) = bounce.file_end {
            let grown = bounce.start + bounce.window.len() as u64;
            if let Err(error) = truncate_grown(self.file_of(name)?.fd, grown, end) {
                return self.end_bounce(name, Err(error));
            }
        }
        self.window_is_over(name, &transfer, len, false)
    }

    fn window_is_over(&mut self, name: u64, transfer: &Transfer, count: usize, ended: bool) -> Settled {
        let slot = self.slots.get_mut(name as u32 as usize)?;
        let progress = slot.progress_mut();
        progress.done += count;
        let done = progress.done;
        if done == transfer.len || ended {
            return self.end_bounce(name, Ok(done));
        }
        self.begin_window(name)
    }

    /// Ends the transfer, and lets one that waited begin.
    fn end_bounce(&mut self, name: u64, result: io::Result<usize>) -> Settled {
        self.bounces.active.retain(|bounce| bounce.name != name);
        if !self.bounces.active.iter().any(|bounce| bounce.rewrites)
            && let Some((next, direct)) = self.bounces.waiting.pop_front()
        {
            self.bounces.push(next, direct);
            self.begin_or_fail(next);
        }
        Some((name, result))
    }

    /// Begins with the next window where no result can be returned.
    fn begin_or_fail(&mut self, name: u64) {
        if let Some((name, Err(error))) = self.begin_window(name) {
            self.hold(name, Err(error));
        }
    }
}

/// Cuts a file back to where it is to end, if it is as long as the window made it.
fn truncate_grown(fd: BorrowedFd<'_>, grown: u64, end: u64) -> io::Result<()> {
    if file_len(fd)? != grown || end == grown {
        return Ok(());
    }
    // SAFETY: the call takes integers.
    let ret = unsafe { libc::ftruncate64(fd.as_raw_fd(), end.cast_signed()) };
    if ret == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn file_len(fd: BorrowedFd<'_>) -> io::Result<u64> {
    // SAFETY: plain C data for which all zeroes is a value.
    let mut stat: libc::stat64 = unsafe { mem::zeroed() };
    // SAFETY: `stat` is a local for the call to write.
    let ret = unsafe { libc::fstat64(fd.as_raw_fd(), &raw mut stat) };
    if ret == 0 { Ok(stat.st_size.cast_unsigned()) } else { Err(io::Error::last_os_error()) }
}

/// Copies what is to be written next to the window.
fn fill(bounce: &mut Bounce, transfer: &Transfer, done: usize) {
    let mut to = &mut bounce.window[bounce.head..][..bounce.len];
    for (from, len) in transfer.memory_from(done) {
        let count = len.min(to.len());
        let (now, later) = to.split_at_mut(count);
        // SAFETY: memory of an operation in flight, valid for reads of `len` bytes, which nobody writes; the window is memory
        // of our own.
        unsafe { ptr::copy_nonoverlapping(from.cast_const(), now.as_mut_ptr(), count) };
        to = later;
    }
}
