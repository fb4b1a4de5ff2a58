//! What a scope can be asked for.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;

use libc::{c_int, c_short, iovec};
use uring::RwFlags;

use super::entry::Raw;
use super::{Scope, Ticket};
use crate::backend::Backend;
use crate::operation::Operation;

impl<'env, T: Operation, B: Backend> Scope<'_, 'env, T, B> {
    /// Reads at an offset until the buffer is full or the file ends: `pread(2)`.
    ///
    /// # Errors
    ///
    /// What the back end says; the operation has not begun then.
    pub fn read_at(&self, file: &'env impl AsFd, buffer: &'env mut [u8], offset: u64) -> io::Result<Ticket> {
        let buffer = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        self.add(file.as_fd(), Raw::Transfer { read: true, buffer, offset, flags: RwFlags::default() })
    }

    /// Writes all of the buffer at an offset: `pwrite(2)`.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn write_at(&self, file: &'env impl AsFd, buffer: &'env [u8], offset: u64) -> io::Result<Ticket> {
        self.write_at_with(file, buffer, offset, RwFlags::default())
    }

    /// As [`write_at`](Self::write_at), with `RWF_*` flags: `pwritev2(2)`.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn write_at_with(
        &self,
        file: &'env impl AsFd,
        buffer: &'env [u8],
        offset: u64,
        flags: RwFlags,
    ) -> io::Result<Ticket> {
        let buffer = iovec { iov_base: buffer.as_ptr().cast_mut().cast(), iov_len: buffer.len() };
        self.add(file.as_fd(), Raw::Transfer { read: false, buffer, offset, flags })
    }

    /// Reads at an offset into several buffers, one after the other, until they are full or the file ends: `preadv(2)`; at most 1024 of
    /// them.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn read_vectored_at<'b: 'env>(
        &self,
        file: &'env impl AsFd,
        buffers: &'env mut [IoSliceMut<'b>],
        offset: u64,
    ) -> io::Result<Ticket> {
        let buffers = buffers
            .iter_mut()
            .map(|buffer| iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() });
        let buffers = buffers.collect();
        self.add(file.as_fd(), Raw::Vectored { read: true, buffers, offset, flags: RwFlags::default() })
    }

    /// Writes all of several buffers at an offset, one after the other: `pwritev(2)`; at most 1024 of them.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn write_vectored_at(
        &self,
        file: &'env impl AsFd,
        buffers: &'env [IoSlice<'env>],
        offset: u64,
    ) -> io::Result<Ticket> {
        let buffers = buffers
            .iter()
            .map(|buffer| iovec { iov_base: buffer.as_ptr().cast_mut().cast(), iov_len: buffer.len() })
            .collect();
        self.add(file.as_fd(), Raw::Vectored { read: false, buffers, offset, flags: RwFlags::default() })
    }

    /// Makes what was written durable: `fsync(2)`. It covers writes that were [waited for](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn fsync(&self, file: &'env impl AsFd) -> io::Result<Ticket> {
        self.add(file.as_fd(), Raw::Sync { data_only: false })
    }

    /// As [`fsync`](Self::fsync), with only the metadata that reading the data back takes: `fdatasync(2)`.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn fdatasync(&self, file: &'env impl AsFd) -> io::Result<Ticket> {
        self.add(file.as_fd(), Raw::Sync { data_only: true })
    }

    /// Allocates space, punches holes, …: `fallocate(2)`; see [`Allocate`](crate::operation::Allocate).
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn allocate(&self, file: &'env impl AsFd, mode: c_int, offset: u64, len: u64) -> io::Result<Ticket> {
        self.add(file.as_fd(), Raw::Allocate { mode, offset, len })
    }

    /// Gives up a range; see [`Discard`](crate::operation::Discard).
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn discard(&self, file: &'env impl AsFd, offset: u64, len: u64) -> io::Result<Ticket> {
        self.add(file.as_fd(), Raw::Discard { offset, len })
    }

    /// Zeroes a range; see [`WriteZeroes`](crate::operation::WriteZeroes).
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn write_zeroes(
        &self,
        file: &'env impl AsFd,
        offset: u64,
        len: u64,
        unmap: bool,
    ) -> io::Result<Ticket> {
        self.add(file.as_fd(), Raw::WriteZeroes { offset, len, unmap })
    }

    /// Waits once until something can be done with a file: `poll(2)`. [Cancel](Self::cancel) it, or wait for it: the scope does not end before
    /// it has.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn poll(&self, file: &'env impl AsFd, events: c_short) -> io::Result<Ticket> {
        self.add(file.as_fd(), Raw::Poll { events })
    }
}
