//! The life of a socket: made, named, connected, ended.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use tests::require;
use uring::op::net::{Bind, Connect, Listen, Send, Shutdown, Socket};
use uring::{Fixed, Op};

use super::common::{NAME_LEN, Name, listener, made, name_of};
use crate::ops::common::{has, pipe, ring, run, take};

const ANY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

fn stream() -> OwnedFd {
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    made(u32::try_from(fd).map_err(|_| 0))
}

fn connect(socket: &impl AsFd, to: &Name) -> Connect {
    unsafe { Connect::new(socket, to.as_ptr(), NAME_LEN) }
}

fn bind(socket: &impl AsFd, to: &Name) -> Bind {
    unsafe { Bind::new(socket, to.as_ptr(), NAME_LEN) }
}

#[test]
fn a_socket_connects_and_is_shut_down() {
    let listener = listener();
    let (socket, to) = (stream(), Name::of(name_of(&listener)));
    let mut ring = ring();
    assert_eq!(run(&mut ring, connect(&socket, &to)), Ok(0));
    let (mut server, peer) = listener.accept().unwrap();
    assert_eq!(peer, name_of(&socket).into());
    assert_eq!(run(&mut ring, connect(&socket, &to)), Err(libc::EISCONN));
    require!(has(&ring, Op::SHUTDOWN), "Linux 5.11");
    assert_eq!(run(&mut ring, unsafe { Shutdown::new(&socket, libc::SHUT_WR) }), Ok(0));
    assert_eq!(server.read(&mut [0]).unwrap(), 0, "the end");
    assert_eq!(run(&mut ring, unsafe { Send::new(&socket, b"x".as_ptr(), 1, 0) }), Err(libc::EPIPE));
}

#[test]
fn a_connection_may_be_refused() {
    let nobody = Name::of(name_of(&listener()));
    let mut ring = ring();
    let socket = stream();
    assert_eq!(run(&mut ring, connect(&socket, &nobody)), Err(libc::ECONNREFUSED));
    let (near, _far) = UnixStream::pair().unwrap();
    assert_eq!(run(&mut ring, connect(&near, &nobody)), Err(libc::EINVAL));
    let (_reader, writer) = pipe();
    assert_eq!(run(&mut ring, connect(&writer, &nobody)), Err(libc::ENOTSOCK));
}

#[test]
fn nothing_is_shut_down_that_is_not_connected() {
    let mut ring = ring();
    require!(has(&ring, Op::SHUTDOWN), "Linux 5.11");
    let socket = stream();
    assert_eq!(run(&mut ring, unsafe { Shutdown::new(&socket, libc::SHUT_RDWR) }), Err(libc::ENOTCONN));
    assert_eq!(run(&mut ring, unsafe { Shutdown::new(&socket, 7) }), Err(libc::EINVAL));
}

#[test]
fn a_socket_is_made() {
    let mut ring = ring();
    require!(has(&ring, Op::SOCKET), "Linux 5.19");
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let socket = made(run(&mut ring, Socket::new(libc::AF_INET, kind, libc::IPPROTO_TCP)));
    let flags = |of| unsafe { libc::fcntl(socket.as_raw_fd(), of) };
    assert_eq!(flags(libc::F_GETFD), libc::FD_CLOEXEC);
    assert_ne!(flags(libc::F_GETFL) & libc::O_NONBLOCK, 0);
    assert_eq!(run(&mut ring, Socket::new(-1, kind, 0)), Err(libc::EAFNOSUPPORT));
    assert_eq!(run(&mut ring, Socket::new(libc::AF_INET, kind, 9999)), Err(libc::EINVAL));
}

#[test]
fn a_socket_may_live_without_a_descriptor() {
    let listener = listener();
    let to = Name::of(name_of(&listener));
    let mut ring = ring();
    require!(has(&ring, Op::SOCKET), "Linux 5.19");
    ring.registrar().register_files_sparse(2).unwrap();
    let socket = |kind| Socket::new(libc::AF_INET, libc::SOCK_STREAM | kind, 0).direct(Fixed(1));
    assert_eq!(run(&mut ring, socket(0)), Ok(0));
    assert_eq!(run(&mut ring, socket(libc::SOCK_CLOEXEC)), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, unsafe { Connect::new(Fixed(1), to.as_ptr(), NAME_LEN) }), Ok(0));
    assert_eq!(run(&mut ring, unsafe { Send::new(Fixed(1), b"hello".as_ptr(), 5, 0) }), Ok(5));
    assert_eq!(run(&mut ring, Shutdown::fixed(Fixed(1), libc::SHUT_WR)), Ok(0));
    let mut received = String::new();
    listener.accept().unwrap().0.read_to_string(&mut received).unwrap();
    assert_eq!(received, "hello");
}

#[test]
fn a_socket_gets_a_name_and_listens() {
    let mut ring = ring();
    require!(has(&ring, Op::LISTEN), "Linux 6.11");
    let (socket, any) = (stream(), Name::of(ANY));
    assert_eq!(run(&mut ring, bind(&socket, &any)), Ok(0));
    assert_eq!(run(&mut ring, unsafe { Listen::new(&socket, 4) }), Ok(0));
    let listener = TcpListener::from(socket);
    let name = name_of(&listener);
    let client = TcpStream::connect(name).unwrap();
    assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());

    let (another, taken) = (stream(), Name::of(name));
    assert_eq!(run(&mut ring, bind(&another, &taken)), Err(libc::EADDRINUSE));
    assert_eq!(run(&mut ring, bind(&client, &any)), Err(libc::EINVAL), "it has one");
    let (near, _far) = UnixStream::pair().unwrap();
    assert_eq!(run(&mut ring, unsafe { Listen::new(&near, 4) }), Err(libc::EINVAL));
    let (_reader, writer) = pipe();
    assert_eq!(run(&mut ring, unsafe { Listen::new(&writer, 4) }), Err(libc::ENOTSOCK));
}

#[test]
fn a_chain_makes_a_server() {
    let mut ring = ring();
    require!(has(&ring, Op::LISTEN), "Linux 6.11");
    ring.registrar().register_files_sparse(1).unwrap();
    let (any, link) = (Name::of(ANY), uring::SqeFlags::IO_LINK);
    let socket = Socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).direct(Fixed(0));
    ring.push(socket.flags(link).user_data(1)).unwrap();
    let bind = unsafe { Bind::new(Fixed(0), any.as_ptr(), NAME_LEN) };
    ring.push(bind.flags(link).user_data(2)).unwrap();
    ring.push(Listen::fixed(Fixed(0), 4).user_data(3)).unwrap();
    assert_eq!(take(&mut ring, 3), [(1, Ok(0)), (2, Ok(0)), (3, Ok(0))]);
}
