//! Which back end there is, and why not a better one.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::{Aio, Assisted, Backend, BackendKind, Threads, Uring};
use crate::buffer::BufferPool;
use crate::error::Error;
use crate::file::RegisteredFile;
use crate::operation::Operation;
use crate::options::Options;
use crate::request::Request;

/// The back end that an engine took, and why it did not take a better one.
///
/// ```
/// let engine = engine::Options::new(8).build::<engine::operation::Never>()?;
/// println!("{}", engine.backend());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Choice {
    pub(crate) kind: BackendKind,
    pub(crate) passed: Vec<(BackendKind, io::Error)>,
}

impl Choice {
    /// What it took.
    #[must_use]
    pub fn kind(&self) -> BackendKind {
        self.kind
    }

    /// What it tried before, and the reason against each.
    #[must_use]
    pub fn passed(&self) -> &[(BackendKind, io::Error)] {
        &self.passed
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        self.passed.iter().try_for_each(|(kind, error)| write!(f, "; not {kind}: {error}"))
    }
}

/// Any of the back ends.
#[derive(Debug)]
pub struct AnyBackend(Any);

/// The tag is a word of its own: found among the pointers of a variant, it would take six instructions to read.
#[derive(Debug)]
#[repr(u8)]
enum Any {
    Uring(Assisted<Uring>),
    Aio(Assisted<Aio>),
    Threads(Threads),
}

impl AnyBackend {
    /// Makes the best one of those that the options allow.
    pub(crate) fn new(options: &Options) -> io::Result<(Self, Choice)> {
        let mut passed = Vec::new();
        for &kind in options.backends() {
            let made = match kind {
                BackendKind::Uring => Uring::new(options.depth).map(|made| Any::Uring(Assisted::new(made))),
                BackendKind::Aio => Aio::new(options.depth).map(|made| {
                    let made = Assisted::new(made);
                    let offload = options.offload_buffered;
                    Any::Aio(if offload { made.offload_buffered(options.threads) } else { made })
                }),
                BackendKind::Threads => Threads::new(options.threads).map(Any::Threads),
            };
            match made {
                Ok(made) => return Ok((Self(made), Choice { kind, passed })),
                Err(error) => passed.push((kind, error)),
            }
        }
        Err(none_left(passed))
    }
}

/// One error for all: the errno if there is but one, or all of their texts.
fn none_left(mut passed: Vec<(BackendKind, io::Error)>) -> io::Error {
    if passed.len() == 1
        && let Some((_, error)) = passed.pop()
    {
        return error;
    }
    let texts: Vec<_> = passed.iter().map(|(kind, error)| format!("{kind}: {error}")).collect();
    io::Error::other(format!("no back end is to be had: {}", texts.join("; ")))
}

/// Calls the same method of whichever back end there is.
macro_rules! each {
    ($any:expr, $backend:ident => $call:expr) => {
        match $any {
            Any::Uring($backend) => $call,
            Any::Aio($backend) => $call,
            Any::Threads($backend) => $call,
        }
    };
}

/// The way of an operation through a ring becomes part of the caller's code; those through the others are calls, so that
/// they take no registers from it.
impl AnyBackend {
    #[inline(never)]
    fn wait_elsewhere(&mut self, nr: usize) -> Result<(), Error> {
        each!(&mut self.0, backend => backend.wait(nr))
    }
}

// SAFETY: each of them keeps the rules.
unsafe impl Backend for AnyBackend {
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        each!(&mut self.0, backend => {
            // SAFETY: this fn's contract.
            unsafe { backend.add(request, user_data) }
        })
    }

    #[inline(always)]
    unsafe fn add_usual(&mut self, operation: &mut impl Operation, user_data: u64) -> bool {
        match &mut self.0 {
            // SAFETY: this fn's contract.
            Any::Uring(backend) => unsafe { backend.add_usual(operation, user_data) },
            _ => false,
        }
    }

    #[inline]
    fn submit(&mut self) -> Result<(), Error> {
        each!(&mut self.0, backend => backend.submit())
    }

    #[inline(always)]
    fn wait(&mut self, nr: usize) -> Result<(), Error> {
        match &mut self.0 {
            Any::Uring(backend) => backend.wait(nr),
            _ => self.wait_elsewhere(nr),
        }
    }

    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        each!(&mut self.0, backend => backend.wait_timeout(timeout))
    }

    fn next(&mut self) -> Option<(u64, io::Result<u32>)> {
        each!(&mut self.0, backend => backend.next())
    }

    #[inline(always)]
    fn next_with<R>(&mut self, make: impl FnOnce(u64, io::Result<u32>) -> Option<R>) -> Option<R> {
        if let Any::Uring(backend) = &mut self.0 {
            return backend.next_with(make);
        }
        let (user_data, result) = self.next()?;
        make(user_data, result)
    }

    fn attend(&mut self, user_data: u64, result: io::Result<u32>) {
        each!(&mut self.0, backend => backend.attend(user_data, result));
    }

    fn cancel(&mut self, user_data: u64) -> Result<(), Error> {
        each!(&mut self.0, backend => backend.cancel(user_data))
    }

    fn kind(&self) -> BackendKind {
        each!(&self.0, backend => backend.kind())
    }

    fn fallbacks(&self) -> u64 {
        each!(&self.0, backend => backend.fallbacks())
    }

    fn register_file(&mut self, file: Arc<OwnedFd>) -> RegisteredFile {
        each!(&mut self.0, backend => backend.register_file(file))
    }

    fn register_buffers(&mut self, pool: &mut BufferPool) {
        each!(&mut self.0, backend => backend.register_buffers(pool));
    }

    fn close(self) -> io::Result<()> {
        each!(self.0, backend => backend.close())
    }
}

impl AsFd for AnyBackend {
    fn as_fd(&self) -> BorrowedFd<'_> {
        each!(&self.0, backend => backend.as_fd())
    }
}
