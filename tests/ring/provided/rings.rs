//! Rings of buffers: made, used up, and given back.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use tests::files::{TempFile, check};
use tests::require;
use uring::op::net::RecvSelect;
use uring::op::rw::ReadSelect;
use uring::ring::{BufRing, BufRingOptions};
use uring::{Cqe, Ring};
use uring_sys::{IORING_UNREGISTER_PBUF_RING, io_uring_buf_reg, io_uring_register};

use crate::common::taken;
use crate::ops::common::{kernel_is_at_least, push, ring, run};

const GROUP: u16 = 3;

fn register(ring: &Ring, options: &BufRingOptions) -> BufRing {
    ring.registrar().register_buf_ring(GROUP, options).unwrap()
}

/// Reads 100 bytes at an offset to a buffer of the group.
#[track_caller]
fn read(ring: &mut Ring, file: &File, offset: u64) -> Cqe {
    push(ring, unsafe { ReadSelect::new(file, GROUP, 100, offset) });
    ring.wait(1).unwrap().next().unwrap()
}

fn use_up_and_give_back(options: &BufRingOptions) {
    let file = TempFile::new(1000);
    let mut ring = ring();
    let buffers = register(&ring, options);
    assert_eq!((buffers.entries(), buffers.given(), buffers.group()), (4, 4, GROUP));
    for turn in 0..3 {
        let mut held: Vec<_> = (0..4)
            .map(|nth| {
                let cqe = read(&mut ring, file.file(), turn * 100 + nth * 10);
                assert_eq!(cqe.result().unwrap(), 100);
                unsafe { buffers.take(&cqe) }.expect("a buffer")
            })
            .collect();
        let mut ids: Vec<_> = held.iter().map(|buffer| buffer.id()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3]);
        for (buffer, nth) in held.iter_mut().zip(0..) {
            check(buffer, turn * 100 + nth * 10);
            buffer.fill(0xee);
        }
        let none_left = read(&mut ring, file.file(), 0);
        assert_eq!(taken(&none_left).1, Err(libc::ENOBUFS));
        assert!(unsafe { buffers.take(&none_left) }.is_none());
        assert_eq!(buffers.given(), 0);
        // In another order than they came.
        held.swap(0, 2);
    }
}

#[test]
fn buffers_are_used_up_and_given_back() {
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    use_up_and_give_back(&BufRingOptions::new(4, 128));
}

#[test]
fn the_kernel_may_allocate_the_ring() {
    require!(kernel_is_at_least(6, 4), "Linux 6.4");
    use_up_and_give_back(&BufRingOptions::new(4, 128).kernel_memory());
}

#[test]
fn indices_pass_the_last_number_of_sixteen_bits() {
    let zeros = File::open("/dev/zero").unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let buffers = register(&ring, &BufRingOptions::new(4, 64));
    for _ in 0..(1 << 16) / 4 + 10 {
        for _ in 0..4 {
            push(&mut ring, unsafe { ReadSelect::new(&zeros, GROUP, 1, 0) });
        }
        for cqe in ring.wait(4).unwrap() {
            let mut buffer = unsafe { buffers.take(&cqe) }.expect("a buffer");
            assert_eq!(buffer[..], [0]);
            buffer[0] = 1;
        }
    }
    assert_eq!(buffers.given(), 4);
    require!(kernel_is_at_least(6, 8), "Linux 6.8");
    assert_eq!((buffers.head().unwrap(), buffers.available().unwrap()), (40, 4));
}

#[test]
fn the_kernel_tells_how_many_it_has_taken() {
    let file = TempFile::new(1000);
    let mut ring = ring();
    require!(kernel_is_at_least(6, 8), "Linux 6.8");
    let buffers = register(&ring, &BufRingOptions::new(4, 128));
    assert_eq!((buffers.head().unwrap(), buffers.available().unwrap()), (0, 4));
    let cqe = read(&mut ring, file.file(), 0);
    assert_eq!((buffers.head().unwrap(), buffers.available().unwrap(), buffers.given()), (1, 3, 4));
    drop(unsafe { buffers.take(&cqe) });
    assert_eq!((ring.registrar().buf_ring_head(GROUP).unwrap(), buffers.available().unwrap()), (1, 4));
    let error = ring.registrar().buf_ring_head(GROUP + 1).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
}

#[test]
fn a_completion_is_good_for_one_buffer_once() {
    let file = TempFile::new(1000);
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let buffers = register(&ring, &BufRingOptions::new(1, 128));
    let cqe = read(&mut ring, file.file(), 0);
    let buffer = unsafe { buffers.take(&cqe) };
    assert!(buffer.is_some());
    // While it is held, a mistake is seen.
    assert!(unsafe { buffers.take(&cqe) }.is_none());
}

#[test]
fn a_receive_takes_a_buffer_when_there_is_something() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 8), "Linux 6.8");
    let buffers = register(&ring, &BufRingOptions::new(4, 128));
    push(&mut ring, unsafe { RecvSelect::new(&near, GROUP, 3, 0) });
    ring.submit().unwrap();
    assert_eq!(buffers.available().unwrap(), 4);
    far.write_all(b"hello").unwrap();
    let cqe = ring.wait(1).unwrap().next().unwrap();
    assert_eq!(unsafe { buffers.take(&cqe) }.unwrap()[..], *b"hel");
}

#[test]
fn a_ring_of_buffers_is_refused_with_a_reason() {
    let ring = ring();
    let register = |options| ring.registrar().register_buf_ring(GROUP, &options).map(drop);
    let error = |options: BufRingOptions| {
        let error = register(options).unwrap_err();
        (error.raw_os_error(), error.to_string())
    };
    for entries in [0, 3, 1 << 16, usize::MAX] {
        let (errno, text) = error(BufRingOptions::new(entries, 16));
        assert_eq!(errno, Some(libc::EINVAL));
        assert!(text.contains("power of two"), "{text}");
    }
    for len in [0, 1 << 32] {
        let (errno, text) = error(BufRingOptions::new(4, len));
        assert_eq!(errno, Some(libc::EINVAL));
        assert!(text.contains("bytes"), "{text}");
    }
    if !kernel_is_at_least(5, 19) {
        assert!(error(BufRingOptions::new(4, 16)).1.contains("5.19"));
    }
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    register(BufRingOptions::new(1 << 15, 1)).unwrap();
}

#[test]
fn a_group_is_registered_once_and_unregistered_once() {
    let ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let options = BufRingOptions::new(4, 16);
    let first = register(&ring, &options);
    let error = ring.registrar().register_buf_ring(GROUP, &options).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
    assert!(error.to_string().contains("group 3"), "{error}");
    first.unregister().unwrap();

    let second = register(&ring, &options);
    let mut arg = io_uring_buf_reg { bgid: GROUP, ..Default::default() };
    let arg = (&raw mut arg).cast();
    assert_eq!(unsafe { io_uring_register(ring.as_raw_fd(), IORING_UNREGISTER_PBUF_RING, arg, 1) }, 0);
    let error = second.unregister().unwrap_err();
    // EINVAL, as older kernels say of the first 64 groups.
    assert!([Some(libc::ENOENT), Some(libc::EINVAL)].contains(&error.raw_os_error()), "{error}");
    unsafe { register(&ring, &options).free() }.unwrap();
}

#[test]
fn a_group_that_is_gone_has_no_buffers() {
    let file = TempFile::new(1000);
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    drop(register(&ring, &BufRingOptions::new(4, 128)));
    let read = unsafe { ReadSelect::new(file.file(), GROUP, 100, 0) };
    assert_eq!(run(&mut ring, read), Err(libc::ENOBUFS));
}
