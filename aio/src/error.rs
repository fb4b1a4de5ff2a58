//! Why a call on a context fails, and what to do next.

use std::error;
use std::fmt;
use std::fs;
use std::io;

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call on a context failed.
///
/// A request that fails is none of these: it completes, with an [`io::Error`] of its own.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Every entry of the context is queued, in flight or waiting to be taken. Nothing has changed: submit,
    /// take completions, add again.
    NoSpace,
    /// The context was made before a `fork`, by the parent of this process, and serves the parent alone.
    Forked,
    /// The kernel refused a system call.
    Kernel(Box<Failure>),
}

/// A system call that the kernel refused: its name, its errno, and what to do next.
#[derive(Debug)]
pub struct Failure {
    call: &'static str,
    error: io::Error,
    hint: String,
}

impl Error {
    /// Returns the positive errno, if the kernel gave one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Kernel(failure) => failure.error.raw_os_error(),
            Self::NoSpace | Self::Forked => None,
        }
    }

    #[cold]
    pub(crate) fn kernel(call: &'static str, error: io::Error, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        Self::Kernel(Box::new(Failure { call, error, hint }))
    }

    /// For an argument that the kernel would answer with a bare `EINVAL`.
    #[cold]
    pub(crate) fn invalid(call: &'static str, hint: impl Into<String>) -> Self {
        Self::kernel(call, io::Error::from_raw_os_error(libc::EINVAL), hint)
    }
}

/// How much of the system's allowance is used, in words.
pub(crate) fn limits() -> String {
    let read = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/fs/{name}")).unwrap_or_default();
        match text.trim() {
            "" => format!("{name} (unreadable)"),
            number => format!("{name} {number}"),
        }
    };
    format!("{} of {}", read("aio-nr"), read("aio-max-nr"))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.call, self.error, self.hint)
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
            Self::NoSpace => {
                f.write_str("every entry of the context is in use: submit, take completions, then add again")
            }
            Self::Forked => {
                f.write_str("the context was made before a fork and serves the parent process: make one here")
            }
            Self::Kernel(failure) => failure.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Kernel(failure) => failure.source(),
            Self::NoSpace | Self::Forked => None,
        }
    }
}

/// Keeps the kind and the errno; [`Error::NoSpace`] is [`io::ErrorKind::WouldBlock`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Kernel(failure) => failure.error,
            Error::NoSpace => io::Error::new(io::ErrorKind::WouldBlock, error),
            Error::Forked => io::Error::other(error),
        }
    }
}

/// A vectored request that was not added, with the vector that was given for it.
#[derive(Debug)]
pub struct Rejected {
    /// Why it was not added.
    pub error: Error,
    /// The vector, as it was given.
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

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}

/// Keeps the kind and the errno, as an [`Error`] does.
impl From<Rejected> for io::Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_call_the_errno_and_the_numbers() {
        let error = io::Error::from_raw_os_error(libc::EAGAIN);
        let error = Error::kernel("io_setup", error, limits());
        let text = error.to_string();
        assert!(text.starts_with("io_setup: "), "{text}");
        assert!(text.contains("aio-nr "), "{text}");
        assert!(text.contains(" of aio-max-nr "), "{text}");
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock, "an io::Error of the errno");
    }
}
