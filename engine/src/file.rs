//! Files that operations own.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;

use crate::registration::Registration;

/// A file that an operation owns until the kernel is done with it: `Arc<File>`, [`OwnedFd`],
/// [`RegisteredFile`], ….
///
/// Implement it for a type of your own that has a descriptor; there is nothing to write.
///
/// ```
/// use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
///
/// struct Disk(OwnedFd);
///
/// impl AsFd for Disk {
///     fn as_fd(&self) -> BorrowedFd<'_> {
///         self.0.as_fd()
///     }
/// }
///
/// impl engine::IoFile for Disk {}
/// ```
pub trait IoFile: AsFd + 'static {
    /// As [`as_fd`](AsFd::as_fd), for files whose `as_fd` does not become part of its caller.
    #[inline]
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

    /// Where the file stands in the table of a ring, if it does.
    #[inline]
    fn registration(&self) -> Option<Registration> {
        None
    }
}

impl IoFile for File {
    #[inline]
    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor of an open file, which is borrowed as long.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

impl IoFile for OwnedFd {}
impl IoFile for BorrowedFd<'static> {}
impl IoFile for PipeReader {}
impl IoFile for PipeWriter {}
impl IoFile for UnixStream {}

impl<F: IoFile + ?Sized> IoFile for Arc<F> {
    #[inline]
    fn descriptor(&self) -> BorrowedFd<'_> {
        F::descriptor(self)
    }

    #[inline]
    fn registration(&self) -> Option<Registration> {
        F::registration(self)
    }
}

impl<F: IoFile + ?Sized> IoFile for Rc<F> {
    #[inline]
    fn descriptor(&self) -> BorrowedFd<'_> {
        F::descriptor(self)
    }

    #[inline]
    fn registration(&self) -> Option<Registration> {
        F::registration(self)
    }
}

impl<F: IoFile + ?Sized> IoFile for Box<F> {
    #[inline]
    fn descriptor(&self) -> BorrowedFd<'_> {
        F::descriptor(self)
    }

    #[inline]
    fn registration(&self) -> Option<Registration> {
        F::registration(self)
    }
}

impl<F: IoFile> IoFile for &'static F {
    #[inline]
    fn descriptor(&self) -> BorrowedFd<'_> {
        F::descriptor(self)
    }

    #[inline]
    fn registration(&self) -> Option<Registration> {
        F::registration(self)
    }
}

/// A file in the table of a ring, which spares the kernel the look-up of each operation; see
/// [`Engine::register_file`](crate::Engine::register_file).
///
/// It holds the file, too: another engine, or one that is not on a ring, uses that. Its place in the table is
/// kept for as long as the engine lives.
#[derive(Clone, Debug)]
pub struct RegisteredFile {
    file: Arc<OwnedFd>,
    registration: Option<Registration>,
}

impl RegisteredFile {
    pub(crate) fn new(file: Arc<OwnedFd>, registration: Option<Registration>) -> Self {
        Self { file, registration }
    }

    /// Whether it stands in the table of a ring.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registration.is_some()
    }
}

impl AsFd for RegisteredFile {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl IoFile for RegisteredFile {
    #[inline]
    fn registration(&self) -> Option<Registration> {
        self.registration
    }
}
