//! Telling the kernel of rings of buffers.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;

use uring_sys::{
    IORING_REGISTER_PBUF_RING, IORING_REGISTER_PBUF_STATUS, IORING_UNREGISTER_PBUF_RING, IOU_PBUF_RING_INC,
    IOU_PBUF_RING_MMAP, io_uring_buf_reg, io_uring_buf_status,
};

use super::memory::Memory;
use super::table::Table;
use super::{BufRing, BufRingOptions};
use crate::error::{Error, Result};
use crate::ring::Registrar;
use crate::ring::core::Core;
use crate::ring::mapping::Mapping;

/// Most buffers of a ring.
const MAX: usize = 1 << 15;

impl Registrar<'_> {
    /// Registers a ring of buffers as the group `group` (`IORING_REGISTER_PBUF_RING`, since 5.19).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number of buffers that is not a power of two up to 32768, buffers of no bytes, and what this kernel
    /// does not have; `EEXIST` if the group has buffers; `ENOMEM`.
    pub fn register_buf_ring(self, group: u16, options: &BufRingOptions) -> Result<BufRing> {
        let core = self.core()?;
        let (entries, len) = options.check()?;
        let refused = |error| refused(error, group);
        let memory = if options.kernel_memory {
            let fd = core.descriptor().ok_or_else(|| {
                Error::invalid("io_uring_register", "`kernel_memory` takes a ring with a descriptor")
            })?;
            register(core, group, entries, options, None).map_err(refused)?;
            kernel_memory(fd, group, entries, len).inspect_err(|_| {
                let _ = unregister(core, group);
            })
        } else {
            own_memory(entries, len).and_then(|memory| {
                register(core, group, entries, options, Some(memory.entries()))?;
                Ok(memory)
            })
        };
        let memory = Arc::new(memory.map_err(refused)?);
        core.provided.keep(memory.clone());
        let table = RefCell::new(Table::new(entries, options.kind));
        let (provided, has_left) = (core.provided.clone(), Cell::new(false));
        let buffers = BufRing { provided, memory, table, group, len, has_left };
        if !options.kind.outgoing {
            buffers.give_all();
        }
        Ok(buffers)
    }

    /// Asks how many buffers the kernel has taken of a ring of buffers (`IORING_REGISTER_PBUF_STATUS`, since 6.8), as
    /// [`BufRing::head`] does.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such group, `EINVAL` if it is none with a ring, and before 6.8.
    pub fn buf_ring_head(self, group: u16) -> Result<u16> {
        head(self.core()?, group).map_err(|error| refused(error, group))
    }
}

impl BufRingOptions {
    /// What the kernel would refuse without a word why.
    fn check(&self) -> Result<(u16, u32)> {
        let invalid = |hint: String| Error::invalid("io_uring_register", hint);
        if !self.entries.is_power_of_two() || self.entries > MAX {
            return Err(invalid(format!(
                "a ring of {} buffers: their number is a power of two up to {MAX}",
                self.entries
            )));
        }
        match u32::try_from(self.len) {
            // Not past `MAX`.
            Ok(len) if len > 0 => Ok((self.entries as u16, len)),
            _ => Err(invalid(format!("buffers of {} bytes: they have 1 to {}", self.len, u32::MAX))),
        }
    }
}

fn own_memory(entries: u16, len: u32) -> io::Result<Memory> {
    Memory::new(Mapping::own(Memory::entries_len(entries), None)?, false, entries, len)
}

fn kernel_memory(fd: BorrowedFd<'_>, group: u16, entries: u16, len: u32) -> io::Result<Memory> {
    Memory::new(Mapping::provided(fd, group, Memory::entries_len(entries))?, true, entries, len)
}

/// Registers entries that are zero and outlive the registration, or such of the kernel's own.
fn register(
    core: &Core,
    group: u16,
    entries: u16,
    options: &BufRingOptions,
    memory: Option<NonNull<u8>>,
) -> io::Result<()> {
    let flag = |set: bool, flag: u32| if set { flag as u16 } else { 0 };
    let mut arg = io_uring_buf_reg {
        ring_addr: memory.map_or(0, |memory| memory.as_ptr().expose_provenance() as u64),
        ring_entries: entries.into(),
        bgid: group,
        flags: flag(memory.is_none(), IOU_PBUF_RING_MMAP) | flag(options.kind.incremental, IOU_PBUF_RING_INC),
        min_left: options.min_left,
        ..Default::default()
    };
    // SAFETY: one structure that outlives the call; the memory that it names is that of a `Memory`, which is kept as
    // long as the ring lives.
    unsafe { core.register(IORING_REGISTER_PBUF_RING, (&raw mut arg).cast(), 1) }.map(drop)
}

pub(super) fn unregister(core: &Core, group: u16) -> io::Result<()> {
    let mut arg = io_uring_buf_reg { bgid: group, ..Default::default() };
    // SAFETY: one structure that outlives the call.
    unsafe { core.register(IORING_UNREGISTER_PBUF_RING, (&raw mut arg).cast(), 1) }.map(drop)
}

pub(super) fn head(core: &Core, group: u16) -> io::Result<u16> {
    let mut arg = io_uring_buf_status { buf_group: group.into(), ..Default::default() };
    // SAFETY: one structure that outlives the call; the kernel writes one of its words.
    unsafe { core.register(IORING_REGISTER_PBUF_STATUS, (&raw mut arg).cast(), 1) }?;
    // It counts in 16 bits.
    Ok(arg.head as u16)
}

#[cold]
pub(super) fn refused(error: io::Error, group: u16) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EEXIST) => {
            format!("group {group} has buffers already, or the ring is bound to another thread")
        }
        Some(libc::ENOENT) => format!("there is no group {group}"),
        Some(libc::EBADF) => "the ring is gone".to_owned(),
        Some(libc::EINVAL) => format!(
            "group {group}: rings of buffers take Linux 5.19, `kernel_memory` 6.4, the status 6.8, `incremental` \
             6.12, and `min_left` one newer than 6.18"
        ),
        _ => return crate::ring::register::refused(error, "a ring of buffers"),
    };
    Error::kernel("io_uring_register", error, hint)
}
