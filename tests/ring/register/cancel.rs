//! Cancellation by call.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

use tests::late::Disk;
use tests::{or_skip, require};
use uring::op::poll::PollAdd;
use uring::op::rw::Read;
use uring::ring::SyncCancel;
use uring::{Fixed, Op, Ring, SqeFlags};

use super::common::*;

const IN: u32 = libc::EPOLLIN as u32;
const CANCELED: Result<u32, i32> = Err(libc::ECANCELED);

/// Starts polls that stay, each named after its place.
fn polls(ring: &mut Ring, files: &[&File]) {
    for (user_data, file) in (1..).zip(files) {
        ring.push(unsafe { PollAdd::new(file, IN) }.user_data(user_data)).unwrap();
    }
    assert_eq!(ring.submit().unwrap(), files.len());
}

/// Takes completions in the order of their names: that in which requests are cancelled is the kernel's.
fn taken(ring: &mut Ring, nr: usize) -> Vec<(u64, Result<u32, i32>)> {
    let mut taken = take(ring, nr);
    taken.sort_unstable();
    taken
}

fn cancel(ring: &Ring, what: SyncCancel<'_>) -> Result<u32, i32> {
    ring.registrar().cancel(&what).map_err(|error| error.raw_os_error().unwrap())
}

#[test]
fn requests_are_cancelled_before_the_call_returns() {
    let ((reader, _writer), (other, _other_writer)) = (pipe(), pipe());
    let mut ring = ring(8);
    if !kernel_is_at_least(6, 0) {
        refused(ring.registrar().cancel(&SyncCancel::any()), libc::EINVAL, "6.0");
        tests::skip!("Linux 6.0");
    }
    ring.registrar().register_files(&[None.into(), reader.as_fd().into()]).unwrap();
    polls(&mut ring, &[&reader, &other, &reader, &reader]);
    assert_eq!(cancel(&ring, SyncCancel::new(3)), Ok(0));
    assert_eq!(take(&mut ring, 1), [(3, CANCELED)]);
    assert_eq!(cancel(&ring, SyncCancel::new(3)), Err(libc::ENOENT));
    assert_eq!(cancel(&ring, SyncCancel::fd(other.as_fd())), Ok(0));
    assert_eq!(take(&mut ring, 1), [(2, CANCELED)]);
    polls(&mut ring, &[&other]);
    assert_eq!(cancel(&ring, SyncCancel::new(1).all()), Ok(2), "both of the name");
    assert_eq!(taken(&mut ring, 2), [(1, CANCELED), (1, CANCELED)]);
    polls(&mut ring, &[&reader]);
    assert_eq!(cancel(&ring, SyncCancel::fixed(Fixed(1)).all()), Ok(2));
    assert_eq!(taken(&mut ring, 2), [(1, CANCELED), (4, CANCELED)]);
    polls(&mut ring, &[&other]);
    assert_eq!(cancel(&ring, SyncCancel::any()), Ok(1));
    assert_eq!(take(&mut ring, 1), [(1, CANCELED)]);
    assert_eq!(cancel(&ring, SyncCancel::any().all()), Ok(0));
}

#[test]
fn requests_are_cancelled_by_operation() {
    let (reader, _writer) = pipe();
    let mut ring = ring(8);
    require!(kernel_is_at_least(6, 6), "Linux 6.6");
    polls(&mut ring, &[&reader, &reader, &reader]);
    assert_eq!(cancel(&ring, SyncCancel::op(Op::READ)), Err(libc::ENOENT));
    assert_eq!(cancel(&ring, SyncCancel::op(Op::POLL_ADD).and_user_data(2).all()), Ok(1));
    assert_eq!(take(&mut ring, 1), [(2, CANCELED)]);
    assert_eq!(cancel(&ring, SyncCancel::fd(reader.as_fd()).and_op(Op::POLL_ADD).all()), Ok(2));
    assert_eq!(taken(&mut ring, 2), [(1, CANCELED), (3, CANCELED)]);
    refused(ring.registrar().cancel(&SyncCancel::any().and_op(Op::READ)), libc::EINVAL, "go together");
}

#[test]
fn files_that_there_are_not_are_refused() {
    let ring = ring(4);
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    refused(ring.registrar().cancel(&SyncCancel::fd(closed_descriptor())), libc::EBADF, "no such file");
    refused(ring.registrar().cancel(&SyncCancel::fixed(Fixed(0))), libc::EBADF, "no such file");
    refused(ring.registrar().cancel(&SyncCancel::new(1)), libc::ENOENT, "nothing matches");
}

/// Has a worker read a slow disk, which nobody can cancel.
fn with_a_read_that_runs(then: impl FnOnce(&mut Ring)) {
    let mut ring = ring(4);
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let disk = or_skip!(Disk::new(4096));
    let file = disk.open();
    let mut block = tests::files::AlignedBuf::new(4096);
    let read = unsafe { Read::new(&file, block.as_mut_ptr(), 4096, 0) };
    ring.push(read.user_data(1).flags(SqeFlags::ASYNC)).unwrap();
    ring.submit().unwrap();
    then(&mut ring);
    drop(ring);
}

#[test]
fn a_request_that_runs_is_waited_for_only_so_long() {
    with_a_read_that_runs(|ring| {
        let what = SyncCancel::new(1).timeout(Duration::from_millis(1));
        match ring.registrar().cancel(&what) {
            // Until a worker has taken it up, it can be cancelled; and it may end meanwhile.
            Ok(0) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            outcome => refused(outcome, libc::ETIME, "is running"),
        }
    });
}

#[test]
fn a_request_that_runs_is_waited_for_to_its_end() {
    with_a_read_that_runs(|ring| {
        // It may have ended before it is asked for.
        let outcome = cancel(ring, SyncCancel::new(1).timeout(LONG));
        assert!(matches!(outcome, Ok(0) | Err(libc::ENOENT)), "{outcome:?}");
        assert_eq!(take(ring, 1).len(), 1);
    });
}
