//! An eventfd that is told of completions.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, FromRawFd};

use uring::op::poll::PollAdd;
use uring::op::ring::Nop;
use uring::{Ring, SqeFlags};

use super::common::*;

fn eventfd() -> File {
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(fd >= 0);
    unsafe { File::from_raw_fd(fd) }
}

/// Whether the eventfd was told of something since it was asked last.
fn told(mut eventfd: &File) -> bool {
    let mut count = [0; 8];
    match eventfd.read(&mut count) {
        Ok(read) => read == 8 && u64::from_ne_bytes(count) > 0,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            false
        }
    }
}

fn nop(ring: &mut Ring) {
    assert_eq!(run(ring, Nop::new()), Ok(0));
}

#[test]
fn an_eventfd_is_told_of_completions_while_it_is_registered() {
    let eventfd = eventfd();
    let mut ring = ring(4);
    ring.registrar().register_eventfd(eventfd.as_fd()).unwrap();
    assert!(!told(&eventfd));
    nop(&mut ring);
    assert!(told(&eventfd));
    assert!(!told(&eventfd));
    ring.registrar().unregister_eventfd().unwrap();
    nop(&mut ring);
    assert!(!told(&eventfd));
}

#[test]
fn an_eventfd_is_not_told_while_it_is_disabled() {
    let eventfd = eventfd();
    let mut ring = ring(4);
    ring.registrar().register_eventfd(eventfd.as_fd()).unwrap();
    assert!(ring.registrar().is_eventfd_enabled().unwrap());
    ring.registrar().set_eventfd_enabled(false).unwrap();
    assert!(!ring.registrar().is_eventfd_enabled().unwrap());
    nop(&mut ring);
    assert!(!told(&eventfd));
    ring.registrar().set_eventfd_enabled(true).unwrap();
    assert!(ring.registrar().is_eventfd_enabled().unwrap());
    assert!(!told(&eventfd), "what came meanwhile is not told of");
    nop(&mut ring);
    assert!(told(&eventfd));
}

#[test]
fn an_eventfd_may_be_told_only_of_what_workers_complete() {
    let (reader, writer) = pipe();
    let eventfd = eventfd();
    let mut ring = ring(4);
    ring.registrar().register_eventfd_async(eventfd.as_fd()).unwrap();
    nop(&mut ring);
    ring.push(unsafe { PollAdd::new(&reader, libc::EPOLLIN as u32) }).unwrap();
    ring.submit().unwrap();
    std::io::Write::write_all(&mut &writer, b"x").unwrap();
    assert_eq!(take(&mut ring, 1), [(0, Ok(libc::EPOLLIN as u32))]);
    assert!(!told(&eventfd));
    assert_eq!(run(&mut ring, Nop::new().flags(SqeFlags::ASYNC)), Ok(0));
    assert!(told(&eventfd));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let (first, second) = (eventfd(), eventfd());
    let (reader, _writer) = pipe();
    let mut ring = ring(4);
    let registrar = ring.registrar();
    refused(registrar.unregister_eventfd(), libc::ENXIO, "none is registered");
    refused(registrar.register_eventfd(reader.as_fd()), libc::EINVAL, "something else");
    refused(registrar.register_eventfd(closed_descriptor()), libc::EBADF, "not open");
    refused(registrar.unregister_eventfd(), libc::ENXIO, "none is registered");
    registrar.register_eventfd(first.as_fd()).unwrap();
    refused(registrar.register_eventfd(second.as_fd()), libc::EBUSY, "unregister it first");
    refused(registrar.register_eventfd_async(second.as_fd()), libc::EBUSY, "unregister it first");
    nop(&mut ring);
    assert!(told(&first) && !told(&second));
}
