//! What can go wrong, and what to do about it.

use std::error;
use std::fmt;
use std::io;

use crate::entry::Sqe;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation of a context failed.
///
/// A failed *request* is not among these: it completes, with its own [`io::Error`], through the iterator
/// of completions.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The submission queue is full and everything is as it was: submit, then add again.
    NoSpace,
    /// The context belongs to the parent of this process: a ring cannot be used on both sides of a
    /// `fork`.
    Forked,
    /// The kernel refused a system call.
    Kernel(Box<Failure>),
}

impl Error {
    /// The positive errno behind the error, if the kernel gave one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Error::Kernel(failure) => failure.error.raw_os_error(),
            Error::NoSpace | Error::Forked => None,
        }
    }

    #[cold]
    pub(crate) fn kernel(call: &'static str, error: io::Error, hint: impl Into<String>) -> Self {
        Error::Kernel(Box::new(Failure { call, error, hint: hint.into() }))
    }

    /// An argument that the kernel would refuse with `EINVAL` and no word why.
    #[cold]
    pub(crate) fn invalid(call: &'static str, hint: impl Into<String>) -> Self {
        Self::kernel(call, io::Error::from_raw_os_error(libc::EINVAL), hint)
    }

    /// What this kernel does not have.
    #[cold]
    pub(crate) fn unsupported(call: &'static str, hint: impl Into<String>) -> Self {
        Self::kernel(call, io::Error::from_raw_os_error(libc::EOPNOTSUPP), hint)
    }

    #[cold]
    pub(crate) fn enter(error: io::Error) -> Self {
        let hint = match error.raw_os_error() {
            Some(libc::EBADR) => {
                "the kernel ran out of memory and lost completions; the ring cannot be trusted any more"
            }
            Some(libc::EBADFD) => {
                "the ring is disabled: `enable` it first; one with `single_issuer` cannot be used where io_uring_register \
                 is forbidden"
            }
            Some(libc::EBADF) => "a ring without a descriptor is used in the thread that made it only",
            Some(libc::EOWNERDEAD) => "the polling thread is gone, and with it the ring: make a new one",
            Some(libc::EMFILE) => "RLIMIT_NOFILE (ulimit -n) is used up",
            Some(libc::EEXIST) => "the ring is bound to the thread that first used it (`defer_taskrun`)",
            Some(libc::EAGAIN | libc::ENOMEM) => {
                "the kernel has no memory for requests and none is in flight; try again later"
            }
            Some(libc::EPERM | libc::ENOSYS | libc::EACCES) => {
                "forbidden since the ring was made: by a seccomp filter, most likely"
            }
            _ => "",
        };
        Self::kernel("io_uring_enter", error, hint)
    }
}

/// A system call that failed, and what to do next.
#[derive(Debug)]
pub struct Failure {
    call: &'static str,
    error: io::Error,
    hint: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.error)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, ": {}", self.hint) }
    }
}

impl error::Error for Failure {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSpace => f.write_str("the submission queue is full: submit, then add again"),
            Error::Forked => f.write_str(
                "the context was made before a fork, by the parent of this process: make a new one here",
            ),
            Error::Kernel(failure) => failure.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Kernel(failure) => failure.source(),
            Error::NoSpace | Error::Forked => None,
        }
    }
}

/// Keeps the errno where there is one; [`Error::NoSpace`] becomes [`io::ErrorKind::WouldBlock`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSpace => io::Error::new(io::ErrorKind::WouldBlock, error),
            Error::Forked => io::Error::other(error),
            Error::Kernel(failure) => failure.error,
        }
    }
}

/// A vectored request that was not added, with the vector that it was to take.
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub error: Error,
    /// What the caller gave.
    pub iovecs: Vec<libc::iovec>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl error::Error for Rejected {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error.source()
    }
}

/// As that of the [`Error`] in it; the vector is dropped.
impl From<Rejected> for io::Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error.into()
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}

/// A request that was not pushed.
pub struct PushError<S = Sqe> {
    /// Why.
    pub error: Error,
    /// What the caller gave.
    pub entry: S,
}

/// Without the entry, which says little and takes many lines.
impl<S> fmt::Debug for PushError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<S> fmt::Display for PushError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S> error::Error for PushError<S> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error.source()
    }
}

/// As that of the [`Error`] in it; the entry is dropped.
impl<S> From<PushError<S>> for io::Error {
    fn from(refused: PushError<S>) -> Self {
        refused.error.into()
    }
}

impl<S> From<PushError<S>> for Error {
    fn from(refused: PushError<S>) -> Self {
        refused.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_keeps_the_errno_and_the_text_names_call_and_cure() {
        let error = Error::enter(io::Error::from_raw_os_error(libc::EBADR));
        assert_eq!(error.raw_os_error(), Some(libc::EBADR));
        let text = error.to_string();
        assert!(text.starts_with("io_uring_enter: "), "{text}");
        assert!(text.contains("lost completions"), "{text}");
        assert_eq!(io::Error::from(error).raw_os_error(), Some(libc::EBADR));
    }
}
