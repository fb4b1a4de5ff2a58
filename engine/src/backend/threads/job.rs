//! One request, copied, and the call that carries it out.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::{c_int, c_short, iovec};
use uring::RwFlags;

use super::ranges;
use crate::request::{Action, Request};

/// More buffers than that a call does not take.
const MOST_BUFFERS: usize = 1024;

/// A request that has left the thread which made it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) user_data: u64,
    pub(super) fd: RawFd,
    pub(super) call: Call,
    /// The call is made as it is once `poll` has said that the file is ready.
    polled: bool,
}

#[derive(Debug)]
pub(super) enum Call {
    Transfer { read: bool, iovecs: IoVecs, offset: i64, flags: c_int },
    Sync { data_only: bool },
    Allocate { mode: c_int, offset: u64, len: u64 },
    Discard { offset: u64, len: u64 },
    WriteZeroes { offset: u64, len: u64, unmap: bool },
    Poll { events: c_short },
}

/// Buffers of a transfer: most have one, and need no allocation.
#[derive(Debug)]
pub(super) enum IoVecs {
    One(iovec),
    Many(Vec<iovec>),
}

// SAFETY: memory and descriptor of a request may be used by whichever thread of the back end (the contract of
// `Backend::add`); a job is with one thread at a time.
unsafe impl Send for Job {}

/// What became of a call.
pub(super) enum Outcome {
    Done(io::Result<u32>),
    /// As `Done`, and it was carried out in another way than was asked for first.
    FellBack(io::Result<u32>),
    /// It would wait for the file: try again when `poll` says so.
    Wait(Job),
}

impl Job {
    /// Copies a request.
    ///
    /// # Safety
    ///
    /// As [`Backend::add`](crate::Backend::add).
    pub(super) unsafe fn new(request: Request<'_>, user_data: u64) -> Self {
        let transfer = |read, iovecs, offset: u64, flags: RwFlags| Call::Transfer {
            read,
            iovecs,
            // -1 would be the file's position.
            offset: offset.min(u64::MAX - 1).cast_signed(),
            flags: flags.bits(),
        };
        let one = |ptr: *mut u8, len| IoVecs::One(iovec { iov_base: ptr.cast(), iov_len: len });
        let call = match request.action {
            Action::Read { ptr, len, offset, flags, .. } => transfer(true, one(ptr, len), offset, flags),
            Action::Write { ptr, len, offset, flags, .. } => {
                transfer(false, one(ptr.cast_mut(), len), offset, flags)
            }
            Action::ReadVectored { iovecs, offset, flags } => {
                transfer(true, IoVecs::Many(iovecs.iter().collect()), offset, flags)
            }
            Action::WriteVectored { iovecs, offset, flags } => {
                transfer(false, IoVecs::Many(iovecs.iter().collect()), offset, flags)
            }
            Action::Sync { data_only } => Call::Sync { data_only },
            Action::Allocate { mode, offset, len } => Call::Allocate { mode, offset, len },
            Action::Discard { offset, len } => Call::Discard { offset, len },
            Action::WriteZeroes { offset, len, unmap } => Call::WriteZeroes { offset, len, unmap },
            Action::Poll { events } => Call::Poll { events },
        };
        Self { user_data, fd: request.file.fd.as_raw_fd(), call, polled: false }
    }

    /// What `poll` is to wait for before the call is made.
    pub(super) fn events(&self) -> c_short {
        match self.call {
            Call::Poll { events } => events,
            Call::Transfer { read: false, .. } => libc::POLLOUT,
            _ => libc::POLLIN,
        }
    }

    /// Makes the call, which may block.
    pub(super) fn run(mut self) -> Outcome {
        match &self.call {
            Call::Poll { .. } => Outcome::Wait(self),
            Call::Transfer { read, iovecs, offset, flags } => {
                let asked = flags & libc::RWF_NOWAIT != 0;
                if self.polled && *read {
                    // What one was told of, another may have taken; they look once more, one after the other.
                    let _turn = turn(self.fd);
                    if !is_readable(self.fd) {
                        return Outcome::Wait(self);
                    }
                    return Outcome::Done(transfer(*read, self.fd, iovecs, *offset, *flags));
                }
                if asked || self.polled || !waits(self.fd) {
                    return Outcome::Done(transfer(*read, self.fd, iovecs, *offset, *flags));
                }
                let result = transfer(*read, self.fd, iovecs, *offset, flags | libc::RWF_NOWAIT);
                match result.as_ref().err().and_then(io::Error::raw_os_error) {
                    Some(libc::EAGAIN) if !is_nonblocking(self.fd) => Outcome::Wait(self),
                    // What cannot be told not to wait is done when it need not.
                    Some(libc::EOPNOTSUPP) => {
                        self.polled = true;
                        Outcome::Wait(self)
                    }
                    _ => Outcome::Done(result),
                }
            }
            Call::Sync { data_only } => {
                let sync = if *data_only { libc::fdatasync } else { libc::fsync };
                // SAFETY: the descriptor is open (contract of `Backend::add`); no memory is named.
                Outcome::Done(answer(unsafe { sync(self.fd) } as isize))
            }
            Call::Allocate { mode, offset, len } => {
                Outcome::Done(ranges::fallocate(self.fd, *mode, *offset, *len).map(|()| 0))
            }
            Call::Discard { offset, len } => {
                Outcome::Done(ranges::discard(self.fd, *offset, *len).map(|()| 0))
            }
            Call::WriteZeroes { offset, len, unmap } => {
                let (result, fell_back) = ranges::write_zeroes(self.fd, *offset, *len, *unmap);
                let result = result.map(|()| 0);
                if fell_back { Outcome::FellBack(result) } else { Outcome::Done(result) }
            }
        }
    }
}

/// Whether a read or write of the file can wait for somebody else for ever: a pipe, a socket, a terminal.
fn waits(fd: RawFd) -> bool {
    match ranges::stat(fd) {
        Ok(stat) => !matches!(stat.st_mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFBLK | libc::S_IFDIR),
        Err(_) => false,
    }
}

/// Waits until no other thread of this process reads from the same stream without being able not to wait.
fn turn(fd: RawFd) -> MutexGuard<'static, ()> {
    static READS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];
    let inode = ranges::stat(fd).map_or(0, |stat| stat.st_ino);
    READS[(inode % READS.len() as u64) as usize].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a read would not wait: there is something, or there never will be.
fn is_readable(fd: RawFd) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, a local.
    unsafe { libc::poll(&raw mut poll, 1, 0) != 0 }
}

/// Whether the caller has asked never to wait for this file.
fn is_nonblocking(fd: RawFd) -> bool {
    // SAFETY: the call takes integers.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    flags >= 0 && flags & libc::O_NONBLOCK != 0
}

fn transfer(read: bool, fd: RawFd, iovecs: &IoVecs, offset: i64, flags: c_int) -> io::Result<u32> {
    let iovecs = match iovecs {
        IoVecs::One(iovec) => std::slice::from_ref(iovec),
        IoVecs::Many(iovecs) => iovecs,
    };
    if iovecs.len() > MOST_BUFFERS {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // At most 1024.
    let count = iovecs.len() as c_int;
    let transfer = if read { libc::preadv2 } else { libc::pwritev2 };
    let call = |offset| {
        // SAFETY: the buffers are valid for the call and nobody else's (contract of `Backend::add`), and the array
        // outlives it.
        answer(unsafe { transfer(fd, iovecs.as_ptr(), count, offset, flags) })
    };
    match call(offset) {
        // A stream has no offsets; it goes on where it is.
        Err(error) if error.raw_os_error() == Some(libc::ESPIPE) => call(-1),
        result => result,
    }
}

/// What a system call says.
fn answer(ret: isize) -> io::Result<u32> {
    // A transfer has less than 2³¹ bytes.
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret as u32) }
}

const _: () = assert!(mem::size_of::<Job>() <= 64);
