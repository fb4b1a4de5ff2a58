//! To accept connections.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use tests::require;
use uring::op::net::Accept;
use uring::op::rw::Write as WriteOp;
use uring::{CqeFlags, FileIndex, Fixed};

use super::common::{NAME_LEN, Name, listener, made, name_of};
use crate::ops::common::{kernel_is_at_least, next, push, ring, run};

fn connect(listener: &impl AsRawFd) -> TcpStream {
    TcpStream::connect(name_of(listener)).unwrap()
}

#[test]
fn a_connection_is_accepted_with_the_address_of_its_peer() {
    let listener = listener();
    let (mut name, mut len) = (Name::none(), NAME_LEN);
    let mut ring = ring();
    let accept = unsafe { Accept::new(&listener, libc::SOCK_CLOEXEC) };
    push(&mut ring, unsafe { accept.peer(name.as_mut_ptr(), &raw mut len) });
    ring.submit().unwrap();
    let mut client = connect(&listener);
    let server = made(next(&mut ring).1);
    assert_eq!((name.address(), len), (name_of(&client), NAME_LEN));
    assert_eq!(unsafe { libc::fcntl(server.as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
    client.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    TcpStream::from(server).read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
}

#[test]
fn an_accept_goes_on_until_it_is_cancelled() {
    let listener = listener();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    ring.registrar().register_files(&[listener.as_fd().into()]).unwrap();
    push(&mut ring, Accept::fixed(Fixed(0), libc::SOCK_NONBLOCK).multishot().user_data(3));
    ring.submit().unwrap();
    for _ in 0..3 {
        let client = connect(&listener);
        let (user_data, result, flags) = next(&mut ring);
        assert!(user_data == 3 && flags.contains(CqeFlags::MORE));
        let server = TcpStream::from(made(result));
        assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        assert_ne!(unsafe { libc::fcntl(server.as_raw_fd(), libc::F_GETFL) } & libc::O_NONBLOCK, 0);
    }
    push(&mut ring, uring::op::cancel::AsyncCancel::new(3).user_data(4));
    let mut ends = [next(&mut ring), next(&mut ring)];
    ends.sort_by_key(|&(user_data, ..)| user_data);
    assert_eq!(ends, [(3, Err(libc::ECANCELED), CqeFlags::empty()), (4, Ok(0), CqeFlags::empty())]);
}

#[test]
fn connections_are_accepted_to_places() {
    let listener = listener();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    ring.registrar().register_files_sparse(4).unwrap();
    let accept = || unsafe { Accept::new(&listener, 0) };
    let mut clients = [0; 3].map(|_| connect(&listener));
    assert_eq!(run(&mut ring, accept().direct(Fixed(1))), Ok(0));
    push(&mut ring, accept().multishot().direct(FileIndex::ALLOC));
    let mut places = [1, 0, 0];
    for place in &mut places[1..] {
        let (_, result, flags) = next(&mut ring);
        assert!(flags.contains(CqeFlags::MORE));
        *place = result.expect("a place");
    }
    for (client, place) in clients.iter_mut().zip(places) {
        push(&mut ring, unsafe { WriteOp::new(Fixed(place), b"hello".as_ptr(), 5, 0) }.user_data(1));
        assert_eq!(next(&mut ring).1, Ok(5));
        let mut buffer = [0; 5];
        client.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"hello");
    }
    push(&mut ring, accept().multishot().direct(Fixed(0)).user_data(2));
    assert_eq!(next(&mut ring).1, Err(libc::EINVAL), "many do not fit one place");
    push(&mut ring, unsafe { Accept::new(&listener, libc::SOCK_CLOEXEC) }.direct(Fixed(0)));
    assert_eq!(next(&mut ring).1, Err(libc::EINVAL));
}

#[test]
fn an_accept_need_not_wait_and_may_wait_for_readiness_first() {
    let listener = listener();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 10), "Linux 6.10");
    let accept = || unsafe { Accept::new(&listener, 0) };
    assert_eq!(run(&mut ring, accept().dont_wait()), Err(libc::EAGAIN));
    push(&mut ring, accept().poll_first());
    ring.submit().unwrap();
    let clients = [connect(&listener), connect(&listener), connect(&listener)];
    let (_, result, flags) = next(&mut ring);
    drop(made(result));
    // Whether the others were there already is a matter of time.
    assert!(!flags.contains(CqeFlags::MORE));
    drop(made(run(&mut ring, accept().dont_wait())));
    push(&mut ring, accept());
    let (_, result, flags) = next(&mut ring);
    drop(made(result));
    assert!(!flags.contains(CqeFlags::SOCK_NONEMPTY), "no more of them wait");
    drop(clients);
}

#[test]
fn only_a_socket_that_listens_accepts() {
    let listener = listener();
    let (datagrams, stream) = (UdpSocket::bind("127.0.0.1:0").unwrap(), connect(&listener));
    let mut ring = ring();
    assert_eq!(run(&mut ring, unsafe { Accept::new(&datagrams, 0) }), Err(libc::EOPNOTSUPP));
    assert_eq!(run(&mut ring, unsafe { Accept::new(&stream, 0) }), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, unsafe { Accept::new(&listener, 1) }), Err(libc::EINVAL), "no such flag");
}
