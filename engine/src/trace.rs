//! Spans of operations, with the feature `tracing`; without it nothing, and of no size.

use crate::backend::Choice;
use crate::request::Request;

#[cfg(feature = "tracing")]
mod on {
    use tracing::{Span, debug, field, trace_span};

    use super::{Choice, Request};
    use crate::request::Action;

    /// The span of one operation in flight.
    #[derive(Debug)]
    pub(crate) struct Trace(Span);

    impl Trace {
        /// Opens a span, if anybody listens.
        pub(crate) fn begin<'a>(request: impl FnOnce() -> Request<'a>) -> Self {
            if !tracing::enabled!(target: "engine", tracing::Level::TRACE) {
                return Self::none();
            }
            let request = request();
            let (kind, offset, len) = describe(&request);
            let fd = std::os::fd::AsRawFd::as_raw_fd(&request.file.fd);
            let (transferred, errno) = (field::Empty, field::Empty);
            Self(
                trace_span!(target: "engine", parent: None, "operation", kind, fd, offset, len, transferred, errno),
            )
        }

        pub(crate) fn none() -> Self {
            Self(Span::none())
        }

        /// Says what became of the operation, and closes the span.
        pub(crate) fn end(&mut self, transferred: usize, errno: Option<i32>) {
            self.0.record("transferred", transferred);
            if let Some(errno) = errno {
                self.0.record("errno", errno);
            }
            self.0 = Span::none();
        }

        /// Notes something on the way.
        pub(crate) fn note(&self, what: &str) {
            self.0.in_scope(|| debug!(target: "engine", what));
        }
    }

    /// Tells which back end an engine runs on.
    pub(crate) fn chosen(choice: &Choice) {
        debug!(target: "engine", backend = %choice, "engine");
    }

    fn describe(request: &Request<'_>) -> (&'static str, u64, u64) {
        let len = request.transfer_len().unwrap_or(0) as u64;
        match request.action {
            Action::Read { offset, .. } => ("read", offset, len),
            Action::Write { offset, .. } => ("write", offset, len),
            Action::ReadVectored { offset, .. } => ("readv", offset, len),
            Action::WriteVectored { offset, .. } => ("writev", offset, len),
            Action::Sync { data_only: false } => ("fsync", 0, 0),
            Action::Sync { data_only: true } => ("fdatasync", 0, 0),
            Action::Allocate { offset, len, .. } => ("fallocate", offset, len),
            Action::Discard { offset, len } => ("discard", offset, len),
            Action::WriteZeroes { offset, len, .. } => ("write_zeroes", offset, len),
            Action::Poll { .. } => ("poll", 0, 0),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use super::{Choice, Request};

    #[derive(Debug)]
    pub(crate) struct Trace;

    impl Trace {
        #[inline(always)]
        pub(crate) fn begin<'a>(_request: impl FnOnce() -> Request<'a>) -> Self {
            Self
        }

        pub(crate) fn none() -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn end(&mut self, _transferred: usize, _errno: Option<i32>) {}

        #[inline(always)]
        pub(crate) fn note(&self, _what: &str) {}
    }

    pub(crate) fn chosen(_choice: &Choice) {}
}

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{Trace, chosen};
#[cfg(feature = "tracing")]
pub(crate) use on::{Trace, chosen};
