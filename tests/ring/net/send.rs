//! To send and to receive, once.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::ptr;

use tests::require;
use uring::op::net::{Recv, Recvmsg, Send, Sendmsg};
use uring::{CqeFlags, Fixed, Target};

use super::common::{NAME_LEN, Name, tcp, udp};
use crate::ops::common::{
    NOWHERE, closed_descriptor, iovec, kernel_is_at_least, next, pipe, push, ring, run, take,
};

fn send(to: impl Target, data: &'static [u8]) -> Send {
    unsafe { Send::new(to, data.as_ptr(), data.len(), 0) }
}

fn recv(from: impl Target, buffer: &mut [u8], flags: i32) -> Recv {
    unsafe { Recv::new(from, buffer.as_mut_ptr(), buffer.len(), flags) }
}

#[test]
fn bytes_are_sent_and_received() {
    let (client, mut server) = tcp();
    let mut buffer = [0; 8];
    let mut ring = ring();
    assert_eq!(run(&mut ring, send(&client, b"hello")), Ok(5));
    server.read_exact(&mut buffer[..5]).unwrap();
    assert_eq!(&buffer[..5], b"hello");
    server.write_all(b"world").unwrap();
    assert_eq!(run(&mut ring, recv(&client, &mut buffer, libc::MSG_PEEK)), Ok(5));
    assert_eq!(run(&mut ring, recv(&client, &mut buffer, 0)), Ok(5));
    assert_eq!(&buffer[..5], b"world");
    assert_eq!(run(&mut ring, recv(&client, &mut buffer, libc::MSG_DONTWAIT)), Err(libc::EAGAIN));
    drop(server);
    assert_eq!(run(&mut ring, recv(&client, &mut buffer, 0)), Ok(0), "the end");
}

#[test]
fn a_registered_socket_stands_for_a_descriptor() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut buffer = [0; 8];
    let mut ring = ring();
    ring.registrar().register_files(&[uring::ring::FilePlace::Empty, near.as_fd().into()]).unwrap();
    assert_eq!(run(&mut ring, send(Fixed(1), b"hello")), Ok(5));
    far.read_exact(&mut buffer[..5]).unwrap();
    far.write_all(b"world").unwrap();
    assert_eq!(run(&mut ring, recv(Fixed(1), &mut buffer, 0)), Ok(5));
    assert_eq!(&buffer[..5], b"world");
    assert_eq!(run(&mut ring, send(Fixed(0), b"hello")), Err(libc::EBADF));
}

#[test]
fn a_receive_waits_for_all_that_it_is_to_wait_for() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut buffer = [0; 8];
    let mut ring = ring();
    push(&mut ring, recv(&near, &mut buffer, libc::MSG_WAITALL));
    ring.submit().unwrap();
    for part in [&b"half"[..], b"half"] {
        assert_eq!(ring.completions().unwrap().count(), 0);
        far.write_all(part).unwrap();
    }
    let (_, result, flags) = next(&mut ring);
    assert_eq!((result, flags), (Ok(8), CqeFlags::empty()));
    assert_eq!(&buffer, b"halfhalf");
}

#[test]
fn a_receive_tells_whether_there_is_more() {
    let (client, mut server) = tcp();
    let mut buffer = [0; 2];
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    server.write_all(b"abc").unwrap();
    for (expected, is_more) in [(2, true), (1, false)] {
        push(&mut ring, recv(&client, &mut buffer, 0));
        let (_, result, flags) = next(&mut ring);
        assert_eq!((result, flags.contains(CqeFlags::SOCK_NONEMPTY)), (Ok(expected), is_more));
    }
}

#[test]
fn sends_and_receives_may_wait_for_readiness_first() {
    let (near, far) = UnixStream::pair().unwrap();
    let mut buffer = [0; 8];
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    push(&mut ring, recv(&far, &mut buffer, 0).poll_first().user_data(1));
    ring.submit().unwrap();
    push(&mut ring, send(&near, b"hello").poll_first().user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, Ok(5)), (2, Ok(5))]);
    assert_eq!(&buffer[..5], b"hello");
}

#[test]
fn sends_and_receives_fail_as_the_calls_do() {
    let (near, far) = UnixStream::pair().unwrap();
    let (_reader, writer) = pipe();
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    let mut ring = ring();
    for (socket, errno) in [(writer.as_fd(), libc::ENOTSOCK), (closed_descriptor(), libc::EBADF)] {
        assert_eq!(run(&mut ring, send(socket, b"x")), Err(errno));
        assert_eq!(run(&mut ring, recv(socket, &mut [0], 0)), Err(errno));
        assert_eq!(run(&mut ring, unsafe { Sendmsg::new(socket, &raw const message, 0) }), Err(errno));
        assert_eq!(run(&mut ring, unsafe { Recvmsg::new(socket, &raw mut message, 0) }), Err(errno));
    }
    assert_eq!(run(&mut ring, unsafe { Send::new(&near, NOWHERE, 1, 0) }), Err(libc::EFAULT));
    assert_eq!(run(&mut ring, unsafe { Sendmsg::new(&near, ptr::null(), 0) }), Err(libc::EFAULT));
    far.shutdown(Shutdown::Read).unwrap();
    assert_eq!(run(&mut ring, send(&near, b"x")), Err(libc::EPIPE), "and no signal");
}

#[test]
fn a_datagram_is_sent_to_an_address() {
    let ((near, from), (far, to)) = (udp(), udp());
    let to = Name::of(to);
    let mut buffer = [0; 8];
    let mut ring = ring();
    assert_eq!(run(&mut ring, send(&near, b"hello")), Err(libc::EDESTADDRREQ));
    require!(kernel_is_at_least(6, 1), "Linux 6.1");
    let sent = run(&mut ring, unsafe { send(&near, b"hello").to(to.as_ptr(), NAME_LEN as u16) });
    assert_eq!(sent, Ok(5));
    assert_eq!(far.recv_from(&mut buffer).unwrap(), (5, from.into()));
    assert_eq!(&buffer[..5], b"hello");
}

#[test]
fn a_send_takes_several_pieces_of_memory() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let (mut first, mut second) = (*b"hello ", *b"world");
    let mut buffer = [0; 11];
    let iovecs = [iovec(&mut first), iovec(&mut second)];
    let mut ring = ring();
    let send = |nr| unsafe { Send::vectored(&near, iovecs.as_ptr(), nr, 0) };
    require!(kernel_is_at_least(6, 0), "Linux 6.0, which knows what it does not know");
    if !kernel_is_at_least(6, 17) {
        assert_eq!(run(&mut ring, send(2)), Err(libc::EINVAL));
    }
    require!(kernel_is_at_least(6, 17), "Linux 6.17");
    assert_eq!(run(&mut ring, send(2)), Ok(11));
    far.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello world");
    assert_eq!(run(&mut ring, send(1025)), Err(libc::EINVAL));
}

#[test]
fn a_message_has_pieces_and_a_sender() {
    let ((near, from), (far, to)) = (udp(), udp());
    let (mut to, mut sender) = (Name::of(to), Name::none());
    let (mut first, mut second) = (*b"hello ", *b"world");
    let mut buffer = [0; 8];
    let mut pieces = [iovec(&mut first), iovec(&mut second)];
    let mut place = iovec(&mut buffer);
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_name, message.msg_namelen) = (to.as_mut_ptr().cast(), NAME_LEN);
    (message.msg_iov, message.msg_iovlen) = (pieces.as_mut_ptr(), 2);
    let mut received: libc::msghdr = unsafe { std::mem::zeroed() };
    (received.msg_name, received.msg_namelen) = (sender.as_mut_ptr().cast(), NAME_LEN);
    (received.msg_iov, received.msg_iovlen) = (&raw mut place, 1);
    let mut ring = ring();
    push(&mut ring, unsafe { Recvmsg::new(&far, &raw mut received, 0) }.user_data(1));
    ring.submit().unwrap();
    push(&mut ring, unsafe { Sendmsg::new(&near, &raw const message, 0) }.user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, Ok(8)), (2, Ok(11))]);
    assert_eq!((&buffer, received.msg_flags & libc::MSG_TRUNC), (b"hello wo", libc::MSG_TRUNC));
    assert_eq!((sender.address(), received.msg_namelen), (from, NAME_LEN));
}
