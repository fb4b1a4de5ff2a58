//! Buffers that the kernel chooses, and requests that go on.
//!
//! A receive that names its memory keeps that memory until a peer says something, and a server of ten thousand silent
//! connections has ten thousand buffers that wait. With *provided buffers* the requests share a group: the kernel takes
//! one when there is data, and the completion [names](crate::Cqe::buffer_id) it. A *multishot* request then needs to be
//! pushed once only: it completes each time there is something, and each completion but its last has
//! [`MORE`](crate::CqeFlags::MORE).
//!
//! [`BufRing`](crate::ring::BufRing), since 5.19, owns the buffers of a group, and a
//! [`Buffer`](crate::ring::Buffer) that was [taken](crate::ring::BufRing::take) goes back to the kernel when it is
//! dropped:
//!
//! ```
//! use std::io::Write;
//! use std::os::unix::net::UnixStream;
//! use uring::{Capabilities, Op, Ring, op::net::RecvMultishot, ring::BufRingOptions};
//!
//! const GROUP: u16 = 1;
//! if !Capabilities::get()?.supports(Op::SEND_ZC) {
//!     return Ok(eprintln!("multishot receives came with Linux 6.0, as this operation did"));
//! }
//! let (socket, mut peer) = UnixStream::pair()?;
//! let mut ring: Ring = Ring::new(8)?;
//! let buffers = ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(4, 4096))?;
//! // SAFETY: `socket` was declared before the ring, so it is closed after it.
//! ring.push(unsafe { RecvMultishot::new(&socket, GROUP, 0) })?;
//! ring.submit()?;
//!
//! // Six messages, four buffers, one request.
//! for said in ["one", "two", "three", "four", "five", "six"] {
//!     peer.write_all(said.as_bytes())?;
//!     let completion = ring.wait(1)?.next().expect("one was waited for");
//!     assert!(completion.has_more());
//!     // SAFETY: the receive selects from this group, and this is the only time that its completion is taken from.
//!     let buffer = unsafe { buffers.take(&completion) }.expect("there is data");
//!     assert_eq!(&buffer[..], said.as_bytes());
//! }
//! drop(peer);
//! let end = ring.wait(1)?.next().expect("one was waited for");
//! assert_eq!((end.result()?, end.has_more()), (0, false));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When buffers run out
//!
//! The request ends: a completion with `ENOBUFS` and without `MORE`. No data is lost, it waits in the socket. Let
//! go of buffers, and push the request anew:
//!
//! ```
//! use std::os::unix::net::UnixDatagram;
//! use uring::{Capabilities, Op, Ring, op::net::RecvMultishot, ring::BufRingOptions};
//!
//! const GROUP: u16 = 1;
//! if !Capabilities::get()?.supports(Op::SEND_ZC) {
//!     return Ok(eprintln!("multishot receives came with Linux 6.0, as this operation did"));
//! }
//! let (socket, peer) = UnixDatagram::pair()?;
//! for said in ["one", "two", "three"] {
//!     peer.send(said.as_bytes())?;
//! }
//! let mut ring: Ring = Ring::new(8)?;
//! let buffers = ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(2, 4096))?;
//! // SAFETY: `socket` was declared before the ring, so it is closed after it.
//! let receive = || unsafe { RecvMultishot::new(&socket, GROUP, 0) };
//!
//! ring.push(receive())?;
//! let mut held = Vec::new();
//! for completion in ring.wait(3)? {
//!     // SAFETY: as in the first program.
//!     held.extend(unsafe { buffers.take(&completion) });
//!     if !completion.has_more() {
//!         assert_eq!(completion.result().unwrap_err().raw_os_error(), Some(libc::ENOBUFS));
//!     }
//! }
//! assert_eq!((held.len(), buffers.given()), (2, 0));
//!
//! drop(held);
//! assert_eq!(buffers.given(), 2);
//! ring.push(receive())?;
//! let completion = ring.wait(1)?.next().expect("one was waited for");
//! // SAFETY: as above.
//! let buffer = unsafe { buffers.take(&completion) }.expect("there is data");
//! assert_eq!(&buffer[..], b"three");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Other ways to use them
//!
//! - **In parts.** An [`incremental`](crate::ring::BufRingOptions::incremental) group, since 6.12, has each receive go
//!   on in its buffer where the last one has stopped, so that a few large buffers serve many small messages.
//! - **Several at once.** A [`bundle`](crate::op::net::RecvMultishot::bundle), since 6.10, fills as many buffers as
//!   there is data for with one completion; [`take_bundle`](crate::ring::BufRing::take_bundle) hands them out.
//! - **To send.** An [`outgoing`](crate::ring::BufRingOptions::outgoing) group holds what
//!   [`SendSelect`](crate::op::net::SendSelect), since 6.10, sends, in its order.
//! - **Without a ring of buffers**, [`ProvideBuffers`](crate::op::buffers::ProvideBuffers) gives buffers by a request,
//!   also on 5.10.
//!
//! # Other requests that go on
//!
//! | | since |
//! |---|---|
//! | [`PollAdd::multishot`](crate::op::poll::PollAdd::multishot) | 5.13 |
//! | [`Accept::multishot`](crate::op::net::Accept::multishot) | 5.19 |
//! | [`RecvMultishot`](crate::op::net::RecvMultishot), [`RecvmsgMultishot`](crate::op::net::RecvmsgMultishot) | 6.0 |
//! | [`Timeout`](crate::op::timeout::Timeout) with [`MULTISHOT`](crate::op::timeout::TimeoutFlags::MULTISHOT) | 6.4 |
//! | [`ReadMultishot`](crate::op::rw::ReadMultishot), of pipes, terminals and the like | 6.7 |
//!
//! The example `echo` of this crate is a server of one multishot accept and one group of buffers.
//!
//! # What goes wrong
//!
//! - **Silence after a while.** The kernel may end a multishot request whenever it wants to, as when completions
//!   [overflow](super::overflow), also with a completion of data. Look at [`has_more`](crate::Cqe::has_more) of each
//!   completion, whatever its result, and push the request anew if there is none.
//! - **`ENOBUFS` at once**, though there are buffers: the group is another one, or was dropped. A dropped
//!   [`BufRing`](crate::ring::BufRing) is unregistered.
//! - **Buffers that get fewer.** A completion that names a buffer and is not taken from leaves it with nobody. One of an
//!   error, or of no data, may name one, too: give them all to `take`.
//!   [`given`](crate::ring::BufRing::given) less [`available`](crate::ring::BufRing::available), since 6.8, is what requests and
//!   such completions have.
//! - **A busy loop.** Whoever answers `ENOBUFS` with a new request while it holds all buffers gets `ENOBUFS`.
//! - **A stream is cut anywhere.** What the peer wrote at once may come in two buffers, and two writes in one.
//! - **`EINVAL`** from the request: the kernel is older than it. From the registration: the number of buffers is no power
//!   of two, or the kernel is older than the option; the error tells.
