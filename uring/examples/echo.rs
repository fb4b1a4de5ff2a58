//! Sends back what it is sent, over TCP: `cargo run -p uring --example echo -- ADDRESS [CONNECTIONS]`

use std::error::Error;
use std::io::{self, Write};
use std::net::TcpListener;
use std::process::ExitCode;

use uring::op::net::{Accept, RecvSelect, Send};
use uring::ring::{BufRingOptions, Buffer, FilePlace};
use uring::{FileIndex, Fixed, Ring, Sqe};

const GROUP: u16 = 0;
/// The name of the accept. Requests of a connection are named by its place in the table of files.
const ACCEPT: u64 = u64::MAX;
const PLACES: u32 = 1024;

fn main() -> ExitCode {
    let Err(error) = serve() else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "echo: {error}");
    ExitCode::FAILURE
}

fn serve() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let socket = TcpListener::bind(args.next().ok_or("usage: echo ADDRESS [CONNECTIONS]")?)?;
    let mut left = args.next().map_or(Ok(usize::MAX), |connections| connections.parse())?;
    let _ = writeln!(io::stdout(), "{}", socket.local_addr()?);
    let ring: Ring = Ring::new(256)?;
    ring.registrar().register_files_sparse(PLACES)?;
    let buffers = ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(64, 16 * 1024))?;
    // What each connection is sent; one without receives, or is starved: there was no buffer.
    let mut sending = [const { None::<Buffer<'_>> }; PLACES as usize];
    let mut starved = Vec::new();
    // Declared last, so dropped first: it waits for its requests, and what they name lives until then.
    let mut ring = ring;
    // SAFETY: the socket outlives the ring.
    let accept = || unsafe { Accept::new(&socket, 0) }.multishot().direct(FileIndex::ALLOC).user_data(ACCEPT);
    let receive = |place| RecvSelect::fixed(Fixed(place), GROUP, 0, 0).user_data(place.into());
    push(&mut ring, accept())?;
    while left > 0 {
        let _ = ring.wait(1)?;
        while let Some(cqe) = ring.next_completion() {
            if cqe.user_data() == ACCEPT {
                push(&mut ring, receive(cqe.result()?))?;
                if !cqe.has_more() {
                    push(&mut ring, accept())?;
                }
                continue;
            }
            let place = cqe.user_data() as u32;
            let (file, sending) = (Fixed(place), &mut sending[place as usize]);
            // SAFETY: receives select from this group, and each completion is looked at once, here.
            let received = unsafe { buffers.take(&cqe) };
            match (sending.take(), received, cqe.raw_result()) {
                (None, Some(data), 1..) => {
                    // SAFETY: the buffer is kept until this has completed.
                    let send = unsafe { Send::new(file, data.as_ptr(), data.len(), libc::MSG_WAITALL) };
                    push(&mut ring, send.user_data(place.into()))?;
                    *sending = Some(data);
                }
                // What was sent goes back to the group.
                (Some(data), _, sent) if sent as usize == data.len() => push(&mut ring, receive(place))?,
                (None, _, result) if result == -libc::ENOBUFS => starved.push(place),
                // The connection has ended, or failed.
                _ => left = left.saturating_sub(ring.registrar().update_files(place, &[FilePlace::Empty])?),
            }
        }
        // Some buffers may be back, for as many of the starved.
        let back = buffers.given().min(starved.len());
        starved.drain(..back).try_for_each(|place| push(&mut ring, receive(place)))?;
    }
    Ok(())
}

fn push(ring: &mut Ring, request: impl Into<Sqe>) -> uring::Result<()> {
    if ring.space() == 0 {
        ring.submit()?;
    }
    Ok(ring.push(request)?)
}
