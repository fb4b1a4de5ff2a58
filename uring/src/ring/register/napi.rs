//! Busy polling of network devices.

use std::io;
use std::time::Duration;

use uring_sys::{
    IO_URING_NAPI_REGISTER_OP, IO_URING_NAPI_STATIC_ADD_ID, IO_URING_NAPI_STATIC_DEL_ID,
    IO_URING_NAPI_TRACKING_DYNAMIC, IO_URING_NAPI_TRACKING_INACTIVE, IO_URING_NAPI_TRACKING_STATIC,
    IORING_REGISTER_NAPI, IORING_UNREGISTER_NAPI, io_uring_napi,
};

use super::{Registrar, refused};
use crate::error::{Error, Result};

/// What to say where it is refused.
const BUSY_POLLING: &str = "busy polling, since Linux 6.9 and not with IOPOLL";

/// Which network queues a wait polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NapiTracking {
    /// Those of the sockets that requests are made of; the kernel finds them (`IO_URING_NAPI_TRACKING_DYNAMIC`, since
    /// 6.9).
    #[default]
    Dynamic,
    /// Those that were [added](Registrar::add_napi_id) (`IO_URING_NAPI_TRACKING_STATIC`, since 6.13).
    Static,
    /// None (`IO_URING_NAPI_TRACKING_INACTIVE`, since 6.13).
    Inactive,
}

/// How waits poll the queues of network devices, [`Registrar::register_napi`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Napi {
    tracking: NapiTracking,
    busy_poll: Duration,
    prefer: bool,
}

impl Napi {
    /// Polls for so long before a wait sleeps. It is counted in microseconds; the kernel cuts it to what a socket may
    /// have.
    #[must_use]
    pub fn new(busy_poll: Duration) -> Self {
        Self { busy_poll, ..Self::default() }
    }

    /// Sets which queues are polled.
    #[must_use]
    pub fn tracking(self, tracking: NapiTracking) -> Self {
        Self { tracking, ..self }
    }

    /// Leaves the device's interrupts off while it polls; see `SO_PREFER_BUSY_POLL` in `socket(7)`.
    #[must_use]
    pub fn prefer_busy_poll(self, prefer: bool) -> Self {
        Self { prefer, ..self }
    }

    fn to_raw(self) -> io_uring_napi {
        let tracking = match self.tracking {
            NapiTracking::Dynamic => IO_URING_NAPI_TRACKING_DYNAMIC,
            NapiTracking::Static => IO_URING_NAPI_TRACKING_STATIC,
            NapiTracking::Inactive => IO_URING_NAPI_TRACKING_INACTIVE,
        };
        io_uring_napi {
            busy_poll_to: u32::try_from(self.busy_poll.as_micros()).unwrap_or(u32::MAX),
            prefer_busy_poll: self.prefer.into(),
            opcode: IO_URING_NAPI_REGISTER_OP as u8,
            op_param: tracking,
            ..Default::default()
        }
    }

    fn from_raw(raw: &io_uring_napi) -> Self {
        let tracking = match raw.op_param {
            IO_URING_NAPI_TRACKING_STATIC => NapiTracking::Static,
            IO_URING_NAPI_TRACKING_INACTIVE => NapiTracking::Inactive,
            _ => NapiTracking::Dynamic,
        };
        Self {
            tracking,
            busy_poll: Duration::from_micros(raw.busy_poll_to.into()),
            prefer: raw.prefer_busy_poll != 0,
        }
    }
}

impl Registrar<'_> {
    /// Has waits poll the queues of network devices before they sleep (`IORING_REGISTER_NAPI`, since 6.9), and returns
    /// how they did before.
    ///
    /// # Errors
    ///
    /// `EINVAL` before 6.9, for a ring with `IOPOLL`, and for a tracking that this kernel does not have.
    pub fn register_napi(self, napi: Napi) -> Result<Napi> {
        let mut raw = napi.to_raw();
        // SAFETY: the opcode takes one of these, which names no memory.
        unsafe { self.tell(IORING_REGISTER_NAPI, &mut raw, 1, |error| refused(error, BUSY_POLLING)) }?;
        Ok(Napi::from_raw(&raw))
    }

    /// Has waits poll no more (`IORING_UNREGISTER_NAPI`, since 6.9), and returns how they did.
    ///
    /// # Errors
    ///
    /// As [`register_napi`](Self::register_napi).
    pub fn unregister_napi(self) -> Result<Napi> {
        let mut raw = io_uring_napi::default();
        // SAFETY: as above.
        unsafe { self.tell(IORING_UNREGISTER_NAPI, &mut raw, 1, |error| refused(error, BUSY_POLLING)) }?;
        Ok(Napi::from_raw(&raw))
    }

    /// Adds a queue to those that are polled, by what `SO_INCOMING_NAPI_ID` says of a socket; since 6.13. The tracking
    /// has to be [static](NapiTracking::Static).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is no queue's, without static tracking, and before 6.13; `EEXIST` for a queue that was
    /// added.
    pub fn add_napi_id(self, id: u32) -> Result<()> {
        self.change_napi(IO_URING_NAPI_STATIC_ADD_ID, id)
    }

    /// Removes a queue that was [added](Self::add_napi_id); since 6.13.
    ///
    /// # Errors
    ///
    /// `ENOENT` for a queue that was not added; otherwise as [`add_napi_id`](Self::add_napi_id).
    pub fn remove_napi_id(self, id: u32) -> Result<()> {
        self.change_napi(IO_URING_NAPI_STATIC_DEL_ID, id)
    }

    fn change_napi(self, opcode: u32, id: u32) -> Result<()> {
        let mut raw = io_uring_napi { opcode: opcode as u8, op_param: id, ..Default::default() };
        let refused = |error: io::Error| match error.raw_os_error() {
            Some(libc::EEXIST) => Error::kernel("io_uring_register", error, "the queue was added before"),
            Some(libc::ENOENT) => Error::kernel("io_uring_register", error, "the queue was not added"),
            _ => refused(error, "queues to poll, since Linux 6.13 and with static tracking"),
        };
        // SAFETY: as above.
        unsafe { self.tell(IORING_REGISTER_NAPI, &mut raw, 1, refused) }.map(drop)
    }
}
