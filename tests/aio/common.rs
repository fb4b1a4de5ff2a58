//! Shorthands of all these tests.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use aio::{AioContext, Builder, UserData};

/// A completion: the user data, and the result or the errno.
pub(crate) type Taken = (UserData, Result<u32, i32>);

/// Longer than any test waits for anything; where it runs out, the test fails by what is missing then.
pub(crate) const LONG: Duration = Duration::from_secs(50);

/// Makes a context, with room for `nr` operations.
#[track_caller]
pub(crate) fn context(nr: usize) -> AioContext {
    build(AioContext::builder(nr))
}

/// Makes two contexts, one that reaps in user space where it can, one that always calls the kernel.
#[track_caller]
pub(crate) fn both_ways(nr: usize) -> [AioContext; 2] {
    [context(nr), build(AioContext::builder(nr).force_syscall(true))]
}

/// In a guest a test of `limits` uses up the system's AIO events for a moment: then again, a little later.
#[track_caller]
fn build(builder: Builder) -> AioContext {
    let mut tries = if tests::skip::in_guest() { 1000 } else { 0 };
    loop {
        match builder.clone().build() {
            Err(error) if tries > 0 && error.raw_os_error() == Some(libc::EAGAIN) => tries -= 1,
            context => return context.expect("a context"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Takes completions apart, and checks that errors carry a positive errno.
#[track_caller]
pub(crate) fn taken(completions: impl Iterator<Item = (UserData, io::Result<u32>)>) -> Vec<Taken> {
    let plain = |(user_data, result): (UserData, io::Result<u32>)| {
        let result = result.map_err(|error| error.raw_os_error().expect("an errno"));
        assert!(!matches!(result, Err(..=0)), "a positive errno: {result:?}");
        (user_data, result)
    };
    completions.map(plain).collect()
}

/// Waits for one completion and checks that it is the only one.
#[track_caller]
pub(crate) fn one(context: &mut AioContext) -> Taken {
    let taken = taken(context.wait().expect("wait"));
    assert_eq!(taken.len(), 1, "one completion: {taken:?}");
    taken[0]
}

/// Submits and takes everything, sorted by user data; nothing is left afterwards.
#[track_caller]
pub(crate) fn all(context: &mut AioContext) -> Vec<Taken> {
    let mut all = Vec::new();
    context.drain(|user_data, result| all.push((user_data, result))).expect("drain");
    assert_eq!((context.queued(), context.in_flight()), (0, 0));
    let mut all = taken(all.into_iter());
    all.sort_by_key(|&(user_data, _)| user_data);
    all
}

/// Takes completions until there are `nr` of them, sorted by user data.
#[track_caller]
pub(crate) fn take_nr(context: &mut AioContext, nr: usize) -> Vec<Taken> {
    let mut all = Vec::new();
    while all.len() < nr {
        let more = taken(context.wait().expect("wait"));
        assert!(!more.is_empty(), "{} of {nr} completions, and nothing in flight", all.len());
        all.extend(more);
    }
    assert_eq!(all.len(), nr, "no more completions than operations");
    all.sort_by_key(|&(user_data, _)| user_data);
    all
}

/// Queues a read into the whole buffer.
#[track_caller]
pub(crate) fn read(
    context: &mut AioContext,
    buffer: &mut [u8],
    fd: impl AsFd,
    offset: u64,
    user_data: UserData,
) {
    // SAFETY: as said in `main.rs`.
    unsafe { context.add_read(buffer.as_mut_ptr(), buffer.len(), fd.as_fd(), offset, user_data) }
        .expect("add_read");
}

/// Queues a write of the whole buffer.
#[track_caller]
pub(crate) fn write(
    context: &mut AioContext,
    buffer: &[u8],
    fd: impl AsFd,
    offset: u64,
    user_data: UserData,
) {
    // SAFETY: as said in `main.rs`.
    unsafe { context.add_write(buffer.as_ptr(), buffer.len(), fd.as_fd(), offset, user_data) }
        .expect("add_write");
}

/// Queues a one-shot poll.
#[track_caller]
pub(crate) fn poll(context: &mut AioContext, fd: impl AsFd, events: libc::c_short, user_data: UserData) {
    // SAFETY: as said in `main.rs`.
    unsafe { context.add_poll_fd(fd.as_fd(), events, user_data) }.expect("add_poll_fd");
}

/// The iovec of a buffer.
pub(crate) fn iovec(buffer: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
}

/// A pipe: a read on it stays without data, a poll on it pending, until something is written.
pub(crate) struct Pipe {
    pub(crate) reader: File,
    pub(crate) writer: File,
}

impl Pipe {
    pub(crate) fn new() -> Pipe {
        let (reader, writer) = tests::fork::pipe();
        Pipe { reader: reader.into(), writer: writer.into() }
    }

    /// Makes it readable.
    pub(crate) fn fill(&self) {
        (&self.writer).write_all(b"x").expect("writing to a pipe");
    }

    /// Takes out what `fill` has put in.
    pub(crate) fn empty(&self) {
        (&self.reader).read_exact(&mut [0]).expect("reading from a pipe");
    }
}

pub(crate) fn dev_null() -> File {
    File::options().read(true).write(true).open("/dev/null").expect("/dev/null")
}

pub(crate) fn dev_zero() -> File {
    File::options().read(true).write(true).open("/dev/zero").expect("/dev/zero")
}

/// A descriptor that is not open, and high enough that no other test opens it meanwhile.
pub(crate) fn closed_descriptor() -> BorrowedFd<'static> {
    // SAFETY: deliberately false, it is closed; the kernel is asked to say so.
    unsafe { BorrowedFd::borrow_raw(1_000_003) }
}

/// An open descriptor for the null device in the high range, so that closing it cannot hand its number to another test.
pub(crate) fn high_descriptor() -> OwnedFd {
    use std::os::fd::FromRawFd;
    let null = dev_null();
    let high = unsafe { libc::fcntl(null.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 900) };
    assert!(high >= 900, "F_DUPFD_CLOEXEC: {}", io::Error::last_os_error());
    unsafe { OwnedFd::from_raw_fd(high) }
}

/// Says whether a descriptor is readable within the time.
pub(crate) fn readable(fd: impl AsFd, within: Duration) -> bool {
    let mut entry = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let timeout = i32::try_from(within.as_millis()).expect("a reasonable time");
    loop {
        match unsafe { libc::poll(&raw mut entry, 1, timeout) } {
            0 => return false,
            1 => return entry.revents & libc::POLLIN != 0,
            _ => {
                let error = io::Error::last_os_error();
                assert_eq!(error.kind(), io::ErrorKind::Interrupted, "poll: {error}");
            }
        }
    }
}
