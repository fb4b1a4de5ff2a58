//! One request out of several jobs that adjoin.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use libc::iovec;
use uring::RwFlags;

use super::task::{Job, Task};
use crate::buffer::IoBufMut;
use crate::file::IoFile;
use crate::operation::{Operation, Operations};
use crate::registration::Registration;
use crate::request::{Action, IoVecs, Request};
use crate::verdict::is_stream;

/// More buffers than that no request takes (`UIO_MAXIOV`).
const MOST: usize = 1024;

/// Emptied containers to keep for the next requests.
const SPARE: usize = 16;

/// What a read or write is about.
#[derive(Clone, Copy)]
struct Extent {
    /// Each operation keeps its file open, so that one number is one file among those that are queued.
    fd: RawFd,
    registration: Option<Registration>,
    read: bool,
    flags: RwFlags,
    start: u64,
    len: usize,
}

impl Extent {
    /// That of a job which may be merged with others.
    fn of<F: IoFile, B: IoBufMut, C>(job: &Job<F, B, C>) -> Option<Self> {
        let (file, start, len, flags, read) = match &job.operation {
            Operations::Read(read) => (&read.file, read.offset, read.buffer.bytes_total(), read.flags, true),
            Operations::Write(write) => {
                (&write.file, write.offset, write.buffer.bytes_init(), write.flags, false)
            }
            _ => return None,
        };
        // All or nothing is for each by itself; and nothing is no part of anything.
        if job.alone || len == 0 || flags.contains(RwFlags::ATOMIC) || flags.contains(RwFlags::APPEND) {
            return None;
        }
        let fd = file.descriptor().as_raw_fd();
        Some(Self { fd, registration: file.registration(), read, flags, start, len })
    }

    /// Both together, if one goes on where the other ends and they are no longer than `limit`.
    fn join(&self, next: &Self, limit: usize) -> Option<Self> {
        let len = self.len.checked_add(next.len).filter(|&len| len <= limit)?;
        let adjoin = self.start.checked_add(self.len as u64) == Some(next.start);
        let alike = self.fd == next.fd
            && self.registration == next.registration
            && self.read == next.read
            && self.flags == next.flags;
        (adjoin && alike).then_some(Self { len, ..*self })
    }
}

/// Whether offsets mean what they say: not with pipes, not when all writes go to the end.
fn has_offsets(fd: BorrowedFd<'_>, read: bool) -> bool {
    if is_stream(fd) {
        return false;
    }
    // SAFETY: the call takes integers.
    read || unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) } & libc::O_APPEND == 0
}

/// Jobs that are one request.
pub(super) struct Merged<F, B, C> {
    /// Invariant: at least one while it is in an engine; all reads or all writes of one buffer, of one file.
    jobs: Vec<Job<F, B, C>>,
    memory: Memory,
    total: usize,
    read: bool,
    offset: u64,
    flags: RwFlags,
}

/// Invariant of [`Merged`]: address and length of what the request of each job names, in their order.
struct Memory(Vec<iovec>);

// SAFETY: the addresses are followed by nobody but the kernel, and what they are of goes along with them, by itself `Send` or the
// whole is not.
unsafe impl Send for Memory {}

impl<F, B, C> Merged<F, B, C> {
    fn new() -> Self {
        Self {
            jobs: Vec::new(),
            memory: Memory(Vec::new()),
            total: 0,
            read: true,
            offset: 0,
            flags: RwFlags::default(),
        }
    }

    /// How many jobs it is made of.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Takes the jobs out, each with the length of its transfer.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Job<F, B, C>, usize)> + '_ {
        self.jobs.drain(..).zip(self.memory.0.drain(..).map(|iovec| iovec.iov_len))
    }
}

impl<F: IoFile, B: IoBufMut, C> Merged<F, B, C> {
    fn push(&mut self, mut job: Job<F, B, C>) {
        let (iov_base, iov_len) = match job.operation.request().action {
            Action::Read { ptr, len, .. } => (ptr, len),
            Action::Write { ptr, len, .. } => (ptr.cast_mut(), len),
            _ => unreachable!("only reads and writes of one buffer have an extent"),
        };
        self.jobs.push(job);
        self.memory.0.push(iovec { iov_base: iov_base.cast(), iov_len });
        self.total += iov_len;
    }
}

// SAFETY: in `push`, each job's operation has named its memory and given the guarantees of `Operation` for it, which hold
// as nothing else is done with the operation before `finish` or `drain`; the addresses are those (the invariant of `memory`). The
// first job has the file, as do the others.
unsafe impl<F: IoFile, B: IoBufMut, C: 'static> Operation for Merged<F, B, C> {
    fn request(&mut self) -> Request<'_> {
        let (iovecs, offset, flags) = (IoVecs::new(&self.memory.0), self.offset, self.flags);
        let action = if self.read {
            Action::ReadVectored { iovecs, offset, flags }
        } else {
            Action::WriteVectored { iovecs, offset, flags }
        };
        Request { file: self.jobs[0].operation.request().file, action }
    }

    fn transfer_len(&mut self) -> Option<usize> {
        Some(self.total)
    }

    /// Only those operations are told whose memory was transferred whole; the others are done once more.
    unsafe fn finish(&mut self, transferred: usize) {
        let mut left = transferred;
        for (job, memory) in self.jobs.iter_mut().zip(&self.memory.0) {
            let Some(rest) = left.checked_sub(memory.iov_len) else { break };
            left = rest;
            // SAFETY: the kernel fills the buffers in order (this fn's contract), and has come to the end of this one.
            unsafe { job.operation.finish(memory.iov_len) };
        }
    }
}

/// Makes requests of jobs.
pub(super) struct Batches<F, B, C> {
    limit: usize,
    spare: Vec<Merged<F, B, C>>,
}

impl<F: IoFile, B: IoBufMut, C> Batches<F, B, C> {
    /// Merges up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, spare: Vec::new() }
    }

    /// Takes the first job, and those behind it that adjoin.
    pub(super) fn next(&mut self, ready: &mut VecDeque<Job<F, B, C>>) -> Option<Task<F, B, C>> {
        let first = ready.pop_front()?;
        let limit = self.limit;
        if limit == 0 {
            return Some(Task::One(first));
        }
        let joined = |extent: &Extent, ready: &VecDeque<_>| extent.join(&Extent::of(ready.front()?)?, limit);
        let Some(extent) = Extent::of(&first) else { return Some(Task::One(first)) };
        let Some(mut whole) = joined(&extent, ready) else { return Some(Task::One(first)) };
        if !has_offsets(first_file(&first), extent.read) {
            return Some(Task::One(first));
        }
        let mut merged = self.spare.pop().unwrap_or_else(Merged::new);
        merged.total = 0;
        (merged.read, merged.offset, merged.flags) = (extent.read, extent.start, extent.flags);
        merged.push(first);
        while let Some(next) = ready.pop_front() {
            merged.push(next);
            match joined(&whole, ready) {
                Some(longer) if merged.len() < MOST => whole = longer,
                _ => break,
            }
        }
        Some(Task::Merged(merged))
    }

    /// Keeps an emptied request for later.
    pub(super) fn recycle(&mut self, mut merged: Merged<F, B, C>) {
        drop(merged.drain());
        if self.spare.len() < SPARE {
            self.spare.push(merged);
        }
    }
}

/// The file of a read or write.
fn first_file<F: IoFile, B: IoBufMut, C>(job: &Job<F, B, C>) -> BorrowedFd<'_> {
    match &job.operation {
        Operations::Read(read) => read.file.descriptor(),
        Operations::Write(write) => write.file.descriptor(),
        _ => unreachable!("only reads and writes have an extent"),
    }
}
