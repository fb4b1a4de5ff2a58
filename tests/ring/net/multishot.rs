//! Receives that go on.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use tests::require;
use uring::op::net::{RecvMultishot, RecvSelect};
use uring::ring::{BufRing, BufRingOptions};
use uring::{CqeFlags, Fixed, Ring};

use super::common::tcp;
use crate::ops::common::{kernel_is_at_least, next, push, ring, run};

const GROUP: u16 = 4;

fn buffers(ring: &Ring) -> BufRing {
    ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(4, 16)).unwrap()
}

/// Takes the next completion: the data, and whether more follows.
#[track_caller]
fn data(ring: &mut Ring, buffers: &BufRing) -> (Vec<u8>, bool) {
    let cqe = ring.wait(1).unwrap().next().unwrap();
    assert!(cqe.result().is_ok(), "{cqe:?}");
    let buffer = unsafe { buffers.take(&cqe) };
    (buffer.map(|buffer| buffer.to_vec()).unwrap_or_default(), cqe.has_more())
}

#[test]
fn a_receive_goes_on_until_the_end() {
    let (client, mut server) = tcp();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    ring.registrar().register_files(&[client.as_fd().into()]).unwrap();
    let buffers = buffers(&ring);
    push(&mut ring, RecvMultishot::fixed(Fixed(0), GROUP, 0).poll_first());
    ring.submit().unwrap();
    for _ in 0..10 {
        server.write_all(b"hello").unwrap();
        assert_eq!(data(&mut ring, &buffers), (b"hello".to_vec(), true));
    }
    drop(server);
    assert_eq!(data(&mut ring, &buffers), (vec![], false));
    assert_eq!(buffers.given(), 4);
}

#[test]
fn a_receive_ends_without_buffers_and_starts_again_with_them() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let buffers = buffers(&ring);
    far.write_all(&[7; 100]).unwrap();
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
    let mut held = Vec::new();
    let last = loop {
        let cqe = ring.wait(1).unwrap().next().unwrap();
        if !cqe.has_more() {
            break cqe;
        }
        held.push(unsafe { buffers.take(&cqe) }.expect("a buffer"));
    };
    assert_eq!(crate::common::taken(&last), (0, Err(libc::ENOBUFS)));
    assert_eq!((held.len(), buffers.given()), (4, 0));
    assert!(held.iter().all(|buffer| buffer[..] == [7; 16]));
    held.clear();
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
    assert_eq!(data(&mut ring, &buffers), (vec![7; 16], true));
}

#[test]
fn a_receive_may_be_capped_and_limited() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let buffers = buffers(&ring);
    far.write_all(b"hello world, and more").unwrap();
    let recv = || unsafe { RecvMultishot::new(&near, GROUP, 0) }.limit(10);
    if !kernel_is_at_least(6, 17) {
        assert_eq!(run(&mut ring, recv()), Err(libc::EINVAL));
    }
    require!(kernel_is_at_least(6, 17), "Linux 6.17");
    push(&mut ring, recv().cap(6));
    assert_eq!(data(&mut ring, &buffers), (b"hello ".to_vec(), true));
    assert_eq!(data(&mut ring, &buffers), (b"world,".to_vec(), false), "no less than at once");
    push(&mut ring, unsafe { RecvSelect::new(&near, GROUP, 4, 0) });
    assert_eq!(data(&mut ring, &buffers), (b" and".to_vec(), false));
}

#[test]
fn a_receive_without_a_group_ends() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    far.write_all(b"hello").unwrap();
    assert_eq!(run(&mut ring, unsafe { RecvSelect::new(&near, 9, 0, 0) }), Err(libc::ENOBUFS));
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    push(&mut ring, unsafe { RecvMultishot::new(&near, 9, 0) });
    assert_eq!(next(&mut ring), (0, Err(libc::ENOBUFS), CqeFlags::empty()));
}
