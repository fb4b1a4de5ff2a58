//! Cancellation by call.

use std::io;

use uring_sys::{
    IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_REGISTER_SYNC_CANCEL, io_uring_sync_cancel_reg,
};

use crate::ring::core::Core;

impl Core {
    /// Cancels what can be cancelled, without waiting (`IORING_REGISTER_SYNC_CANCEL`, since 6.0).
    pub(crate) fn cancel_all(&self) -> io::Result<u32> {
        let mut arg = io_uring_sync_cancel_reg {
            fd: -1,
            flags: IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY,
            ..Default::default()
        };
        // SAFETY: `arg` outlives the call.
        unsafe { self.register(IORING_REGISTER_SYNC_CANCEL, (&raw mut arg).cast(), 1) }
    }
}
