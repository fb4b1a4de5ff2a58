//! Which of ring, buffers and requests ends first does not matter.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;

use tests::fork::ask;
use tests::late::Disk;
use tests::{in_child, or_skip, require};
use uring::op::net::RecvMultishot;
use uring::op::rw::ReadSelect;
use uring::ring::{BufRing, BufRingOptions};
use uring::{Error, Ring, SqeFlags};

use crate::common::taken;
use crate::ops::common::{kernel_is_at_least, next, push, ring};

const GROUP: u16 = 1;

fn register(ring: &Ring) -> BufRing {
    ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(4, 4096)).unwrap()
}

#[test]
fn a_buffer_that_a_request_has_taken_outlives_its_group() {
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let disk = or_skip!(Disk::held(4096));
    // Not direct: the kernel copies to the buffer when the disk has answered.
    let file = File::open(disk.path()).unwrap();
    let mut ring = ring();
    let buffers = register(&ring);
    // Up to 6.12 it would be tried in the submit, and wait there.
    let read = unsafe { ReadSelect::new(&file, GROUP, 0, 0) };
    push(&mut ring, read.flags(SqeFlags::ASYNC));
    ring.submit().unwrap();
    disk.wait_for_requests(1);
    drop(buffers);
    disk.release();
    assert_eq!(next(&mut ring).1, Ok(4096), "EFAULT if the memory is gone");
}

#[test]
fn a_ring_ends_before_its_buffers_and_while_requests_select_from_them() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let buffers = register(&ring);
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
    ring.submit().unwrap();
    far.write_all(b"hello").unwrap();
    let cqe = ring.wait(1).unwrap().next().unwrap();
    let held = unsafe { buffers.take(&cqe) }.unwrap();
    drop(ring);
    assert_eq!(held[..], *b"hello");
    drop(held);
    let error = buffers.head().unwrap_err();
    assert!(error.raw_os_error() == Some(libc::EBADF) && error.to_string().contains("gone"), "{error}");
    assert_eq!(buffers.unregister().unwrap_err().raw_os_error(), Some(libc::EBADF));
}

#[test]
fn a_ring_ends_whoever_has_buffers_of_it_in_its_own_memory() {
    require!(kernel_is_at_least(6, 8), "Linux 6.8");
    for goes_first in [true, false] {
        let mut ring = ring();
        let options = BufRingOptions::new(4, 16).kernel_memory();
        let buffers = ring.registrar().register_buf_ring(GROUP, &options).unwrap();
        // The end of such a ring is known by the kernel's release of it only.
        push(&mut ring, uring::op::ring::Nop::new().flags(SqeFlags::CQE_SKIP_SUCCESS));
        ring.submit().unwrap();
        if goes_first {
            drop(buffers);
            ring.close().unwrap();
        } else {
            ring.close().unwrap();
            assert_eq!(buffers.given(), 4);
        }
    }
}

#[test]
fn buffers_go_back_to_a_ring_that_has_ended() {
    require!(kernel_is_at_least(6, 8), "Linux 6.8");
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    let options = BufRingOptions::new(4, 16).kernel_memory();
    let buffers = ring.registrar().register_buf_ring(GROUP, &options).unwrap();
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
    far.write_all(b"hello").unwrap();
    let cqe = ring.wait(1).unwrap().next().unwrap();
    let held = unsafe { buffers.take(&cqe) }.unwrap();
    drop(ring);
    assert_eq!(held[..], *b"hello");
    drop(held);
    assert_eq!(buffers.given(), 4);
}

#[test]
fn a_receive_that_goes_on_ends_with_its_group() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let buffers = register(&ring);
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
    ring.submit().unwrap();
    buffers.unregister().unwrap();
    far.write_all(b"hello").unwrap();
    let cqe = ring.wait(1).unwrap().next().unwrap();
    assert_eq!((taken(&cqe).1, cqe.has_more()), (Err(libc::ENOBUFS), false));
}

#[test]
fn another_thread_may_own_the_buffers() {
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let mut ring: Ring = Ring::builder(4).single_issuer().build().unwrap();
    push(&mut ring, uring::op::ring::Nop::new());
    assert_eq!(next(&mut ring).1, Ok(0));
    let buffers = register(&ring);
    std::thread::spawn(move || drop(buffers)).join().unwrap();
    drop(ring);
}

#[test]
fn a_forked_child_leaves_the_group_to_its_parent() {
    in_child!(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut ring = ring();
        require!(kernel_is_at_least(6, 8), "Linux 6.8");
        let buffers =
            ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(4, 16).kernel_memory()).unwrap();
        push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
        far.write_all(b"hello").unwrap();
        let cqe = ring.wait(1).unwrap().next().unwrap();
        let answer = ask(|| {
            let inherited = unsafe { std::ptr::read(&raw const buffers) };
            let forked = matches!(inherited.head(), Err(Error::Forked));
            drop(unsafe { inherited.take(&cqe) });
            drop(inherited);
            format!("{forked}")
        });
        assert_eq!(answer, "true");
        assert_eq!(buffers.available().unwrap(), 3, "the child has given nothing back");
        drop(unsafe { buffers.take(&cqe) });
        assert_eq!(buffers.available().unwrap(), 4);
    });
}

#[test]
fn an_owner_that_has_gone_unregisters_no_other_group_of_its_number() {
    let ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let (give, given) = std::sync::mpsc::channel::<BufRing>();
    let other = std::thread::spawn(move || given.into_iter().for_each(|group| group.unregister().unwrap()));
    for _ in 0..4000 {
        // As soon as the number is free.
        let group = loop {
            match ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(1, 16)) {
                Ok(group) => break group,
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EEXIST)),
            }
        };
        give.send(group).expect("the other thread goes on");
    }
    drop(give);
    other.join().expect("each is registered until it is unregistered");
}
