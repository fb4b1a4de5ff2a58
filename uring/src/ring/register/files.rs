//! The table of files.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::Ordering;

use uring_sys::{
    IORING_REGISTER_FILES, IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_FILES2, IORING_RSRC_REGISTER_SPARSE,
    IORING_UNREGISTER_FILES, io_uring_files_update, io_uring_rsrc_register,
};

use super::{Registrar, length, refused};
use crate::error::Result;
use crate::ring::core::Core;

impl Core {
    pub(crate) fn register_files(&self, files: &[BorrowedFd<'_>]) -> Result<()> {
        let mut fds: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
        // SAFETY: `fds` is an array of that many descriptors that outlives the call.
        unsafe { self.register(IORING_REGISTER_FILES, fds.as_mut_ptr().cast(), length(fds.len())) }
            .map_err(|error| refused(error, "files"))?;
        self.has_files.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn register_files_sparse(&self, nr: u32) -> Result<()> {
        let mut arg = io_uring_rsrc_register { nr, flags: IORING_RSRC_REGISTER_SPARSE, ..Default::default() };
        let size = length(size_of_val(&arg));
        // SAFETY: `arg` outlives the call; this opcode takes the structure's size as its count.
        unsafe { self.register(IORING_REGISTER_FILES2, (&raw mut arg).cast(), size) }
            .map_err(|error| refused(error, "files"))?;
        self.has_files.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn update_files(&self, first: u32, files: &[Option<BorrowedFd<'_>>]) -> Result<usize> {
        const EMPTY: RawFd = -1;
        let mut fds: Vec<RawFd> =
            files.iter().map(|file| file.as_ref().map_or(EMPTY, AsRawFd::as_raw_fd)).collect();
        let mut arg = io_uring_files_update {
            offset: first,
            fds: fds.as_mut_ptr().expose_provenance() as u64,
            ..Default::default()
        };
        // SAFETY: `arg` and the array that it names outlive the call; the array holds that many entries.
        unsafe { self.register(IORING_REGISTER_FILES_UPDATE, (&raw mut arg).cast(), length(fds.len())) }
            .map(|done| done as usize)
            .map_err(|error| refused(error, "files"))
    }

    pub(crate) fn unregister_files(&self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.register(IORING_UNREGISTER_FILES, ptr::null_mut(), 0) }
            .map_err(|error| refused(error, "files"))?;
        self.has_files.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Registrar<'_> {
    /// Registers a table of files, named from then on by their index as [`Fixed`](crate::Fixed).
    ///
    /// The ring holds files of its own: the descriptors may be closed.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a table is registered, `EMFILE` beyond `RLIMIT_NOFILE`, `EINVAL` for an empty one.
    pub fn register_files(self, files: &[BorrowedFd<'_>]) -> Result<()> {
        self.core()?.register_files(files)
    }

    /// Registers a table of `nr` empty places, to be filled by [`update_files`](Self::update_files);
    /// since 5.19.
    ///
    /// # Errors
    ///
    /// As [`register_files`](Self::register_files); `EINVAL` before 5.19.
    pub fn register_files_sparse(self, nr: u32) -> Result<()> {
        self.core()?.register_files_sparse(nr)
    }

    /// Replaces the files from index `first` on, `None` leaving a place empty, and returns how many were
    /// replaced. Requests in flight keep the file that they started with, but for fsync, fdatasync and
    /// fallocate: their places must not change before they complete.
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table, `EINVAL` beyond its end, `EBADF` if the first is not open.
    pub fn update_files(self, first: u32, files: &[Option<BorrowedFd<'_>>]) -> Result<usize> {
        self.core()?.update_files(first, files)
    }

    /// Removes the table of files.
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table.
    pub fn unregister_files(self) -> Result<()> {
        self.core()?.unregister_files()
    }
}
