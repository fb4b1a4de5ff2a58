//! Sockets: to make and connect them, to send and to receive.
//!
//! Flags of a call are what the C library has, such as `libc::MSG_WAITALL`. What only a ring can do is a method or a
//! type: to wait for readiness first, to go on after the first time, to take provided buffers, not to copy.

use super::address;

/// What sends and receives have.
macro_rules! impl_poll_first {
    ($name:ident) => {
        impl $name {
            /// Waits until the socket is ready before it is tried, for one that mostly is not
            /// (`IORING_RECVSEND_POLL_FIRST`, since 5.19).
            #[inline]
            pub fn poll_first(mut self) -> Self {
                self.0.ioprio |= uring_sys::IORING_RECVSEND_POLL_FIRST as u16;
                self
            }
        }
    };
}

mod accept;
mod command;
mod message;
mod name;
mod option;
mod recv;
mod select;
mod send;
mod socket;
mod zc;

pub use self::accept::Accept;
pub use self::command::{Getsockname, Siocinq, Siocoutq, Timestamp, TxTimestamp};
pub use self::message::{ControlMessage, ControlMessages, RecvmsgOut};
pub use self::name::{Bind, Connect};
pub use self::option::{Getsockopt, Setsockopt};
pub use self::recv::{Recv, RecvZc, Recvmsg, RecvmsgMultishot};
pub use self::select::{RecvMultishot, RecvSelect, SendSelect};
pub use self::send::{Send, Sendmsg};
pub use self::socket::{Listen, Shutdown, Socket};
pub use self::zc::{SendZc, SendmsgZc, ZC_COPIED};

/// A length or a count as an entry has it.
#[inline]
fn length(len: usize) -> u32 {
    // The kernel cuts a transfer to less, and refuses more pieces than 1024.
    u32::try_from(len).unwrap_or(u32::MAX)
}
