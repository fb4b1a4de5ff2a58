//! Cancelling.

use std::io::Write as _;
use std::time::Duration;

use tests::files::{AlignedBuf, TempFile};
use tests::kernel::is_at_least;
use tests::{or_skip, require};
use uring::op::cancel::AsyncCancel;
use uring::op::poll::PollAdd;
use uring::op::rw::Read;
use uring::ring::Wait;
use uring::{Ring, UserData};
use uring_sys::{
    IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ASYNC_CANCEL_FD, IORING_REGISTER_SYNC_CANCEL,
    io_uring_sync_cancel_reg,
};

use super::common::*;

/// What a request on a disk may come to that somebody tries to cancel.
#[track_caller]
fn done_or_cancelled((name, result): Taken) {
    assert!(matches!(result, Ok(4096) | Err(libc::ECANCELED | libc::EINTR)), "{name}: {result:?}");
}

#[test]
fn reads_of_a_disk_end_whether_one_or_all_are_cancelled() {
    let file = TempFile::new(64 * 4096);
    let direct = or_skip!(file.direct());
    for every in [1, 8] {
        let mut blocks: Vec<_> = (0..64).map(|_| AlignedBuf::new(4096)).collect();
        let mut ring = ring(256);
        for (nr, block) in blocks.iter_mut().enumerate() {
            let read = unsafe { Read::new(&direct, block.as_mut_ptr(), 4096, nr as u64 * 4096) };
            push(&mut ring, read.user_data(nr as u64));
        }
        ring.submit().unwrap();
        for target in (0..64).step_by(every) {
            push(&mut ring, AsyncCancel::new(target).user_data(1000 + target));
        }
        let taken = take_sorted(&mut ring, 64 + 64 / every);
        taken[..64].iter().copied().for_each(done_or_cancelled);
        for (name, result) in &taken[64..] {
            let known = matches!(result, Ok(0) | Err(libc::ENOENT | libc::EALREADY));
            assert!(known && *name >= 1000, "{name}: {result:?}");
        }
        nothing_is_there(&mut ring);
    }
}

#[test]
fn a_request_that_ends_while_it_is_cancelled_ends_once() {
    let (reader, mut writer) = pipe();
    let mut ring = ring(8);
    for round in 0..300 {
        let mut byte = [0];
        read(&mut ring, &mut byte, &reader, 1);
        ring.submit().unwrap();
        std::thread::scope(|scope| {
            let writer = &mut writer;
            scope.spawn(move || writer.write_all(b"x").unwrap());
            push(&mut ring, AsyncCancel::new(1).user_data(2));
            match take_sorted(&mut ring, 2)[..] {
                // Too late, or while it ran.
                [(1, Ok(1)), (2, Err(libc::ENOENT | libc::EALREADY))] => assert_eq!(&byte, b"x"),
                [(1, Err(libc::ECANCELED | libc::EINTR)), (2, Ok(0) | Err(libc::EALREADY))] => {
                    // The byte is still in the pipe, for a read that nobody cancels.
                    assert_eq!(byte, [0]);
                    let mut byte = [0];
                    read(&mut ring, &mut byte, &reader, 3);
                    assert_eq!(take(&mut ring, 1), [(3, Ok(1))]);
                }
                ref other => panic!("round {round}: {other:?}"),
            }
        });
        nothing_is_there(&mut ring);
    }
}

fn sync_cancel(
    ring: &Ring,
    target: UserData,
    flags: u32,
    fd: i32,
    timeout: Option<Duration>,
) -> Result<u32, i32> {
    let mut arg = io_uring_sync_cancel_reg { addr: target, fd, flags, ..Default::default() };
    (arg.timeout.tv_sec, arg.timeout.tv_nsec) = match timeout {
        Some(time) => (time.as_secs() as i64, time.subsec_nanos().into()),
        None => (-1, -1),
    };
    register(ring, IORING_REGISTER_SYNC_CANCEL, &raw mut arg, 1)
}

#[test]
fn cancelling_by_a_call_waits_until_what_it_cancels_has_ended() {
    let (reader, _writer) = pipe();
    let mut bytes = [[0]; 4];
    let mut ring = ring(8);
    let nothing = sync_cancel(&ring, 99, 0, -1, None);
    require!(nothing != Err(libc::EINVAL), "Linux 6.0");
    assert_eq!(nothing, Err(libc::ENOENT));
    for (name, byte) in bytes.iter_mut().enumerate() {
        read(&mut ring, byte, &reader, name as u64);
    }
    ring.submit().unwrap();
    let canceled = Err(libc::ECANCELED);
    // By name; the completion is there when the call comes back.
    assert_eq!(sync_cancel(&ring, 1, 0, -1, Some(LONG)), Ok(0));
    let now = Wait::new().timeout(Duration::ZERO);
    let there: Vec<_> = ring.wait_with(1, &now).unwrap().map(|cqe| taken(&cqe)).collect();
    assert_eq!(there, [(1, canceled)]);
    // By file, one of them, and all.
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
    assert_eq!(sync_cancel(&ring, 0, IORING_ASYNC_CANCEL_FD, fd, None), Ok(0));
    assert_eq!(take(&mut ring, 1)[0].1, canceled);
    assert!(sync_cancel(&ring, 0, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, fd, None).is_ok());
    assert_eq!(take(&mut ring, 2).iter().map(|(_, result)| *result).collect::<Vec<_>>(), [canceled; 2]);
    let all = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    assert!(matches!(sync_cancel(&ring, 0, all, -1, None), Ok(0) | Err(libc::ENOENT)), "nothing is left");
    assert_eq!(sync_cancel(&ring, 0, 1 << 30, -1, None), Err(libc::EINVAL));
}

#[test]
fn all_polls_of_one_file_are_cancelled_and_counted_and_those_of_another_stay() {
    require!(is_at_least(5, 19), "Linux 5.19");
    let ((one, _one), (other, mut writer)) = (pipe(), pipe());
    let mut ring = ring(16);
    let poll = |file| unsafe { PollAdd::new(file, libc::EPOLLIN as u32) };
    for name in 0..8 {
        push(&mut ring, poll(&one).user_data(name));
    }
    push(&mut ring, poll(&other).user_data(8));
    ring.submit().unwrap();
    push(&mut ring, unsafe { AsyncCancel::fd(&one) }.all().user_data(9));
    let canceled = Err(libc::ECANCELED);
    let mut expected: Vec<_> = (0..8).map(|name| (name, canceled)).collect();
    expected.push((9, Ok(8)));
    assert_eq!(take_sorted(&mut ring, 9), expected);
    writer.write_all(b"x").unwrap();
    assert_eq!(take(&mut ring, 1), [(8, Ok(libc::EPOLLIN as u32))]);
    // Of those that have one name, one is cancelled or all.
    for name in [5, 5, 5, 6] {
        push(&mut ring, poll(&one).user_data(name));
    }
    push(&mut ring, AsyncCancel::new(5).user_data(10));
    assert_eq!(take_sorted(&mut ring, 2), [(5, canceled), (10, Ok(0))]);
    push(&mut ring, AsyncCancel::new(5).all().user_data(11));
    assert_eq!(take_sorted(&mut ring, 3), [(5, canceled), (5, canceled), (11, Ok(2))]);
    push(&mut ring, AsyncCancel::any().all().user_data(12));
    assert_eq!(take_sorted(&mut ring, 2), [(6, canceled), (12, Ok(1))]);
    push(&mut ring, AsyncCancel::any().all().user_data(13));
    assert_eq!(take(&mut ring, 1), [(13, Ok(0))], "nothing is left");
}
