//! Questions to sockets, and their options.

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use tests::{require, require_newer};
use uring::op::net::{Getsockname, Getsockopt, Setsockopt, Siocinq, Siocoutq, Timestamp, TxTimestamp};
use uring::{Cqe32, Fixed, Ring, Sqe};

use super::common::{NAME_LEN, Name, name_of, tcp, udp};
use crate::ops::common::{kernel_is_at_least, pipe, push, ring, run};

#[test]
fn a_socket_tells_what_waits_in_it() {
    let (mut client, server) = tcp();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 7), "Linux 6.7");
    ring.registrar().register_files(&[server.as_fd().into()]).unwrap();
    assert_eq!(run(&mut ring, Siocinq::fixed(Fixed(0))), Ok(0));
    client.write_all(b"hello").unwrap();
    server.peek(&mut [0]).unwrap();
    assert_eq!(run(&mut ring, unsafe { Siocinq::new(&server) }), Ok(5));
    assert_eq!(run(&mut ring, unsafe { Siocoutq::new(&client) }), Ok(0), "all of it has arrived");
    let (near, _far) = UnixStream::pair().unwrap();
    assert_eq!(run(&mut ring, unsafe { Siocinq::new(&near) }), Err(libc::EOPNOTSUPP));
    let (_reader, writer) = pipe();
    assert_eq!(run(&mut ring, unsafe { Siocoutq::new(&writer) }), Err(libc::EOPNOTSUPP));
}

#[test]
fn options_are_set_and_asked_for() {
    let (client, _server) = tcp();
    let (one, mut value) = (1i32.to_ne_bytes(), [0; 4]);
    let mut ring = ring();
    require!(kernel_is_at_least(6, 7), "Linux 6.7");
    let set = |level, name, len| unsafe { Setsockopt::new(&client, level, name, one.as_ptr(), len) };
    let mut get = |level, name| unsafe { Getsockopt::new(&client, level, name, value.as_mut_ptr(), 4) };
    let ask = get(libc::SOL_SOCKET, libc::SO_KEEPALIVE);
    let refused = get(libc::IPPROTO_TCP, libc::TCP_NODELAY);
    assert_eq!(run(&mut ring, set(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 4)), Ok(0));
    assert_eq!(run(&mut ring, ask), Ok(4));
    assert_eq!(value, one);
    client.set_nodelay(false).unwrap();
    assert_eq!(run(&mut ring, set(libc::IPPROTO_TCP, libc::TCP_NODELAY, 4)), Ok(0));
    assert!(client.nodelay().unwrap());
    assert_eq!(run(&mut ring, set(libc::SOL_SOCKET, 9999, 4)), Err(libc::ENOPROTOOPT));
    assert_eq!(run(&mut ring, set(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, refused), Err(libc::EOPNOTSUPP));
}

#[test]
fn a_socket_tells_its_name_and_that_of_its_peer() {
    let (client, server) = tcp();
    let (mut name, mut len) = (Name::none(), NAME_LEN);
    let (to, room) = (name.as_mut_ptr(), &raw mut len);
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let ask = || unsafe { Getsockname::new(&client, to, room) };
    if !kernel_is_at_least(6, 19) {
        assert_eq!(run(&mut ring, ask()), Err(libc::EOPNOTSUPP));
    }
    require_newer!(kernel_is_at_least(6, 19), "Linux 6.19");
    assert_eq!(run(&mut ring, ask()), Ok(0));
    assert_eq!((name.address(), len), (name_of(&client), NAME_LEN));
    assert_eq!(run(&mut ring, ask().peer()), Ok(0));
    assert_eq!(name.address(), name_of(&server));
    let (lonely, _) = udp();
    let refused = unsafe { Getsockname::new(&lonely, to, room) }.peer();
    assert_eq!(run(&mut ring, refused), Err(libc::ENOTCONN));
}

#[test]
fn a_socket_tells_when_it_has_sent() {
    let ((near, _), (_far, to)) = (udp(), udp());
    require!(kernel_is_at_least(6, 17), "Linux 6.17");
    let mut ring: Ring<Sqe, Cqe32> = Ring::new(4).unwrap();
    let wanted = libc::SOF_TIMESTAMPING_TX_SOFTWARE
        | libc::SOF_TIMESTAMPING_SOFTWARE
        | libc::SOF_TIMESTAMPING_OPT_ID
        | libc::SOF_TIMESTAMPING_OPT_TSONLY;
    let set = unsafe {
        let (fd, value) = (near.as_raw_fd(), (&raw const wanted).cast());
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, value, 4)
    };
    assert_eq!(set, 0);
    push(&mut ring, unsafe { TxTimestamp::new(&near) }.user_data(6));
    ring.submit().unwrap();
    for key in 0..2 {
        near.send_to(b"hello", to).unwrap();
        let cqe = ring.wait(1).unwrap().next().unwrap();
        assert_eq!(cqe.user_data(), 6);
        let time = Timestamp::of(&cqe).expect("a time");
        assert_eq!((time.key, time.kind, time.is_hardware), (key, 0, false));
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) }, 0);
        assert!(time.seconds.abs_diff(now.tv_sec as u64) < 100 && time.nanoseconds < 1_000_000_000);
    }
}

#[test]
fn times_of_sends_take_large_completions() {
    let (near, _) = udp();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let refused = run(&mut ring, unsafe { TxTimestamp::new(&near) });
    let errno = if kernel_is_at_least(6, 17) { libc::EINVAL } else { libc::EOPNOTSUPP };
    assert_eq!(refused, Err(errno));
}
