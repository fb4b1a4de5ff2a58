//! The table of files.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::Ordering;

use uring_sys::{
    IORING_REGISTER_FILE_ALLOC_RANGE, IORING_REGISTER_FILES, IORING_REGISTER_FILES_SKIP,
    IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_FILES_UPDATE2, IORING_REGISTER_FILES2,
    IORING_RSRC_REGISTER_SPARSE, IORING_UNREGISTER_FILES, io_uring_file_index_range, io_uring_files_update,
    io_uring_rsrc_register, io_uring_rsrc_update2,
};

use super::{Registrar, Tag, length, refused};
use crate::error::{Error, Result};
use crate::ring::core::Core;

/// What a place in the table of files is to hold.
#[derive(Clone, Copy, Debug)]
pub enum FilePlace<'fd> {
    /// Nothing.
    Empty,
    /// What it holds already (`IORING_REGISTER_FILES_SKIP`, since 5.12); in an update only.
    Keep,
    /// This file, of which the ring holds a reference of its own: the descriptor may be closed.
    File(BorrowedFd<'fd>),
}

impl FilePlace<'_> {
    fn raw(&self) -> RawFd {
        match self {
            Self::Empty => EMPTY,
            Self::Keep => IORING_REGISTER_FILES_SKIP,
            Self::File(fd) => fd.as_raw_fd(),
        }
    }
}

impl<'fd> From<BorrowedFd<'fd>> for FilePlace<'fd> {
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self::File(fd)
    }
}

/// `None` is [`Empty`](FilePlace::Empty).
impl<'fd> From<Option<BorrowedFd<'fd>>> for FilePlace<'fd> {
    fn from(fd: Option<BorrowedFd<'fd>>) -> Self {
        fd.map_or(Self::Empty, Self::File)
    }
}

const EMPTY: RawFd = -1;

/// Most files of a table (`IORING_MAX_FIXED_FILES` of the kernel, not in its headers).
const MAX_FILES: u32 = 1 << 20;

fn raw(files: &[FilePlace<'_>]) -> Vec<RawFd> {
    files.iter().map(FilePlace::raw).collect()
}

#[cold]
fn files_refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EBADF) => Error::kernel(
            "io_uring_register",
            error,
            "files: one of the descriptors is not open, or a ring's",
        ),
        Some(libc::EINVAL | libc::EOVERFLOW) => Error::kernel(
            "io_uring_register",
            error,
            "files: none, a place past the end of the table, a tag on an empty place, or nothing that this kernel knows",
        ),
        Some(libc::EMFILE) => Error::kernel(
            "io_uring_register",
            error,
            format!("files: more than RLIMIT_NOFILE (ulimit -n), or than the {MAX_FILES} that a table takes"),
        ),
        _ => refused(error, "files"),
    }
}

fn check_tags(files: usize, tags: usize) -> Result<()> {
    if files == tags {
        return Ok(());
    }
    Err(Error::invalid(
        "io_uring_register",
        format!("{tags} tags for {files} places: each has one, 0 for none"),
    ))
}

impl Core {
    pub(crate) fn register_files(&self, files: &[FilePlace<'_>]) -> Result<()> {
        self.register_descriptors(raw(files))
    }

    fn register_descriptors(&self, mut fds: Vec<RawFd>) -> Result<()> {
        // SAFETY: `fds` is an array of that many descriptors that outlives the call.
        unsafe { self.register(IORING_REGISTER_FILES, fds.as_mut_ptr().cast(), length(fds.len())) }
            .map_err(files_refused)?;
        self.has_files.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn register_files_tagged(&self, files: &[FilePlace<'_>], tags: &[Tag]) -> Result<()> {
        check_tags(files.len(), tags.len())?;
        let fds = raw(files);
        let mut arg = io_uring_rsrc_register {
            nr: length(fds.len()),
            data: fds.as_ptr().expose_provenance() as u64,
            tags: tags.as_ptr().expose_provenance() as u64,
            ..Default::default()
        };
        self.with_tags(tags, || {
            let size = length(size_of_val(&arg));
            // SAFETY: `arg` and the arrays that it names outlive the call, and hold as many entries as it says; this
            // opcode takes the structure's size as its count.
            unsafe { self.register(IORING_REGISTER_FILES2, (&raw mut arg).cast(), size) }
                .map_err(files_refused)
        })?;
        self.has_files.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn register_files_sparse(&self, nr: u32) -> Result<()> {
        let mut arg = io_uring_rsrc_register { nr, flags: IORING_RSRC_REGISTER_SPARSE, ..Default::default() };
        let size = length(size_of_val(&arg));
        // SAFETY: `arg` outlives the call; this opcode takes the structure's size as its count.
        match unsafe { self.register(IORING_REGISTER_FILES2, (&raw mut arg).cast(), size) } {
            Ok(_) => {
                self.has_files.store(true, Ordering::Relaxed);
                Ok(())
            }
            // Kernels before 5.19 do not know the flag, and take a table whose places are empty one by one.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                if nr > MAX_FILES {
                    return Err(files_refused(io::Error::from_raw_os_error(libc::EMFILE)));
                }
                self.register_descriptors(vec![EMPTY; nr as usize])
            }
            Err(error) => Err(files_refused(error)),
        }
    }

    pub(crate) fn update_files(&self, first: u32, files: &[FilePlace<'_>]) -> Result<usize> {
        let mut fds = raw(files);
        let mut arg = io_uring_files_update {
            offset: first,
            fds: fds.as_mut_ptr().expose_provenance() as u64,
            ..Default::default()
        };
        // SAFETY: `arg` and the array that it names outlive the call; the array holds that many entries.
        unsafe { self.register(IORING_REGISTER_FILES_UPDATE, (&raw mut arg).cast(), length(fds.len())) }
            .map(|done| done as usize)
            .map_err(files_refused)
    }

    fn update_files_tagged(&self, first: u32, files: &[FilePlace<'_>], tags: &[Tag]) -> Result<usize> {
        check_tags(files.len(), tags.len())?;
        let fds = raw(files);
        let mut arg = io_uring_rsrc_update2 {
            offset: first,
            data: fds.as_ptr().expose_provenance() as u64,
            tags: tags.as_ptr().expose_provenance() as u64,
            nr: length(fds.len()),
            ..Default::default()
        };
        self.with_tags(tags, || {
            let size = length(size_of_val(&arg));
            // SAFETY: as in `register_files_tagged`.
            unsafe { self.register(IORING_REGISTER_FILES_UPDATE2, (&raw mut arg).cast(), size) }
                .map(|done| done as usize)
                .map_err(files_refused)
        })
    }

    pub(crate) fn unregister_files(&self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.register(IORING_UNREGISTER_FILES, ptr::null_mut(), 0) }
            .map_err(|error| refused(error, "files"))?;
        self.has_files.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// The table of files, named from then on by their index as [`Fixed`](crate::Fixed).
impl Registrar<'_> {
    /// Registers a table of files (`IORING_REGISTER_FILES`, since 5.1).
    ///
    /// The ring holds files of its own: the descriptors may be closed.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a table is registered, `EMFILE` beyond `RLIMIT_NOFILE`, `EINVAL` for an empty one, `EBADF` for a
    /// descriptor that is not open and for [`FilePlace::Keep`].
    pub fn register_files(self, files: &[FilePlace<'_>]) -> Result<()> {
        self.core()?.register_files(files)
    }

    /// As [`register_files`](Self::register_files), with a tag for each file (`IORING_REGISTER_FILES2`, since 5.13):
    /// when the place has been given to another file or to none, and no request uses the file any more, a completion
    /// says so.
    ///
    /// The end of a ring posts none, and before 6.13 neither does the end of the whole table.
    ///
    /// # Errors
    ///
    /// As [`register_files`](Self::register_files); `EINVAL` for another number of tags than of files, a tag on an empty
    /// place, before 5.13, and in an [`URingContext`](crate::URingContext), which takes each completion for that of a
    /// request.
    pub fn register_files_tagged(self, files: &[FilePlace<'_>], tags: &[Tag]) -> Result<()> {
        self.core()?.register_files_tagged(files, tags)
    }

    /// Registers a table of `nr` empty places (`IORING_RSRC_REGISTER_SPARSE`, and what does the same before 5.19).
    ///
    /// They are filled by [`update_files`](Self::update_files), and by requests that make files
    /// ([`FileIndex`](crate::FileIndex)).
    ///
    /// # Errors
    ///
    /// As [`register_files`](Self::register_files).
    pub fn register_files_sparse(self, nr: u32) -> Result<()> {
        self.core()?.register_files_sparse(nr)
    }

    /// Changes the places from index `first` on, one after the other, and returns how many were gone through
    /// (`IORING_REGISTER_FILES_UPDATE`, since 5.5). Requests in flight keep the file that they started with, but for
    /// fsync, fdatasync and fallocate: their places must not change before they complete.
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table, `EINVAL` beyond its end, `EBADF` if the first is not open.
    pub fn update_files(self, first: u32, files: &[FilePlace<'_>]) -> Result<usize> {
        self.core()?.update_files(first, files)
    }

    /// As [`update_files`](Self::update_files), with a tag for each new file (`IORING_REGISTER_FILES_UPDATE2`, since
    /// 5.13).
    ///
    /// # Errors
    ///
    /// As [`update_files`](Self::update_files) and [`register_files_tagged`](Self::register_files_tagged).
    pub fn update_files_tagged(self, first: u32, files: &[FilePlace<'_>], tags: &[Tag]) -> Result<usize> {
        self.core()?.update_files_tagged(first, files, tags)
    }

    /// Says from which places the kernel chooses for [`FileIndex::ALLOC`](crate::FileIndex::ALLOC)
    /// (`IORING_REGISTER_FILE_ALLOC_RANGE`, since 6.0). An empty range leaves it none; a new table has all.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the range ends past the table or before it starts, without a table, and before 6.0. `EOVERFLOW` for
    /// what is no range at all.
    pub fn set_file_alloc_range(self, places: Range<u32>) -> Result<()> {
        let core = self.core()?;
        let invalid = || {
            Error::invalid("io_uring_register", format!("places {places:?}: the range ends before it starts"))
        };
        let len = places.end.checked_sub(places.start).ok_or_else(invalid)?;
        let mut arg = io_uring_file_index_range { off: places.start, len, ..Default::default() };
        // SAFETY: `arg` outlives the call; the kernel only reads it.
        unsafe { core.register(IORING_REGISTER_FILE_ALLOC_RANGE, (&raw mut arg).cast(), 0) }
            .map(drop)
            .map_err(files_refused)
    }

    /// Removes the table of files (`IORING_UNREGISTER_FILES`, since 5.1). Older kernels wait for requests in flight
    /// that use them.
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table.
    pub fn unregister_files(self) -> Result<()> {
        self.core()?.unregister_files()
    }
}
