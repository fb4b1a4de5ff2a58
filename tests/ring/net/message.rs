//! Messages received again and again.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use tests::require;
use uring::op::net::{Recvmsg, RecvmsgMultishot, RecvmsgOut};
use uring::ring::{BufRing, BufRingOptions};
use uring::{CqeFlags, Ring};

use super::common::{NAME_LEN, Name, udp};
use crate::ops::common::{kernel_is_at_least, next, provide, push, ring};

const GROUP: u16 = 2;
const CONTROL: usize = 64;

fn buffers(ring: &Ring, len: usize) -> BufRing {
    ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(4, len)).unwrap()
}

/// Receives messages of a socket whose names and control messages have so much room.
fn receive(ring: &mut Ring, socket: &UdpSocket, name: u32, control: usize, flags: i32) {
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_namelen, message.msg_controllen) = (name, control as _);
    push(ring, unsafe { RecvmsgMultishot::new(socket, &raw const message, GROUP, flags) });
    ring.submit().unwrap();
}

fn ask_for_ttl(socket: &UdpSocket) {
    let one = 1i32;
    let (fd, one) = (socket.as_raw_fd(), (&raw const one).cast());
    assert_eq!(unsafe { libc::setsockopt(fd, libc::IPPROTO_IP, libc::IP_RECVTTL, one, 4) }, 0);
}

#[test]
fn messages_come_with_names_and_control_messages() {
    let ((near, from), (far, to)) = (udp(), udp());
    ask_for_ttl(&far);
    near.set_ttl(17).unwrap();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let buffers = buffers(&ring, 256);
    receive(&mut ring, &far, NAME_LEN, CONTROL, 0);
    for data in [&b"hello"[..], b"", b"world!"] {
        near.send_to(data, to).unwrap();
        let cqe = ring.wait(1).unwrap().next().unwrap();
        assert_eq!(cqe.has_more(), !data.is_empty(), "an empty one is taken for the end: {cqe:?}");
        if !cqe.has_more() {
            receive(&mut ring, &far, NAME_LEN, CONTROL, 0);
        }
        let buffer = unsafe { buffers.take(&cqe) }.unwrap();
        let out = RecvmsgOut::parse(&buffer, NAME_LEN as usize, CONTROL).expect("a message");
        assert_eq!((out.payload(), out.payload_len()), (data, data.len()));
        let mut name = Name::none();
        assert_eq!(out.name().len(), size_of_val(&name.0));
        unsafe { out.name().as_ptr().copy_to(name.as_mut_ptr().cast(), out.name().len()) };
        assert_eq!(name.address(), from);
        let messages: Vec<_> = out.control_messages().collect();
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!((messages[0].level, messages[0].kind), (libc::IPPROTO_IP, libc::IP_TTL));
        assert_eq!(messages[0].data, 17i32.to_ne_bytes());
        assert!(!out.is_name_truncated() && !out.is_control_truncated() && !out.is_payload_truncated());
    }
}

#[test]
fn what_has_no_room_is_cut_and_told() {
    let ((near, _), (far, to)) = (udp(), udp());
    ask_for_ttl(&far);
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let buffers = buffers(&ring, 16 + 4 + 8 + 3);
    receive(&mut ring, &far, 4, 8, libc::MSG_TRUNC);
    near.send_to(b"hello", to).unwrap();
    let cqe = ring.wait(1).unwrap().next().unwrap();
    let buffer = unsafe { buffers.take(&cqe) }.unwrap();
    assert_eq!(buffer.len(), buffers.buffer_len());
    let out = RecvmsgOut::parse(&buffer, 4, 8).expect("a message");
    assert_eq!((out.name().len(), out.payload(), out.payload_len()), (4, &b"hel"[..], 5));
    assert!(out.is_name_truncated() && out.is_payload_truncated() && out.is_control_truncated());
    assert_eq!(out.control_messages().count(), 0);
}

#[test]
fn a_buffer_without_room_for_the_names_ends_the_receive() {
    let ((near, _), (far, to)) = (udp(), udp());
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let _buffers = buffers(&ring, 16);
    receive(&mut ring, &far, NAME_LEN, 0, 0);
    near.send_to(b"hello", to).unwrap();
    let (_, result, flags) = next(&mut ring);
    assert_eq!(result, Err(libc::EFAULT));
    assert!(!flags.contains(CqeFlags::MORE));
}

#[test]
fn one_message_takes_a_provided_buffer() {
    let ((near, from), (far, to)) = (udp(), udp());
    let mut memory = [0; 8];
    let mut name = Name::none();
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_name, message.msg_namelen) = (name.as_mut_ptr().cast(), NAME_LEN);
    let mut place = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 8 };
    (message.msg_iov, message.msg_iovlen) = (&raw mut place, 1);
    let mut ring = ring();
    provide(&mut ring, GROUP, &mut memory, 8);
    near.send_to(b"hello", to).unwrap();
    push(&mut ring, unsafe { Recvmsg::new(&far, &raw mut message, 0) }.select(GROUP));
    let (_, result, flags) = next(&mut ring);
    assert_eq!(result, Ok(5));
    assert!(flags.contains(CqeFlags::BUFFER));
    assert_eq!((&memory[..5], name.address()), (&b"hello"[..], from));
    near.send_to(b"hello", to).unwrap();
    push(&mut ring, unsafe { Recvmsg::new(&far, &raw mut message, 0) }.select(GROUP));
    assert_eq!(next(&mut ring).1, Err(libc::ENOBUFS));
}
