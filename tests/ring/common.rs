//! Shorthands of all these tests.

use std::fs::File;
use std::io;
use std::time::Duration;

use uring::op::ring::Nop;
use uring::op::rw::Read;
use uring::ring::Wait;
use uring::{Completion, Cqe, Ring, Submission, Target, UserData};

/// Longer than any test waits for anything; where it runs out, the test fails by what is missing then.
pub(crate) const LONG: Duration = Duration::from_secs(50);

/// A ring of the usual entries.
#[track_caller]
pub(crate) fn ring(entries: usize) -> Ring {
    Ring::new(entries).expect("a ring")
}

/// Pushes requests that do nothing, named from `first` on.
#[track_caller]
pub(crate) fn nops<S, C>(ring: &mut Ring<S, C>, first: UserData, nr: u64)
where
    S: Submission + From<Nop>,
    C: Completion,
{
    for user_data in first..first + nr {
        ring.push(Nop::new().user_data(user_data)).expect("room");
    }
}

/// Pushes a read to memory that outlives the ring.
#[track_caller]
pub(crate) fn read<C: Completion>(
    ring: &mut Ring<uring::Sqe, C>,
    buffer: &mut [u8],
    target: impl Target,
    user_data: UserData,
) {
    let read = unsafe { Read::new(target, buffer.as_mut_ptr(), buffer.len(), 0) };
    ring.push(read.user_data(user_data)).expect("room");
}

/// Submits, waits for `nr` completions and takes them.
#[track_caller]
pub(crate) fn take<S: Submission>(ring: &mut Ring<S>, nr: usize) -> Vec<(UserData, Result<u32, i32>)> {
    let wait = Wait::new().timeout(LONG);
    ring.wait_with(nr, &wait).expect("a wait").map(|cqe| taken(&cqe)).collect()
}

/// A completion: the user data, and the result or the errno.
pub(crate) fn taken(cqe: &Cqe) -> (UserData, Result<u32, i32>) {
    (cqe.user_data(), cqe.result().map_err(|error| errno(&error)))
}

pub(crate) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().expect("an errno")
}

/// A pipe, reader and writer.
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = tests::fork::pipe();
    (reader.into(), writer.into())
}
