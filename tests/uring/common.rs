//! Shorthands of all these tests.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub(crate) use tests::kernel::is_at_least as kernel_is_at_least;
use uring::{Builder, Completions, Features, Target, URingContext, UserData};

/// A completion: the user data, and the result or the errno.
pub(crate) type Taken = (UserData, Result<u32, i32>);

/// Longer than any test waits for anything; where it runs out, the test fails by what is missing then.
pub(crate) const LONG: Duration = Duration::from_secs(50);

/// Makes a context with room for `nr` requests.
#[track_caller]
pub(crate) fn context(nr: usize) -> URingContext {
    build(URingContext::builder(nr))
}

/// Makes a context with options.
#[track_caller]
pub(crate) fn build(builder: Builder) -> URingContext {
    try_build(builder).expect("a context")
}

/// Makes a context, or not, while no test of a guest forbids it to all processes.
pub(crate) fn try_build(builder: Builder) -> uring::Result<URingContext> {
    let _permit = setup_lock(libc::LOCK_SH);
    builder.build()
}

/// Locks the making of rings in all processes of this test binary. Only in a guest, where one test turns the system's
/// switch.
pub(crate) fn setup_lock(how: libc::c_int) -> Option<File> {
    if !tests::skip::in_guest() {
        return None;
    }
    let binary = File::open("/proc/self/exe").expect("the test binary");
    // The lock ends with the descriptor.
    assert_eq!(unsafe { libc::flock(binary.as_raw_fd(), how) }, 0, "flock: {}", io::Error::last_os_error());
    Some(binary)
}

/// Says whether the kernel of this context has a feature.
pub(crate) fn has(context: &URingContext, feature: Features) -> bool {
    context.features().contains(feature)
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
pub(crate) fn one(context: &mut URingContext) -> Taken {
    let taken = taken(context.wait().expect("wait"));
    assert_eq!(taken.len(), 1, "one completion: {taken:?}");
    taken[0]
}

/// Submits and takes everything, sorted by user data; nothing is left afterwards.
#[track_caller]
pub(crate) fn all(context: &mut URingContext) -> Vec<Taken> {
    let mut all = Vec::new();
    context.drain(|user_data, result| all.push((user_data, result))).expect("drain");
    assert_eq!((context.queued(), context.in_flight()), (0, 0));
    sorted(taken(all.into_iter()))
}

/// Takes completions until there are `nr` of them, sorted by user data.
#[track_caller]
pub(crate) fn take_nr(context: &mut URingContext, nr: usize) -> Vec<Taken> {
    let mut all = Vec::new();
    while all.len() < nr {
        let more = taken(context.wait().expect("wait"));
        assert!(!more.is_empty(), "{} of {nr} completions, and nothing in flight", all.len());
        all.extend(more);
    }
    assert_eq!(all.len(), nr, "no more completions than requests");
    sorted(all)
}

/// Sorts completions by user data.
pub(crate) fn sorted(mut taken: Vec<Taken>) -> Vec<Taken> {
    taken.sort_by_key(|&(user_data, _)| user_data);
    taken
}

/// The user data of completions, which all have to be successes, in their order.
#[track_caller]
pub(crate) fn names(completions: Completions<'_>) -> Vec<UserData> {
    completions.map(|(user_data, result)| result.map(|_| user_data).expect("a success")).collect()
}

/// Queues a read into the whole buffer.
#[track_caller]
pub(crate) fn read(
    context: &mut URingContext,
    buffer: &mut [u8],
    fd: impl Target,
    offset: u64,
    user_data: UserData,
) {
    // SAFETY: as said in `main.rs`.
    unsafe { context.add_read(buffer.as_mut_ptr(), buffer.len(), fd, offset, user_data) }.expect("add_read");
}

/// Queues a write of the whole buffer.
#[track_caller]
pub(crate) fn write(
    context: &mut URingContext,
    buffer: &[u8],
    fd: impl Target,
    offset: u64,
    user_data: UserData,
) {
    // SAFETY: as said in `main.rs`.
    unsafe { context.add_write(buffer.as_ptr(), buffer.len(), fd, offset, user_data) }.expect("add_write");
}

/// Queues a one-shot poll.
#[track_caller]
pub(crate) fn poll(context: &mut URingContext, fd: impl Target, events: libc::c_short, user_data: UserData) {
    // SAFETY: as said in `main.rs`.
    unsafe { context.add_poll_fd(fd, events, user_data) }.expect("add_poll_fd");
}

/// Queues `nr` requests that do nothing, numbered from `first`.
#[track_caller]
pub(crate) fn nops(context: &mut URingContext, first: UserData, nr: u64) {
    for user_data in first..first + nr {
        context.add_nop(user_data).expect("add_nop");
    }
}

/// The iovec of a buffer.
pub(crate) fn iovec(buffer: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
}

/// The iovec of a buffer that is only read.
pub(crate) fn iovec_of(buffer: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: buffer.as_ptr().cast_mut().cast(), iov_len: buffer.len() }
}

/// One more iovecs than the kernel takes; they name no memory.
pub(crate) fn too_many_iovecs() -> Vec<libc::iovec> {
    vec![libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; 1025]
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
        let mut byte = [0];
        (&self.reader).read_exact(&mut byte).expect("reading from a pipe");
        assert_eq!(&byte, b"x");
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
