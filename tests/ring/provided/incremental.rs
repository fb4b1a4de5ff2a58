//! Buffers that are used in parts.

use std::io::Write;
use std::os::unix::net::UnixStream;

use tests::require;
use uring::op::net::{RecvMultishot, RecvSelect};
use uring::ring::{BufRing, BufRingOptions, Buffer};
use uring::{Cqe, CqeFlags, Ring};

use crate::ops::common::{kernel_is_at_least, push, ring};

const GROUP: u16 = 6;

fn register(ring: &Ring, entries: usize) -> BufRing {
    ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(entries, 10).incremental()).unwrap()
}

/// Has a receive see the bytes.
#[track_caller]
fn send(ring: &mut Ring, far: &mut UnixStream, data: &[u8]) -> Cqe {
    far.write_all(data).unwrap();
    ring.wait(1).unwrap().next().unwrap()
}

#[track_caller]
fn seen(buffer: &Buffer<'_>, id: u16, offset: usize, data: &[u8]) {
    assert_eq!((buffer.id(), buffer.offset(), &buffer[..]), (id, offset, data));
}

#[test]
fn receives_follow_each_other_in_a_buffer_until_it_is_used_up() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 12), "Linux 6.12");
    let buffers = register(&ring, 2);
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
    ring.submit().unwrap();

    let cqe = send(&mut ring, &mut far, b"hello");
    assert!(cqe.flags().contains(CqeFlags::BUF_MORE));
    let first = unsafe { buffers.take(&cqe) }.unwrap();
    let cqe = send(&mut ring, &mut far, b"you");
    let second = unsafe { buffers.take(&cqe) }.unwrap();
    seen(&first, 0, 0, b"hello");
    seen(&second, 0, 5, b"you");
    drop(first);
    assert_eq!((buffers.given(), buffers.available().unwrap()), (2, 2));

    let cqe = send(&mut ring, &mut far, b"ab");
    assert!(!cqe.flags().contains(CqeFlags::BUF_MORE), "used up");
    seen(&unsafe { buffers.take(&cqe) }.unwrap(), 0, 8, b"ab");
    assert_eq!((buffers.given(), buffers.available().unwrap()), (1, 1), "a part is held");
    seen(&second, 0, 5, b"you");
    drop(second);
    assert_eq!((buffers.given(), buffers.available().unwrap()), (2, 2));

    for (id, offset, data) in [(1, 0, b"123456"), (1, 6, b"7890xy"), (0, 2, b"------")] {
        let cqe = send(&mut ring, &mut far, data);
        let buffer = unsafe { buffers.take(&cqe) }.unwrap();
        if offset + data.len() <= 10 {
            seen(&buffer, id, offset, data);
        } else {
            seen(&buffer, id, offset, &data[..10 - offset]);
            let rest = ring.wait(1).unwrap().next().unwrap();
            seen(&unsafe { buffers.take(&rest) }.unwrap(), 0, 0, &data[10 - offset..]);
        }
    }
}

#[test]
fn the_end_of_a_stream_leaves_the_buffer_where_it_is() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 12), "Linux 6.12");
    let buffers = register(&ring, 1);
    let recv = || unsafe { RecvSelect::new(&near, GROUP, 0, 0) };
    push(&mut ring, recv());
    let cqe = send(&mut ring, &mut far, b"abc");
    seen(&unsafe { buffers.take(&cqe) }.unwrap(), 0, 0, b"abc");
    drop(far);
    for _ in 0..3 {
        push(&mut ring, recv());
        let cqe = ring.wait(1).unwrap().next().unwrap();
        assert_eq!(cqe.result().unwrap(), 0);
        drop(unsafe { buffers.take(&cqe) });
        assert_eq!((buffers.given(), buffers.available().unwrap()), (1, 1));
    }
}

#[test]
fn a_buffer_with_little_left_is_given_up() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 12), "Linux 6.12");
    let options = BufRingOptions::new(2, 10).min_left(4);
    let buffers = match ring.registrar().register_buf_ring(GROUP, &options) {
        Ok(buffers) => buffers,
        Err(error) => {
            assert!(
                error.raw_os_error() == Some(libc::EINVAL) && error.to_string().contains("min_left"),
                "{error}"
            );
            tests::skip!("a kernel that takes `min_left`");
        }
    };
    push(&mut ring, unsafe { RecvMultishot::new(&near, GROUP, 0) });
    ring.submit().unwrap();
    for (id, offset, data, more) in
        [(0, 0, &b"12345"[..], true), (0, 5, b"67", false), (1, 0, b"1234567", false)]
    {
        let cqe = send(&mut ring, &mut far, data);
        assert_eq!(cqe.flags().contains(CqeFlags::BUF_MORE), more, "{cqe:?}");
        seen(&unsafe { buffers.take(&cqe) }.unwrap(), id, offset, data);
    }
    assert_eq!((buffers.given(), buffers.available().unwrap()), (2, 2));
}
