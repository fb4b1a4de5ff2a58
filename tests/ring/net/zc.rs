//! To send without copying.

use std::io::Read;
use std::os::unix::net::UnixStream;

use tests::require;
use uring::op::net::{RecvZc, SendZc, SendmsgZc, ZC_COPIED};
use uring::op::ring::Nop;
use uring::{Cqe32, Op, Ring, Sqe};

use super::common::{NAME_LEN, Name, result, tcp, udp};
use crate::ops::common::{has, iovec, kernel_is_at_least, push, ring, run};

/// Runs a send and gives its result, and that of the notification, if there is one: that of an error may have none.
#[track_caller]
fn run_zc(ring: &mut Ring, request: impl Into<Sqe>) -> (Result<u32, i32>, Option<i32>) {
    push(ring, request);
    let first = ring.wait(1).unwrap().next().unwrap();
    assert!(!first.is_notification(), "{first:?}");
    if !first.has_more() {
        return (result(&first), None);
    }
    let second = ring.wait(1).unwrap().next().unwrap();
    assert!(!second.has_more() && second.is_notification(), "{second:?}");
    assert_eq!(first.user_data(), second.user_data());
    (result(&first), Some(second.raw_result()))
}

#[test]
fn a_send_without_copies_tells_when_the_memory_is_free() {
    let (client, mut server) = tcp();
    let data = [7; 4096];
    let mut buffer = vec![0; 4096];
    let mut ring = ring();
    require!(has(&ring, Op::SEND_ZC), "Linux 6.0");
    let send = || unsafe { SendZc::new(&client, data.as_ptr(), data.len(), 0) };
    let (sent, told) = run_zc(&mut ring, send().poll_first().user_data(5));
    assert_eq!((sent, told), (Ok(4096), Some(0)));
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, data);
    require!(kernel_is_at_least(6, 2), "Linux 6.2");
    let (sent, told) = run_zc(&mut ring, send().report_usage());
    assert_eq!((sent, told), (Ok(4096), Some(ZC_COPIED)), "the loopback device copies");
}

#[test]
fn a_ring_that_sends_nothing_ends_in_another_thread_while_others_send_without_copies() {
    let (client, _server) = tcp();
    let mut ring = ring();
    assert_eq!(run(&mut ring, Nop::new()), Ok(0));
    let request = unsafe { SendZc::new(&client, [0].as_ptr(), 1, 0) };
    let other = std::thread::spawn(move || ring.close());
    other.join().unwrap().expect("this thread, which keeps its rings, does not keep it");
    drop(request);
}

#[test]
fn a_ring_ends_after_a_send_without_copies_that_was_made_of_a_raw_entry() {
    let (client, _server) = tcp();
    let data = [0; 10];
    let mut ring = ring();
    require!(has(&ring, Op::SEND_ZC), "Linux 6.0");
    let raw = *Sqe::from(unsafe { SendZc::new(&client, data.as_ptr(), data.len(), 0) }).as_raw();
    assert_eq!(run_zc(&mut ring, unsafe { Sqe::from_raw(raw) }).0, Ok(10));
    push(&mut ring, unsafe { Sqe::from_raw(raw) });
    ring.close().unwrap();
}

#[test]
fn a_send_without_copies_takes_a_registered_buffer() {
    let (client, mut server) = tcp();
    let mut memory = vec![9; 8192];
    let mut buffer = vec![0; 4096];
    let mut ring = ring();
    require!(has(&ring, Op::SEND_ZC), "Linux 6.0");
    unsafe { ring.registrar().register_buffers(&[iovec(&mut memory)]) }.unwrap();
    let send = |at: usize| unsafe { SendZc::new(&client, memory.as_ptr().add(at), 4096, 0) };
    assert_eq!(run_zc(&mut ring, send(4096).fixed_buffer(0)).0, Ok(4096));
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, [9; 4096]);
    assert_eq!(run_zc(&mut ring, send(0).fixed_buffer(1)).0, Err(libc::EFAULT), "there is none");
    assert_eq!(run_zc(&mut ring, send(4097).fixed_buffer(0)).0, Err(libc::EFAULT), "it ends before");
}

#[test]
fn a_socket_that_copies_refuses_to_send_without() {
    let (near, _far) = UnixStream::pair().unwrap();
    let mut ring = ring();
    let send = unsafe { SendZc::new(&near, b"x".as_ptr(), 1, 0) };
    let errno = if has(&ring, Op::SEND_ZC) { libc::EOPNOTSUPP } else { libc::EINVAL };
    assert_eq!(run_zc(&mut ring, send).0, Err(errno));
}

#[test]
fn a_message_and_a_datagram_are_sent_without_copies() {
    let ((near, from), (far, to)) = (udp(), udp());
    let mut to = Name::of(to);
    let (mut first, mut second) = (*b"hello ", *b"world");
    let mut pieces = [iovec(&mut first), iovec(&mut second)];
    let mut buffer = [0; 16];
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_name, message.msg_namelen) = (to.as_mut_ptr().cast(), NAME_LEN);
    (message.msg_iov, message.msg_iovlen) = (pieces.as_mut_ptr(), 2);
    let mut ring = ring();
    require!(has(&ring, Op::SENDMSG_ZC), "Linux 6.1");
    assert_eq!(run_zc(&mut ring, unsafe { SendmsgZc::new(&near, &raw const message, 0) }), (Ok(11), Some(0)));
    assert_eq!(far.recv_from(&mut buffer).unwrap(), (11, from.into()));
    assert_eq!(&buffer[..11], b"hello world");
    let send = unsafe { SendZc::new(&near, b"again".as_ptr(), 5, 0).to(to.as_ptr(), NAME_LEN as u16) };
    assert_eq!(run_zc(&mut ring, send), (Ok(5), Some(0)));
    assert_eq!(far.recv_from(&mut buffer).unwrap(), (5, from.into()));
    require!(kernel_is_at_least(6, 17), "Linux 6.17");
    let (near, mut far) = tcp();
    let send = unsafe { SendZc::vectored(&near, pieces.as_ptr(), 2, 0) };
    assert_eq!(run_zc(&mut ring, send), (Ok(11), Some(0)));
    far.read_exact(&mut buffer[..11]).unwrap();
    assert_eq!(&buffer[..11], b"hello world");
}

#[test]
fn nothing_is_received_without_copies_but_by_a_queue_of_a_device() {
    let (client, _server) = tcp();
    let mut ring: Ring = ring();
    let refused = run(&mut ring, unsafe { RecvZc::new(&client, 0, 0) });
    assert_eq!(refused, Err(libc::EINVAL));
    require!(has(&ring, Op::RECV_ZC), "Linux 6.15");
    let mut ring: Ring<Sqe, Cqe32> = Ring::new(4).unwrap();
    push(&mut ring, unsafe { RecvZc::new(&client, 0, 0) });
    assert_eq!(result(&ring.wait(1).unwrap().next().unwrap()), Err(libc::EINVAL));
}
