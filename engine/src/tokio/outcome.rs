//! What futures resolve to.

use std::error;
use std::fmt;
use std::io;

use crate::error::Error;

/// An operation that is over, and what became of it; see [`AsyncEngine::run`](super::AsyncEngine::run).
#[derive(Debug)]
#[must_use = "the operation may have failed"]
pub struct Outcome<O> {
    /// What was given, with all that it owns.
    pub operation: O,
    /// Bytes transferred, the mask of a poll, or 0; or why it failed.
    pub result: io::Result<usize>,
    /// Bytes transferred, also before an error.
    pub transferred: usize,
}

impl<O> Outcome<O> {
    pub(super) fn refused(operation: O, error: Error) -> Self {
        Self { operation, result: Err(error.into()), transferred: 0 }
    }

    /// Parts the operation, and leads success and failure apart.
    pub(super) fn split<F, B>(
        self,
        parts: impl FnOnce(O) -> (F, B),
    ) -> Result<Transferred<F, B>, Failed<F, B>> {
        let Self { operation, result, transferred } = self;
        let (file, buffer) = parts(operation);
        match result {
            Ok(count) => Ok(Transferred { file, buffer, count }),
            Err(error) => Err(Failed { error, file, buffer, transferred }),
        }
    }
}

/// A transfer that went well: the file and the buffer are the caller's again.
#[derive(Debug)]
pub struct Transferred<F, B> {
    /// What was given.
    pub file: F,
    /// What was given; after a read, with what was read.
    pub buffer: B,
    /// Bytes. Less than asked for is the end of the file.
    pub count: usize,
}

/// An operation that failed: the file and the buffer are the caller's again.
///
/// It becomes an [`io::Error`] by `?`, which drops both.
pub struct Failed<F, B = ()> {
    /// Why.
    pub error: io::Error,
    /// What was given.
    pub file: F,
    /// What was given.
    pub buffer: B,
    /// Bytes that were transferred before the error.
    pub transferred: usize,
}

impl<F, B> fmt::Debug for Failed<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("error", &self.error)
            .field("transferred", &self.transferred)
            .finish_non_exhaustive()
    }
}

impl<F, B> fmt::Display for Failed<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<F, B> error::Error for Failed<F, B> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error.source()
    }
}

/// The file and the buffer are dropped.
impl<F, B> From<Failed<F, B>> for io::Error {
    fn from(failed: Failed<F, B>) -> Self {
        failed.error
    }
}
