//! A request of a scope.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use libc::{c_int, c_short, iovec};
use uring::RwFlags;

use crate::error::Error;
use crate::request::{Action, FileRef, IoVecs, Request};
use crate::slots::Progress;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) action: Raw,
    pub(super) fd: RawFd,
    pub(super) generation: u32,
    pub(super) progress: Progress,
    /// Empty while the kernel has it.
    pub(super) result: Option<io::Result<usize>>,
    /// The result has been asked for.
    pub(super) taken: bool,
}

/// What is asked for, without lifetimes: that of the scope is kept by the scope itself.
#[derive(Debug)]
pub(super) enum Raw {
    Transfer { read: bool, buffer: iovec, offset: u64, flags: RwFlags },
    Vectored { read: bool, buffers: Vec<iovec>, offset: u64, flags: RwFlags },
    Sync { data_only: bool },
    Allocate { mode: c_int, offset: u64, len: u64 },
    Discard { offset: u64, len: u64 },
    WriteZeroes { offset: u64, len: u64, unmap: bool },
    Poll { events: c_short },
}

// SAFETY: between scopes, when an engine can be moved, the addresses are of the past and not followed.
unsafe impl Send for Raw {}
// SAFETY: as above; nothing is followed through a shared reference.
unsafe impl Sync for Raw {}

impl Entry {
    pub(super) fn request(&self) -> Request<'_> {
        let action = match self.action {
            Raw::Transfer { read: true, buffer, offset, flags } => Action::Read {
                ptr: buffer.iov_base.cast(),
                len: buffer.iov_len,
                offset,
                flags,
                registration: None,
            },
            Raw::Transfer { read: false, buffer, offset, flags } => Action::Write {
                ptr: buffer.iov_base.cast_const().cast(),
                len: buffer.iov_len,
                offset,
                flags,
                registration: None,
            },
            Raw::Vectored { read, ref buffers, offset, flags } => {
                let iovecs = IoVecs::new(buffers);
                if read {
                    Action::ReadVectored { iovecs, offset, flags }
                } else {
                    Action::WriteVectored { iovecs, offset, flags }
                }
            }
            Raw::Sync { data_only } => Action::Sync { data_only },
            Raw::Allocate { mode, offset, len } => Action::Allocate { mode, offset, len },
            Raw::Discard { offset, len } => Action::Discard { offset, len },
            Raw::WriteZeroes { offset, len, unmap } => Action::WriteZeroes { offset, len, unmap },
            Raw::Poll { events } => Action::Poll { events },
        };
        // SAFETY: the file is borrowed for as long as the scope lasts, and a request is made only within.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        Request { file: FileRef { fd, registration: None }, action }
    }

    /// The result, as of an operation that was to be whole.
    pub(super) fn whole(self) -> io::Result<()> {
        let len = self.request().transfer_len();
        match (self.result, len) {
            // Only in a forked child a scope ends with something in flight.
            (None, _) => Err(Error::Forked.into()),
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(count)), Some(len)) if count < len => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
