//! The table of buffers.

use std::ptr;
use std::sync::atomic::Ordering;

use uring_sys::{IORING_REGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS};

use super::{Registrar, length, refused};
use crate::error::Result;
use crate::ring::core::Core;

impl Core {
    /// # Safety
    ///
    /// Each `iovec` names memory that stays mapped and is not otherwise touched while requests on it are
    /// in flight, until it is unregistered or the ring is gone.
    pub(crate) unsafe fn register_buffers(&self, iovecs: &[libc::iovec]) -> Result<()> {
        let arg = iovecs.as_ptr().cast_mut().cast();
        // SAFETY: an array of that many iovecs that outlives the call; the kernel only reads it. What
        // they name is this fn's contract.
        unsafe { self.register(IORING_REGISTER_BUFFERS, arg, length(iovecs.len())) }
            .map_err(|error| refused(error, "buffers"))?;
        self.has_buffers.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn unregister_buffers(&self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.register(IORING_UNREGISTER_BUFFERS, ptr::null_mut(), 0) }
            .map_err(|error| refused(error, "buffers"))?;
        self.has_buffers.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Registrar<'_> {
    /// Registers and pins buffers, named by their index in
    /// [`ReadFixed`](crate::op::rw::ReadFixed), [`WriteFixed`](crate::op::rw::WriteFixed) and their like.
    ///
    /// For direct I/O this saves the kernel about a tenth of a small request.
    ///
    /// # Errors
    ///
    /// `EBUSY` if some are registered, `ENOMEM` beyond `RLIMIT_MEMLOCK`, `EFAULT` for memory that is not
    /// mapped, `EINVAL` for none or more than 16384, `EOPNOTSUPP` for memory backed by some file systems.
    ///
    /// # Safety
    ///
    /// The memory stays mapped until [`unregister_buffers`](Self::unregister_buffers) or the drop of the
    /// context, and until all requests that use it have completed; nobody else touches the parts that
    /// requests in flight use.
    pub unsafe fn register_buffers(self, buffers: &[libc::iovec]) -> Result<()> {
        let core = self.core()?;
        // SAFETY: this fn's contract.
        unsafe { core.register_buffers(buffers) }
    }

    /// Unregisters the buffers. Older kernels wait for requests in flight that use them; newer ones, from
    /// about 6.13 on, return at once, and memory stays the kernel's until each completion has been taken.
    ///
    /// # Errors
    ///
    /// `ENXIO` if none are registered.
    pub fn unregister_buffers(self) -> Result<()> {
        self.core()?.unregister_buffers()
    }
}
