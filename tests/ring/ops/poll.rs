//! Readiness of files.

use std::io::{Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use tests::require;
use uring::op::poll::{EpollCtl, EpollWait, PollAdd, PollRemove, PollUpdate};
use uring::{CqeFlags, Fixed, Op, SqeFlags};

use super::common::{closed_descriptor, has, kernel_is_at_least, next, pipe, push, ring, run, take};

const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;

#[test]
fn a_poll_tells_what_a_file_is_ready_for() {
    let (reader, mut writer) = pipe();
    let mut ring = ring();
    ring.registrar().register_files(&[writer.as_fd().into()]).unwrap();
    assert_eq!(run(&mut ring, PollAdd::fixed(Fixed(0), IN | OUT)), Ok(OUT));
    push(&mut ring, unsafe { PollAdd::new(&reader, IN) });
    ring.submit().unwrap();
    assert_eq!(ring.completions().unwrap().count(), 0);
    writer.write_all(b"x").unwrap();
    assert_eq!(next(&mut ring).1, Ok(IN));
    assert_eq!(run(&mut ring, unsafe { PollAdd::new(closed_descriptor(), IN) }), Err(libc::EBADF));
}

#[test]
fn a_multishot_poll_tells_each_change() {
    let (mut reader, mut writer) = pipe();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    push(&mut ring, unsafe { PollAdd::new(&reader, IN) }.multishot().user_data(1));
    ring.submit().unwrap();
    for _ in 0..2 {
        writer.write_all(b"x").unwrap();
        let (_, result, flags) = next(&mut ring);
        assert_eq!(result, Ok(IN));
        assert!(flags.contains(CqeFlags::MORE));
        reader.read_exact(&mut [0]).unwrap();
    }
    push(&mut ring, PollRemove::new(1).user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, Err(libc::ECANCELED)), (2, Ok(0))]);
    assert_eq!(run(&mut ring, PollRemove::new(1)), Err(libc::ENOENT));
}

#[test]
fn a_level_poll_is_refused() {
    let (_reader, writer) = pipe();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    assert_eq!(run(&mut ring, unsafe { PollAdd::new(&writer, OUT) }.level()), Err(libc::EINVAL));
}

#[test]
fn a_poll_gets_other_events_and_another_name() {
    let (_reader, writer) = pipe();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    // A writer is never readable.
    push(&mut ring, unsafe { PollAdd::new(&writer, IN) }.user_data(1));
    push(&mut ring, PollUpdate::new(1).events(OUT).new_user_data(3).user_data(2));
    assert_eq!(take(&mut ring, 2), [(2, Ok(0)), (3, Ok(OUT))]);
    let update = PollUpdate::new(1).events(OUT);
    assert_eq!(run(&mut ring, update), Err(libc::ENOENT));
    assert_eq!(run(&mut ring, PollUpdate::new(1).multishot()), Err(libc::EINVAL), "changes nothing");
}

#[test]
fn an_update_leaves_how_often_a_poll_completes() {
    let (_reader, writer) = pipe();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    push(&mut ring, unsafe { PollAdd::new(&writer, IN) }.user_data(1));
    push(
        &mut ring,
        PollUpdate::new(1).events(OUT).multishot().user_data(2).flags(SqeFlags::CQE_SKIP_SUCCESS),
    );
    assert_eq!(next(&mut ring), (1, Ok(OUT), CqeFlags::empty()));
    push(&mut ring, unsafe { PollAdd::new(&writer, IN) }.multishot().user_data(1));
    push(&mut ring, PollUpdate::new(1).events(OUT).user_data(2).flags(SqeFlags::CQE_SKIP_SUCCESS));
    assert_eq!(next(&mut ring), (1, Ok(OUT), CqeFlags::MORE));
}

fn epoll() -> OwnedFd {
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(fd >= 0, "epoll_create1");
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[test]
fn a_set_is_changed_as_by_epoll_ctl() {
    let (_reader, writer) = pipe();
    let set = epoll();
    let event = libc::epoll_event { events: OUT, u64: 77 };
    let mut ring = ring();
    let ctl = |op, event| unsafe { EpollCtl::new(&set, op, &writer, event) };
    assert_eq!(run(&mut ring, ctl(libc::EPOLL_CTL_ADD, &raw const event)), Ok(0));
    assert_eq!(run(&mut ring, ctl(libc::EPOLL_CTL_ADD, &raw const event)), Err(libc::EEXIST));
    let wait = || {
        let mut ready: libc::epoll_event = unsafe { mem::zeroed() };
        let nr = unsafe { libc::epoll_wait(set.as_raw_fd(), &raw mut ready, 1, 0) };
        (nr, ready.u64)
    };
    assert_eq!(wait(), (1, 77));
    assert_eq!(run(&mut ring, ctl(libc::EPOLL_CTL_DEL, ptr::null())), Ok(0));
    assert_eq!(wait().0, 0);
    assert_eq!(run(&mut ring, ctl(libc::EPOLL_CTL_DEL, ptr::null())), Err(libc::ENOENT));
}

#[test]
fn a_set_is_waited_for() {
    let (reader, mut writer) = pipe();
    let set = epoll();
    let event = libc::epoll_event { events: IN, u64: 77 };
    let mut ready: [libc::epoll_event; 4] = unsafe { mem::zeroed() };
    let mut ring = ring();
    require!(has(&ring, Op::EPOLL_WAIT), "Linux 6.15");
    let ctl = unsafe { EpollCtl::new(&set, libc::EPOLL_CTL_ADD, &reader, &raw const event) };
    assert_eq!(run(&mut ring, ctl), Ok(0));
    push(&mut ring, unsafe { EpollWait::new(&set, ready.as_mut_ptr(), 4) });
    ring.submit().unwrap();
    assert_eq!(ring.completions().unwrap().count(), 0);
    writer.write_all(b"x").unwrap();
    assert_eq!(next(&mut ring).1, Ok(1));
    let [first, ..] = ready;
    let (events, data) = (first.events, first.u64);
    assert_eq!((events, data), (IN, 77));
    let wait = unsafe { EpollWait::new(&reader, ready.as_mut_ptr(), 4) };
    assert_eq!(run(&mut ring, wait), Err(libc::EINVAL), "a pipe is no set");
}
