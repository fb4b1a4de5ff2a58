//! A back end that does to requests what a test says.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use engine::{Action, Backend, BackendKind, Error, Request};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// A transfer of one buffer gets no more than this.
    Shorten(usize),
    /// It is not made at all, and completes with this errno.
    Fail(i32),
    /// It is not taken, as where there is no room for it.
    Refuse,
}

/// Passes requests on to another back end, changed as a closure decides for each.
pub(crate) struct Faulty<B, F> {
    inner: B,
    decide: F,
    failed: VecDeque<(u64, io::Result<u32>)>,
}

impl<B: Backend, F: FnMut(&Request<'_>) -> Fate> Faulty<B, F> {
    pub(crate) fn new(inner: B, decide: F) -> Self {
        Self { inner, decide, failed: VecDeque::new() }
    }
}

fn shorten(mut request: Request<'_>, most: usize) -> Request<'_> {
    match &mut request.action {
        Action::Read { len, .. } | Action::Write { len, .. } => *len = most.min(*len),
        _ => {}
    }
    request
}

// A part of a request is less than the request allows; what fails here is never begun; all else is the inner back end's.
unsafe impl<B: Backend, F: FnMut(&Request<'_>) -> Fate> Backend for Faulty<B, F> {
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        match (self.decide)(&request) {
            Fate::Pass => unsafe { self.inner.add(request, user_data) },
            Fate::Shorten(most) => unsafe { self.inner.add(shorten(request, most), user_data) },
            Fate::Fail(errno) => {
                self.failed.push_back((user_data, Err(io::Error::from_raw_os_error(errno))));
                Ok(())
            }
            Fate::Refuse => Err(Error::Full),
        }
    }

    fn submit(&mut self) -> Result<(), Error> {
        self.inner.submit()
    }

    fn wait(&mut self, nr: usize) -> Result<(), Error> {
        if self.failed.is_empty() { self.inner.wait(nr) } else { self.inner.submit() }
    }

    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        if self.failed.is_empty() { self.inner.wait_timeout(timeout) } else { self.inner.submit() }
    }

    fn next(&mut self) -> Option<(u64, io::Result<u32>)> {
        self.failed.pop_front().or_else(|| self.inner.next())
    }

    fn attend(&mut self, user_data: u64, result: io::Result<u32>) {
        self.inner.attend(user_data, result);
    }

    fn cancel(&mut self, user_data: u64) -> Result<(), Error> {
        self.inner.cancel(user_data)
    }

    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn close(self) -> io::Result<()> {
        self.inner.close()
    }
}

impl<B: AsFd, F> AsFd for Faulty<B, F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// Calls a function that is generic over the back end with the one of the case: `with_inner!(case, 8, |inner| …)`.
macro_rules! with_inner {
    ($case:expr, $depth:expr, |$inner:ident| $body:expr) => {
        match $case.kind {
            engine::BackendKind::Uring => {
                let $inner = engine::Assisted::new(engine::Uring::new($depth).unwrap());
                $body
            }
            engine::BackendKind::Aio => {
                let $inner = engine::Assisted::new(engine::Aio::new($depth).unwrap());
                $body
            }
            _ => {
                let $inner = engine::Threads::new(engine::Threads::USUAL).unwrap();
                $body
            }
        }
    };
}
pub(crate) use with_inner;
