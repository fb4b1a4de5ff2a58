//! Sockets and their addresses.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use uring::Cqe;

/// A connection over the loopback device.
pub(crate) fn tcp() -> (TcpStream, TcpStream) {
    let listener = listener();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    let server = listener.accept().unwrap().0;
    server.set_nodelay(true).unwrap();
    (client, server)
}

pub(crate) fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// A socket for datagrams, and its address.
pub(crate) fn udp() -> (UdpSocket, SocketAddrV4) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let std::net::SocketAddr::V4(address) = socket.local_addr().unwrap() else { unreachable!() };
    (socket, address)
}

/// An address as C has it.
pub(crate) struct Name(pub(crate) libc::sockaddr_in);

pub(crate) const NAME_LEN: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

impl Name {
    pub(crate) fn of(address: SocketAddrV4) -> Self {
        let mut name = Self::none();
        name.0.sin_family = libc::AF_INET as u16;
        name.0.sin_port = address.port().to_be();
        name.0.sin_addr.s_addr = u32::from(*address.ip()).to_be();
        name
    }

    pub(crate) fn none() -> Self {
        Self(unsafe { std::mem::zeroed() })
    }

    pub(crate) fn address(&self) -> SocketAddrV4 {
        let ip = Ipv4Addr::from(u32::from_be(self.0.sin_addr.s_addr));
        SocketAddrV4::new(ip, u16::from_be(self.0.sin_port))
    }

    pub(crate) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.0).cast()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (&raw mut self.0).cast()
    }
}

/// The address of a socket.
pub(crate) fn name_of(socket: &impl AsRawFd) -> SocketAddrV4 {
    let (mut name, mut len) = (Name::none(), NAME_LEN);
    assert_eq!(unsafe { libc::getsockname(socket.as_raw_fd(), name.as_mut_ptr(), &raw mut len) }, 0);
    name.address()
}

/// The descriptor that a request has made.
#[track_caller]
pub(crate) fn made(result: Result<u32, i32>) -> OwnedFd {
    unsafe { OwnedFd::from_raw_fd(result.expect("a descriptor") as i32) }
}

/// The result of a completion, or the errno.
pub(crate) fn result(cqe: &Cqe) -> Result<u32, i32> {
    crate::common::taken(cqe).1
}
