//! Shorthands of the scenarios.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicPtr, Ordering};

use uring::op::poll::PollRemove;
use uring::op::ring::Nop;
use uring::{Completion, Ring, Sqe, SqeFlags, Submission, UserData};

pub(crate) use crate::common::*;
pub(crate) use crate::ops::common::{closed_descriptor, iovec};

/// A completion: the user data, and the result or the errno.
pub(crate) type Taken = (UserData, Result<u32, i32>);

/// As [`take`], in the order of the names.
#[track_caller]
pub(crate) fn take_sorted<S: Submission>(ring: &mut Ring<S>, nr: usize) -> Vec<Taken> {
    let mut taken = take(ring, nr);
    taken.sort_by_key(|(name, _)| *name);
    taken
}

/// Pushes a request.
#[track_caller]
pub(crate) fn push<S: Submission, C: Completion>(ring: &mut Ring<S, C>, request: impl Into<S>) {
    ring.push(request).expect("room in the queue");
}

/// A request that does nothing and has a name and flags.
pub(crate) fn nop(name: UserData, flags: SqeFlags) -> Nop {
    Nop::new().user_data(name).flags(flags)
}

/// A request that every kernel takes and that then fails with `ENOENT`: it ends a poll that there is not.
pub(crate) fn failing(name: UserData, flags: SqeFlags) -> PollRemove {
    PollRemove::new(0xdead_0000_0000).user_data(name).flags(flags)
}

/// A request that every kernel refuses at once: its operation does not exist.
pub(crate) fn refused(name: UserData, flags: SqeFlags) -> Sqe {
    let mut sqe: Sqe = nop(name, flags).into();
    unsafe { sqe.as_raw_mut() }.opcode = u8::MAX;
    sqe
}

/// Says that no completion is there.
#[track_caller]
pub(crate) fn nothing_is_there<S: Submission>(ring: &mut Ring<S>) {
    let there: Vec<_> = ring.completions().expect("a look").map(|cqe| taken(&cqe)).collect();
    assert_eq!(there, [], "nothing else completes");
}

/// Makes a ring, or skips the test for want of a flag.
macro_rules! built {
    ($builder:expr) => {
        match $builder.build() {
            Ok(ring) => ring,
            Err(error) if error.to_string().contains("does not know") => tests::skip!("{error}"),
            Err(error) => panic!("{error}"),
        }
    };
}
pub(crate) use built;

/// Calls `io_uring_register` past this crate, for what it refuses or has no word for.
pub(crate) fn register<T>(ring: &impl AsRawFd, opcode: u32, arg: *mut T, nr: u32) -> Result<u32, i32> {
    let answer = unsafe { uring_sys::io_uring_register(ring.as_raw_fd(), opcode, arg.cast(), nr) };
    u32::try_from(answer).map_err(|_| -answer)
}

/// Memory of its own pages, all zero.
#[derive(Debug)]
pub(crate) struct Pages {
    start: AtomicPtr<u8>,
    len: usize,
}

impl Pages {
    pub(crate) fn new(len: usize) -> Self {
        let (read_write, anonymous) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let map = unsafe { libc::mmap(std::ptr::null_mut(), len, read_write, anonymous, -1, 0) };
        assert_ne!(map, libc::MAP_FAILED);
        Self { start: AtomicPtr::new(map.cast()), len }
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.load(Ordering::Relaxed)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        assert_eq!(unsafe { libc::munmap(self.start().cast(), self.len) }, 0);
    }
}

/// Whether what a drain has held back starts from the first to the last. Older kernels start all of it once what is before
/// the drain has completed, and do so in any order.
pub(crate) fn drains_start_in_order() -> bool {
    tests::kernel::is_at_least(6, 12)
}
