//! Sends back what it is sent, over TCP: `cargo run -p uring --example echo -- ADDRESS`, or `--self-test`.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{FromRawFd, RawFd};
use std::thread;

use uring::ring::{BufRingOptions, Buffer};
use uring::{Ring, Sqe, op};

/// The group of buffers.
const GROUP: u16 = 0;
// Requests are named by what they do and by the descriptor of the connection.
const ACCEPT: u64 = 0;
const RECV: u64 = 1 << 32;
const SEND: u64 = 2 << 32;

struct Connection<'group> {
    stream: TcpStream,
    /// What is to be sent; the first is on its way.
    queue: VecDeque<Buffer<'group>>,
    has_ended: bool,
}

/// Serves so many connections.
fn serve(listener: &TcpListener, connections: usize) -> Result<(), Box<dyn Error>> {
    let ring = Ring::new(256)?;
    let buffers = ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(64, 16 * 1024))?;
    let (mut clients, mut starved, mut served) = (HashMap::new(), Vec::new(), 0);
    // Declared last, so dropped first: it waits for its requests, whose buffers and descriptors live until then.
    let mut ring: Ring = ring;
    accept(&mut ring, listener)?;
    while served < connections {
        let _ = ring.wait(1)?;
        while let Some(cqe) = ring.next_completion() {
            if cqe.user_data() == ACCEPT {
                let fd = cqe.result()? as RawFd;
                // SAFETY: the kernel has just opened it, for this connection.
                let stream = unsafe { TcpStream::from_raw_fd(fd) };
                clients.insert(fd, Connection { stream, queue: VecDeque::new(), has_ended: false });
                recv(&mut ring, &clients[&fd], fd)?;
                if !cqe.has_more() {
                    accept(&mut ring, listener)?;
                }
                continue;
            }
            let fd = cqe.user_data() as u32 as RawFd;
            let Connection { stream, queue, has_ended } = clients.get_mut(&fd).expect("an open connection");
            if cqe.user_data() & RECV != 0 {
                // SAFETY: receives select from this group, and each completion is looked at once, here.
                let buffer = unsafe { buffers.take(&cqe) }.filter(|buffer| !buffer.is_empty());
                let is_idle = queue.is_empty();
                queue.extend(buffer);
                if is_idle && !queue.is_empty() {
                    send(&mut ring, stream, &queue[0], fd)?;
                }
                match cqe.result() {
                    _ if cqe.has_more() => {}
                    Ok(0) => *has_ended = true,
                    Err(error) if error.raw_os_error() != Some(libc::ENOBUFS) => *has_ended = true,
                    _ => starved.push(fd),
                }
            } else {
                let sent = queue.pop_front().expect("it was being sent").len();
                if !cqe.result().is_ok_and(|count| count as usize == sent) {
                    // The receive sees the end then.
                    queue.clear();
                    let _ = stream.shutdown(Shutdown::Both);
                } else if let Some(next) = queue.front() {
                    send(&mut ring, stream, next, fd)?;
                }
            }
            if *has_ended && queue.is_empty() {
                clients.remove(&fd);
                served += 1;
            }
        }
        // Some buffers may be back.
        if buffers.given() > 0 {
            starved.drain(..).try_for_each(|fd| recv(&mut ring, &clients[&fd], fd))?;
        }
    }
    Ok(())
}

fn push(ring: &mut Ring, request: impl Into<Sqe>) -> uring::Result<()> {
    if ring.space() == 0 {
        ring.submit()?;
    }
    Ok(ring.push(request)?)
}

fn accept(ring: &mut Ring, listener: &TcpListener) -> uring::Result<()> {
    // SAFETY: the listener outlives the ring.
    let accept = unsafe { op::net::Accept::new(listener, libc::SOCK_CLOEXEC) };
    push(ring, accept.multishot().user_data(ACCEPT))
}

fn recv(ring: &mut Ring, client: &Connection<'_>, fd: RawFd) -> uring::Result<()> {
    // SAFETY: the connection stays open until the receive has ended, or outlives the ring.
    let recv = unsafe { op::net::RecvMultishot::new(&client.stream, GROUP, 0) };
    push(ring, recv.user_data(RECV | fd as u64))
}

fn send(ring: &mut Ring, stream: &TcpStream, data: &Buffer<'_>, fd: RawFd) -> uring::Result<()> {
    // SAFETY: connection and buffer stay until the send has completed, or outlive the ring.
    let send = unsafe { op::net::Send::new(stream, data.as_ptr(), data.len(), libc::MSG_WAITALL) };
    push(ring, send.user_data(SEND | fd as u64))
}

/// Sends a lot and compares what comes back.
fn client(address: std::net::SocketAddr) -> io::Result<()> {
    let sent: Vec<u8> = (0..1u32 << 22).map(|nth| (nth.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
    let (stream, mut received) = (TcpStream::connect(address)?, Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| (&stream).write_all(&sent).and_then(|()| stream.shutdown(Shutdown::Write)));
        (&stream).read_to_end(&mut received)
    })?;
    assert!(received == sent, "{} bytes came back of {}, or others", received.len(), sent.len());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).ok_or("an address, such as 127.0.0.1:7777, or --self-test")?;
    if argument != "--self-test" {
        return serve(&TcpListener::bind(argument)?, usize::MAX);
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let clients: Vec<_> = (0..8).map(|_| thread::spawn(move || client(address))).collect();
    serve(&listener, clients.len())?;
    clients.into_iter().try_for_each(|client| client.join().expect("a client"))?;
    Ok(())
}
