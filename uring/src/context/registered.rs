//! Files and buffers that the ring is told of once.

use std::os::fd::BorrowedFd;

use super::URingContext;
use crate::error::Result;
use crate::ring::{FilePlace, Registrar};

/// Registered files and buffers; see
/// [`io_uring_register(2)`](https://man7.org/linux/man-pages/man2/io_uring_register.2.html).
impl URingContext {
    /// All that the ring can be told once, of which what follows is the most used.
    #[must_use]
    pub fn registrar(&self) -> Registrar<'_> {
        self.ring.registrar()
    }

    /// Registers a table of files, named from then on by their index as [`Fixed`](crate::Fixed).
    ///
    /// The ring holds files of its own: the descriptors may be closed.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a table is registered, `EMFILE` beyond `RLIMIT_NOFILE`, `EINVAL` for an empty one.
    pub fn register_files(&mut self, files: &[BorrowedFd<'_>]) -> Result<()> {
        let files: Vec<_> = files.iter().map(|&file| FilePlace::File(file)).collect();
        self.ring.registrar().register_files(&files)
    }

    /// Registers a table of `nr` empty places, to be filled by [`update_files`](Self::update_files).
    ///
    /// # Errors
    ///
    /// As [`register_files`](Self::register_files).
    pub fn register_files_sparse(&mut self, nr: u32) -> Result<()> {
        self.ring.registrar().register_files_sparse(nr)
    }

    /// Replaces the files from index `first` on, `None` leaving a place empty, and returns how many were
    /// replaced. Requests in flight keep the file that they started with, but for fsync, fdatasync and
    /// fallocate: their places must not change before they complete.
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table, `EINVAL` beyond its end, `EBADF` if the first is not open.
    pub fn update_files(&mut self, first: u32, files: &[Option<BorrowedFd<'_>>]) -> Result<usize> {
        let files: Vec<_> = files.iter().map(|&file| file.into()).collect();
        self.ring.registrar().update_files(first, &files)
    }

    /// Removes the table of files.
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table.
    pub fn unregister_files(&mut self) -> Result<()> {
        self.ring.registrar().unregister_files()
    }

    /// Registers and pins buffers, named by their index in
    /// [`add_read_fixed`](Self::add_read_fixed) and [`add_write_fixed`](Self::add_write_fixed).
    ///
    /// For direct I/O this saves the kernel about a tenth of a small request.
    ///
    /// # Errors
    ///
    /// `EBUSY` if some are registered, `ENOMEM` beyond `RLIMIT_MEMLOCK`, `EFAULT` for memory that is not
    /// mapped, `EINVAL` for none or more than 16384, `EOPNOTSUPP` for memory backed by some file systems.
    ///
    /// # Safety
    ///
    /// The memory stays mapped until [`unregister_buffers`](Self::unregister_buffers) or the drop of the
    /// context, and until all requests that use it have completed; nobody else touches the parts that
    /// requests in flight use.
    pub unsafe fn register_buffers(&mut self, buffers: &[libc::iovec]) -> Result<()> {
        // SAFETY: this fn's contract.
        unsafe { self.ring.registrar().register_buffers(buffers) }
    }

    /// Unregisters the buffers. Older kernels wait for requests in flight that use them; newer ones, from
    /// about 6.13 on, return at once, and memory stays the kernel's until each completion has been taken.
    ///
    /// # Errors
    ///
    /// `ENXIO` if none are registered.
    pub fn unregister_buffers(&mut self) -> Result<()> {
        self.ring.registrar().unregister_buffers()
    }
}
