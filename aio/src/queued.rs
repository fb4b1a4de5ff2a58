//! The handle to a request that waits for the next submit.

use aio_sys::iocb;

use crate::flags::{IoPriority, RwFlags};

/// The read or write that was just queued, for what few of them need.
///
/// It is plain data: dropping it changes nothing, the request is queued.
#[derive(Debug)]
pub struct Queued<'a> {
    /// In the hands of the submitting half, which is borrowed as long as this lives.
    pub(crate) iocb: &'a mut iocb,
}

impl Queued<'_> {
    /// Sets the request's flags (`aio_rw_flags`).
    #[inline]
    #[expect(clippy::return_self_not_must_use, reason = "the request is changed, the handle may be let go")]
    pub fn rw_flags(self, flags: RwFlags) -> Self {
        self.iocb.aio_rw_flags = flags.bits();
        self
    }

    /// Sets the request's I/O priority (`IOCB_FLAG_IOPRIO`, `aio_reqprio`).
    ///
    /// A class that does not exist completes with `EINVAL`, one that is not allowed with `EPERM`.
    #[inline]
    #[expect(clippy::return_self_not_must_use, reason = "the request is changed, the handle may be let go")]
    pub fn ioprio(self, priority: IoPriority) -> Self {
        self.iocb.aio_flags |= aio_sys::IOCB_FLAG_IOPRIO;
        self.iocb.aio_reqprio = priority.raw().cast_signed();
        self
    }
}
