//! What can go wrong, and what to do about it.

use std::error;
use std::fmt;
use std::io;

/// Why an engine did not take an operation.
///
/// An operation that *fails* completes, with an [`io::Error`] of its own.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// As many operations are in flight as the engine has room for: take completions, then add again.
    Full,
    /// The engine was made before a `fork`, by the parent of this process: make a new one here.
    Forked,
    /// The engine takes no more operations.
    Closed,
    /// The kernel refused a system call.
    Kernel(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the engine is full: take completions, then add again"),
            Self::Forked => f.write_str(
                "the engine was made before a fork, by the parent of this process: make a new one here",
            ),
            Self::Closed => f.write_str("the engine is closed"),
            Self::Kernel(error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Kernel(error) => Some(error),
            Self::Full | Self::Forked | Self::Closed => None,
        }
    }
}

/// Keeps the errno where there is one; [`Error::Full`] becomes [`io::ErrorKind::WouldBlock`], [`Error::Closed`]
/// [`io::ErrorKind::BrokenPipe`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Full => Self::new(io::ErrorKind::WouldBlock, error),
            Error::Closed => Self::new(io::ErrorKind::BrokenPipe, error),
            Error::Forked => Self::other(error),
            Error::Kernel(error) => error,
        }
    }
}

impl From<uring::Error> for Error {
    fn from(error: uring::Error) -> Self {
        match error {
            uring::Error::NoSpace => Self::Full,
            uring::Error::Forked => Self::Forked,
            error => Self::Kernel(error.into()),
        }
    }
}

impl From<aio::Error> for Error {
    fn from(error: aio::Error) -> Self {
        match error {
            aio::Error::NoSpace => Self::Full,
            aio::Error::Forked => Self::Forked,
            error => Self::Kernel(error.into()),
        }
    }
}

/// For what a back end has no request for.
#[cold]
pub(crate) fn unsupported() -> Error {
    Error::Kernel(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

/// An operation that was not taken, and why.
pub struct Rejected<T> {
    /// Why.
    pub error: Error,
    /// What was given.
    pub operation: T,
}

impl<T> fmt::Debug for Rejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Rejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> error::Error for Rejected<T> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error.source()
    }
}

/// As that of the [`Error`] in it; the operation is dropped.
impl<T> From<Rejected<T>> for io::Error {
    fn from(rejected: Rejected<T>) -> Self {
        rejected.error.into()
    }
}
