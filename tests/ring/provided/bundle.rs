//! Several buffers at once, and buffers to send from.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use tests::require;
use uring::op::net::{RecvMultishot, RecvSelect, SendSelect};
use uring::ring::{BufRing, BufRingOptions};
use uring::{Cqe, Features, Ring};

use crate::common::taken;
use crate::ops::common::{kernel_is_at_least, push, ring, run};

const GROUP: u16 = 8;

fn register(ring: &Ring, options: &BufRingOptions) -> BufRing {
    ring.registrar().register_buf_ring(GROUP, options).unwrap()
}

#[track_caller]
fn next(ring: &mut Ring) -> Cqe {
    ring.wait(1).unwrap().next().unwrap()
}

#[test]
fn a_bundle_has_the_data_in_its_order() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let data: Vec<u8> = (0..50).collect();
    let mut ring = ring();
    require!(ring.features().contains(Features::RECVSEND_BUNDLE), "Linux 6.10");
    let buffers = register(&ring, &BufRingOptions::new(8, 16));
    for turn in 0..9 {
        far.write_all(&data).unwrap();
        let mut received = Vec::new();
        let mut held = Vec::new();
        while received.len() < data.len() {
            push(&mut ring, unsafe { RecvSelect::new(&near, GROUP, 0, 0) }.bundle());
            let cqe = next(&mut ring);
            let nr = held.len();
            held.extend(unsafe { buffers.take_bundle(&cqe) }.expect("buffers"));
            let bytes: usize = held[nr..].iter().map(|buffer| buffer.len()).sum();
            assert_eq!(cqe.result().unwrap() as usize, bytes);
            held[nr..].iter().for_each(|buffer| received.extend_from_slice(buffer));
        }
        assert_eq!(received, data, "turn {turn}");
        // Back in another order, which the next bundles follow.
        held.reverse();
    }
    assert_eq!(buffers.given(), 8);
}

#[test]
fn bundles_go_on_and_those_not_looked_at_go_back() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(ring.features().contains(Features::RECVSEND_BUNDLE), "Linux 6.10");
    let buffers = register(&ring, &BufRingOptions::new(8, 16));
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) }.bundle());
    ring.submit().unwrap();
    for _ in 0..5 {
        far.write_all(&[3; 40]).unwrap();
        let mut left = 40;
        while left > 0 {
            let cqe = next(&mut ring);
            assert!(cqe.has_more());
            left -= cqe.result().unwrap();
            drop(unsafe { buffers.take_bundle(&cqe) }.expect("buffers"));
            assert_eq!(buffers.given(), 8);
        }
    }
}

#[test]
fn buffers_are_sent_in_the_order_in_which_they_are_given() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(ring.features().contains(Features::RECVSEND_BUNDLE), "Linux 6.10");
    let buffers = register(&ring, &BufRingOptions::new(4, 16).outgoing());
    let mut received = [0; 14];
    let send = || unsafe { SendSelect::new(&near, GROUP, 0, 0) };
    assert_eq!(run(&mut ring, send()), Err(libc::ENOBUFS));
    for is_bundle in [false, true, false] {
        let mut idle: Vec<_> = std::iter::from_fn(|| buffers.idle()).collect();
        assert_eq!(idle.len(), 4);
        idle.iter_mut().for_each(|buffer| assert_eq!(buffer.len(), 16));
        for (word, mut buffer) in ["hello", " ", "world", "..."].into_iter().zip(idle) {
            buffer[..word.len()].copy_from_slice(word.as_bytes());
            buffer.give(word.len());
        }
        let mut sent = 0;
        while sent < 14 {
            push(&mut ring, if is_bundle { send().bundle() } else { send() });
            let cqe = next(&mut ring);
            let count = cqe.result().unwrap();
            let bundle = unsafe { buffers.take_bundle(&cqe) }.expect("buffers");
            assert_eq!(bundle.map(|buffer| buffer.len()).sum::<usize>(), count as usize);
            sent += count;
        }
        far.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"hello world...");
        assert_eq!(buffers.given(), 0, "they are not given back by themselves");
    }
    buffers.idle().expect("a buffer").give(0);
    assert_eq!(buffers.given(), 0, "nothing is nothing to send");
}

#[test]
fn older_kernels_refuse_bundles() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0, which knows what it does not know");
    if ring.features().contains(Features::RECVSEND_BUNDLE) {
        return;
    }
    let _buffers = register(&ring, &BufRingOptions::new(4, 16));
    far.write_all(b"x").unwrap();
    push(&mut ring, unsafe { RecvSelect::new(&near, GROUP, 0, 0) }.bundle());
    assert_eq!(taken(&next(&mut ring)).1, Err(libc::EINVAL));
    assert!(run(&mut ring, unsafe { SendSelect::new(&near, GROUP, 0, 0) }).is_err());
}
