//! Being told of completions.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::time::Duration;

use uring::Ring;
use uring::op::poll::PollAdd;
use uring::op::ring::Nop;
use uring_sys::{IORING_REGISTER_EVENTFD, IORING_REGISTER_EVENTFD_ASYNC, IORING_UNREGISTER_EVENTFD};

use super::common::*;

fn eventfd() -> File {
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(fd >= 0);
    unsafe { File::from_raw_fd(fd) }
}

/// How often the counter was told of something since the last look.
fn told(mut eventfd: &File) -> u64 {
    let mut count = [0; 8];
    match eventfd.read(&mut count) {
        Ok(len) => {
            assert_eq!(len, 8);
            u64::from_ne_bytes(count)
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            0
        }
    }
}

fn tell(ring: &Ring, opcode: u32, eventfd: &File) -> Result<u32, i32> {
    let mut fd = eventfd.as_raw_fd();
    register(ring, opcode, &raw mut fd, 1)
}

#[test]
fn a_counter_is_told_of_completions_as_long_as_it_is_registered() {
    let eventfd = eventfd();
    let mut ring = ring(8);
    let nothing = std::ptr::null_mut::<u8>();
    assert_eq!(register(&ring, IORING_UNREGISTER_EVENTFD, nothing, 0), Err(libc::ENXIO));
    assert_eq!(tell(&ring, IORING_REGISTER_EVENTFD, &eventfd), Ok(0));
    assert_eq!(tell(&ring, IORING_REGISTER_EVENTFD, &eventfd), Err(libc::EBUSY));
    push(&mut ring, Nop::new());
    ring.submit().unwrap();
    assert!(told(&eventfd) > 0);
    assert_eq!(told(&eventfd), 0);
    assert_eq!(register(&ring, IORING_UNREGISTER_EVENTFD, nothing, 0), Ok(0));
    push(&mut ring, Nop::new());
    ring.submit().unwrap();
    assert_eq!((told(&eventfd), take(&mut ring, 2).len()), (0, 2));
}

#[test]
fn a_counter_of_what_completes_later_is_not_told_of_what_completes_at_once() {
    let (reader, mut writer) = pipe();
    let eventfd = eventfd();
    let mut byte = [0];
    let mut ring = ring(8);
    assert_eq!(tell(&ring, IORING_REGISTER_EVENTFD_ASYNC, &eventfd), Ok(0));
    push(&mut ring, Nop::new());
    ring.submit().unwrap();
    assert_eq!(told(&eventfd), 0);
    // A worker's completion is one that comes later.
    let read = unsafe { uring::op::rw::Read::new(&reader, byte.as_mut_ptr(), 1, 0) };
    push(&mut ring, read.user_data(1).flags(uring::SqeFlags::ASYNC));
    ring.submit().unwrap();
    writer.write_all(b"x").unwrap();
    assert_eq!(take_sorted(&mut ring, 2), [(0, Ok(0)), (1, Ok(1))]);
    let begin = std::time::Instant::now();
    while told(&eventfd) == 0 {
        assert!(begin.elapsed() < LONG, "nobody told");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_counter_that_is_polled_by_its_own_ring_does_not_tell_for_ever() {
    let eventfd = eventfd();
    let mut ring = ring(8);
    assert_eq!(tell(&ring, IORING_REGISTER_EVENTFD, &eventfd), Ok(0));
    push(&mut ring, unsafe { PollAdd::new(&eventfd, libc::EPOLLIN as u32) }.user_data(1));
    push(&mut ring, Nop::new().user_data(2));
    // The completion of the one makes the other ready, whose completion tells once more.
    let ready = Ok(libc::EPOLLIN as u32);
    assert_eq!(take_sorted(&mut ring, 2), [(1, ready), (2, Ok(0))]);
    assert!(told(&eventfd) > 0);
    nothing_is_there(&mut ring);
}

/// A read of the counter, in the ring that tells it, completes when it is told and not before.
fn is_not_told_while_it_is_silent(mut ring: Ring) {
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(fd >= 0);
    let eventfd = unsafe { File::from_raw_fd(fd) };
    ring.registrar().register_eventfd(eventfd.as_fd()).unwrap();
    assert!(ring.registrar().is_eventfd_enabled().unwrap());
    ring.registrar().set_eventfd_enabled(false).unwrap();
    let mut count = Box::new([0; 8]);
    read(&mut ring, &mut *count, &eventfd, 1);
    assert_eq!(ring.submit().unwrap(), 1);
    nops(&mut ring, 2, 63);
    let silent = take(&mut ring, 63);
    assert_eq!(silent, (2..65).map(|name| (name, Ok(0))).collect::<Vec<_>>());
    nothing_is_there(&mut ring);
    ring.registrar().set_eventfd_enabled(true).unwrap();
    nops(&mut ring, 65, 1);
    assert_eq!(take_sorted(&mut ring, 2), [(1, Ok(8)), (65, Ok(0))]);
    assert_eq!(u64::from_ne_bytes(*count), 1, "told of the last only");
}

#[test]
fn a_counter_that_is_silent_for_a_time_is_told_of_nothing_that_comes_then() {
    is_not_told_while_it_is_silent(ring(64));
    is_not_told_while_it_is_silent(built!(Ring::builder(64).single_issuer().defer_taskrun()));
}

#[test]
fn a_poll_completes_when_another_process_writes() {
    tests::in_child!(|| {
        let (reader, mut writer) = pipe();
        let mut ring = ring(4);
        push(&mut ring, unsafe { PollAdd::new(&reader, libc::EPOLLIN as u32) }.user_data(1));
        ring.submit().unwrap();
        nothing_is_there(&mut ring);
        let written = tests::fork::ask(|| format!("{:?}", writer.write(b"x").ok()));
        assert_eq!(written, "Some(1)");
        assert_eq!(take(&mut ring, 1), [(1, Ok(libc::EPOLLIN as u32))]);
    });
}
