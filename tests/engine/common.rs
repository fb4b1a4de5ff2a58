//! One test on every back end, and shorthands of all of them.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use engine::{Backend, BackendKind, Completion, Engine, Operation, Options};
use tests::files::TempFile;

/// Longer than any test waits for anything; where it runs out, the test fails by what is missing then.
pub(crate) const LONG: Duration = Duration::from_secs(50);

/// A block of the late disk.
pub(crate) const BLOCK: usize = 4096;

/// A test on one back end.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) kind: BackendKind,
    path: &'static str,
}

impl Case {
    pub(crate) fn new(kind: BackendKind, path: &'static str) -> Self {
        Self { kind, path }
    }

    /// Options for an engine on this back end and no other.
    pub(crate) fn options(&self, depth: usize) -> Options {
        Options::new(depth).only(self.kind)
    }

    /// Makes an engine on this back end.
    #[track_caller]
    pub(crate) fn engine<T: Operation>(&self, depth: usize) -> Engine<T> {
        self.options(depth).build().expect("an engine")
    }

    /// As `tests::in_child!`, for the one test of this back end.
    pub(crate) fn in_child(&self, closure: impl FnOnce()) {
        tests::child::run(tests::skip::harness_name(self.path), closure);
    }

    pub(crate) fn is_uring(&self) -> bool {
        self.kind == BackendKind::Uring
    }

    pub(crate) fn is_aio(&self) -> bool {
        self.kind == BackendKind::Aio
    }
}

/// Makes a test of each function and back end: `name::uring`, `name::aio`, `name::threads`.
macro_rules! on_each {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::common::Case;

            #[test]
            fn uring() {
                super::$name(&Case::new(engine::BackendKind::Uring, concat!(module_path!(), "::uring")));
            }

            #[test]
            fn aio() {
                super::$name(&Case::new(engine::BackendKind::Aio, concat!(module_path!(), "::aio")));
            }

            #[test]
            fn threads() {
                super::$name(&Case::new(engine::BackendKind::Threads, concat!(module_path!(), "::threads")));
            }
        }
    )+};
}
pub(crate) use on_each;

/// A result, or its errno; what is no errno is a panic.
#[track_caller]
pub(crate) fn plain<R>(result: io::Result<R>) -> Result<R, i32> {
    result.map_err(|error| match error.raw_os_error() {
        Some(errno @ 1..) => errno,
        _ => panic!("a positive errno: {error:?}"),
    })
}

/// Waits for one completion and checks that it is the only one.
#[track_caller]
pub(crate) fn one<T: Operation, B: Backend>(engine: &mut Engine<T, B>) -> Completion<T> {
    let mut all: Vec<_> = engine.wait().expect("wait").collect();
    assert_eq!(all.len(), 1, "one completion");
    all.remove(0)
}

/// Adds an operation and waits for it.
#[track_caller]
pub(crate) fn run<T: Operation, B: Backend>(
    engine: &mut Engine<T, B>,
    operation: impl Into<T>,
) -> Completion<T> {
    let id = engine.add(operation.into()).expect("room");
    let done = one(engine);
    assert_eq!(done.id, id);
    done
}

/// As [`run`], for the result alone.
#[track_caller]
pub(crate) fn result<T: Operation, B: Backend>(
    engine: &mut Engine<T, B>,
    operation: impl Into<T>,
) -> Result<usize, i32> {
    plain(run(engine, operation).result)
}

/// A second handle of a temporary file.
pub(crate) fn shared(file: &TempFile) -> Arc<File> {
    Arc::new(file.file().try_clone().expect("a second descriptor"))
}

/// Waits until the descriptor is readable, and says whether it was in time.
pub(crate) fn readable(fd: impl AsFd, timeout: Duration) -> bool {
    let mut poll = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let timeout = i32::try_from(timeout.as_millis()).expect("a short time");
    unsafe { libc::poll(&raw mut poll, 1, timeout) == 1 }
}

/// An anonymous file on tmpfs.
pub(crate) fn memory_file() -> File {
    let fd = unsafe { libc::memfd_create(c"engine".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "memfd_create: {}", io::Error::last_os_error());
    unsafe { File::from_raw_fd(fd) }
}

/// What is written to the standard error meanwhile; in a child process only.
pub(crate) fn stderr_of(action: impl FnOnce()) -> String {
    assert!(tests::child::active(), "standard error is redirected only inside a child");
    let (reader, writer) = tests::fork::pipe();
    let kept = io::stderr().as_fd().try_clone_to_owned().unwrap();
    let redirect = |to: &OwnedFd| assert_eq!(unsafe { libc::dup2(to.as_raw_fd(), 2) }, 2);
    redirect(&writer);
    action();
    redirect(&kept);
    drop(writer);
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    text
}
