//! A message to a ring, from who has none.

use std::os::fd::RawFd;

use uring_sys::{IORING_REGISTER_SEND_MSG_RING, io_uring_register};

use crate::entry::{Sqe, result};
use crate::error::{Error, Result};
use crate::op::ring::MsgRing;

/// What needs no ring of the sender's.
const NO_RING: RawFd = -1;

/// Posts a completion to a ring without one of the caller's own (`IORING_REGISTER_SEND_MSG_RING`, since 6.13).
///
/// The call comes back when the completion is there.
///
/// ```
/// use uring::{Ring, op::ring::MsgRing, ring::send_message};
///
/// let mut ring: Ring = Ring::new(4)?;
/// // SAFETY: the ring is open over the call.
/// if let Err(error) = send_message(unsafe { MsgRing::new(&ring, 7, 42) }) {
///     println!("before Linux 6.13: {error}");
/// } else {
///     let message = ring.wait(1)?.next().expect("it is there");
///     assert_eq!((message.user_data(), message.result()?), (7, 42));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`MsgRing`] as a request; `EINVAL` before 6.13, for a message with a
/// [personality](MsgRing::personality) or flags, and for one that sends a file, which only a ring has.
pub fn send_message(message: MsgRing) -> Result<()> {
    send(message.into())
}

fn send(mut sqe: Sqe) -> Result<()> {
    // SAFETY: one entry, which outlives the call; the kernel reads it. That its descriptor is open was vouched for when
    // the message was made.
    let answer =
        unsafe { io_uring_register(NO_RING, IORING_REGISTER_SEND_MSG_RING, (&raw mut sqe).cast(), 1) };
    result(answer).map(drop).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::EBADFD) => "the descriptor is of no ring, or of one that is disabled",
            Some(libc::EINVAL) => {
                "a message without a ring, since Linux 6.13, has neither flags nor personality"
            }
            Some(libc::EOVERFLOW) => "the other ring has no memory for one more completion",
            _ => "a message without a ring",
        };
        Error::kernel("io_uring_register", error, hint)
    })
}
