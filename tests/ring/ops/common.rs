//! Shorthands of all these tests.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

pub(crate) use tests::kernel::is_at_least as kernel_is_at_least;
use uring::{Completion, CqeFlags, Op, Ring, Sqe, Submission, UserData};
use uring_sys::{IORING_OP_PROVIDE_BUFFERS, io_uring_sqe};

/// A result, or the errno.
pub(crate) type Taken = Result<u32, i32>;

/// Makes a ring of the usual entries.
#[track_caller]
pub(crate) fn ring() -> Ring {
    Ring::new(16).expect("a ring")
}

/// Says whether this kernel has an operation.
#[track_caller]
pub(crate) fn has(ring: &Ring, op: Op) -> bool {
    ring.probe().expect("a probe").supports(op)
}

/// Waits for one more completion: its name, its result, its flags.
#[track_caller]
pub(crate) fn next<S: Submission>(ring: &mut Ring<S>) -> (UserData, Taken, CqeFlags) {
    let cqe = ring.wait(1).expect("wait").next().expect("one was waited for");
    (cqe.user_data(), errno(&cqe), cqe.flags())
}

fn errno(cqe: &uring::Cqe) -> Taken {
    cqe.result().map_err(|error| error.raw_os_error().expect("an errno"))
}

/// Pushes a request.
#[track_caller]
pub(crate) fn push<S: Submission, C: Completion>(ring: &mut Ring<S, C>, request: impl Into<S>) {
    ring.push(request).expect("room in the queue");
}

/// Runs one request to its end: nothing else is in flight.
#[track_caller]
pub(crate) fn run(ring: &mut Ring, request: impl Into<Sqe>) -> Taken {
    push(ring, request);
    let cqe = ring.wait(1).expect("wait").next().expect("one was waited for");
    assert!(!cqe.has_more(), "the request is over: {cqe:?}");
    assert_eq!(ring.ready(), 0, "nothing else is in flight");
    errno(&cqe)
}

/// Takes completions until `nr` are there: name and result, sorted by name.
#[track_caller]
pub(crate) fn take(ring: &mut Ring, nr: usize) -> Vec<(UserData, Taken)> {
    let mut taken: Vec<_> = ring.wait(nr).expect("wait").map(|cqe| (cqe.user_data(), errno(&cqe))).collect();
    assert_eq!(taken.len(), nr, "no more completions than requests: {taken:?}");
    taken.sort_by_key(|&(user_data, _)| user_data);
    taken
}

/// The path as C has it.
pub(crate) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path without NUL")
}

/// A descriptor that is not open, and high enough that no other test opens it meanwhile.
pub(crate) fn closed_descriptor() -> BorrowedFd<'static> {
    // SAFETY: deliberately false, it is closed; the kernel is asked to say so.
    unsafe { BorrowedFd::borrow_raw(1_000_003) }
}

/// A pipe, the end to read from first.
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = tests::fork::pipe();
    (reader.into(), writer.into())
}

/// The iovec of a buffer.
pub(crate) fn iovec(buffer: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
}

/// Provides the pieces of `len` bytes of a buffer to a group, numbered from 0.
#[track_caller]
pub(crate) fn provide(ring: &mut Ring, group: u16, buffer: &mut [u8], len: usize) {
    let mut sqe = io_uring_sqe { opcode: IORING_OP_PROVIDE_BUFFERS as u8, ..Default::default() };
    sqe.fd = (buffer.len() / len) as i32;
    sqe.__bindgen_anon_2.addr = buffer.as_mut_ptr().expose_provenance() as u64;
    sqe.len = len as u32;
    sqe.__bindgen_anon_4.buf_group = group;
    let provided = run(ring, unsafe { Sqe::from_raw(sqe) });
    assert!(provided.is_ok(), "PROVIDE_BUFFERS: {provided:?}");
}

/// No memory, for requests that fail before they look.
pub(crate) const NOWHERE: *mut u8 = ptr::null_mut();
