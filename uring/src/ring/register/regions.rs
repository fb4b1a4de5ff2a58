//! The memory region of a ring, and the arguments of waits in it.

use std::io;

use uring_sys::{
    IORING_MEM_REGION_REG_WAIT_ARG, IORING_MEM_REGION_TYPE_USER, IORING_REGISTER_MEM_REGION,
    IORING_SETUP_IOPOLL, IORING_SETUP_SQPOLL, io_uring_mem_region_reg, io_uring_region_desc,
};

use super::waits::{RegisteredWait, WaitRegion};
use super::{Registrar, refused};
use crate::error::{Error, Result};

const CALL: &str = "io_uring_register";

impl Registrar<'_> {
    /// Registers the arguments of `nr` waits (`IORING_REGISTER_MEM_REGION` with `IORING_MEM_REGION_REG_WAIT_ARG`, since
    /// 6.13), each of which waits without limits until it is [set](RegisteredWait::set). The ring is still
    /// [disabled](crate::ring::Builder::disabled).
    ///
    /// They are the ring's one region, which it has until its end: 72 bytes for each in whole pages, which count against
    /// `RLIMIT_MEMLOCK`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for none, for a ring that is enabled, and for one with
    /// [`iopoll`](crate::ring::Builder::iopoll) and without a polling thread, whose waits have no limits; `EBUSY` for a
    /// ring that has a region; `ENOMEM`; `EOPNOTSUPP` before 6.13.
    pub fn register_waits(self, nr: u16) -> Result<Vec<RegisteredWait>> {
        let core = self.core()?;
        if nr == 0 {
            return Err(Error::invalid(CALL, "a region for no waits"));
        }
        if core.setup_flags() & (IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL) == IORING_SETUP_IOPOLL {
            return Err(Error::invalid(CALL, "a ring that polls for completions has no limits of waits"));
        }
        let region = WaitRegion::new(nr).map_err(|error| refused(error, "waits"))?;
        // SAFETY: pages of the region's own, which the kernel pins and does not write to. It reads them in `enter` only.
        unsafe { self.tell_region(region.start(), region.len(), IORING_MEM_REGION_REG_WAIT_ARG) }?;
        Ok(RegisteredWait::of(core, region, nr))
    }

    /// Registers the `len` bytes from `start` on as the ring's region (`IORING_REGISTER_MEM_REGION`, since 6.13), which
    /// it has until its end. Up to 7.2 nobody reads it but programs of the BPF kind; for waits there is
    /// [`register_waits`](Self::register_waits).
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not whole pages; `EFAULT` if nothing is mapped there, as at null; `EBUSY` for a ring that has
    /// a region; `ENOMEM`; `EOPNOTSUPP` before 6.13.
    ///
    /// # Safety
    ///
    /// Whatever may write there by the ring until it has ended, nobody else minds.
    pub unsafe fn register_region(self, start: *mut u8, len: usize) -> Result<()> {
        // SAFETY: this fn's contract.
        unsafe { self.tell_region(start, len, 0) }
    }

    /// # Safety
    ///
    /// As [`register_region`](Self::register_region).
    unsafe fn tell_region(self, start: *mut u8, len: usize, flags: u32) -> Result<()> {
        let mut region = io_uring_region_desc {
            user_addr: start.expose_provenance() as u64,
            size: len as u64,
            flags: IORING_MEM_REGION_TYPE_USER,
            ..Default::default()
        };
        let mut reg = io_uring_mem_region_reg {
            region_uptr: (&raw mut region).expose_provenance() as u64,
            flags: flags.into(),
            ..Default::default()
        };
        let refused = |error| self.region_refused(error, flags);
        // SAFETY: the opcode takes one of these, which names a description that outlives the call; this fn's contract.
        unsafe { self.tell(IORING_REGISTER_MEM_REGION, &mut reg, 1, refused) }.map(drop)
    }

    #[cold]
    fn region_refused(self, error: io::Error, flags: u32) -> Error {
        let is_for_waits = flags & IORING_MEM_REGION_REG_WAIT_ARG != 0;
        let hint = match error.raw_os_error() {
            Some(libc::EINVAL) if !self.core.knows_regions() => {
                return Error::unsupported(
                    CALL,
                    "memory regions and registered waits take Linux 6.13 or newer",
                );
            }
            Some(libc::EINVAL) if is_for_waits => {
                "waits are registered while the ring is disabled (`Builder::disabled`)"
            }
            Some(libc::EINVAL) => "a region is of whole pages",
            Some(libc::EFAULT) => "a region is memory of this process, mapped for reads and writes",
            Some(libc::EBUSY) => "the ring has a region, and keeps it until its end",
            _ => return refused(error, if is_for_waits { "waits" } else { "a region" }),
        };
        Error::kernel(CALL, error, hint)
    }
}
