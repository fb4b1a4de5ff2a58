//! Receiving without copies: queues of a network interface whose packets land in the process's memory.
//!
//! The machine that this was written on has no interface that can do so, so what is tested is what the kernel is told,
//! and that it refuses.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use uring_sys::{
    IORING_MEM_REGION_TYPE_USER, IORING_REGISTER_ZCRX_CTRL, IORING_REGISTER_ZCRX_IFQ,
    IORING_ZCRX_AREA_DMABUF, IORING_ZCRX_AREA_MASK, ZCRX_CTRL_ARM_EVENT, ZCRX_CTRL_EXPORT,
    ZCRX_CTRL_FLUSH_RQ, ZCRX_EVENT_ALLOC_FAIL, ZCRX_EVENT_COPY, ZCRX_EVENT_DESC_FLAG_STATS, ZCRX_REG_IMPORT,
    ZCRX_REG_NODEV, io_uring_region_desc, io_uring_zcrx_area_reg, io_uring_zcrx_ifq_reg, io_uring_zcrx_rqe,
    zcrx_ctrl, zcrx_ctrl__bindgen_ty_1, zcrx_ctrl_arm_event, zcrx_ctrl_export, zcrx_ctrl_flush_rq,
    zcrx_event_desc,
};

use super::Registrar;
use crate::UserData;
use crate::error::{Error, Result};

/// Where packets land.
#[derive(Clone, Copy, Debug)]
pub enum ZcrxArea<'a> {
    /// Memory of the process, in whole pages.
    Memory {
        /// Where it begins.
        start: *mut u8,
        /// How many bytes it has.
        len: usize,
    },
    /// Memory of a device (`IORING_ZCRX_AREA_DMABUF`, since 6.16).
    Dmabuf {
        /// The device's buffer.
        fd: BorrowedFd<'a>,
        /// Where in it the area begins.
        offset: u64,
        /// How many bytes it has.
        len: usize,
    },
}

/// What the kernel notes while it receives; since 7.1.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct ZcrxEvents {
    types: u32,
    user_data: UserData,
    stats_offset: Option<u64>,
}

impl ZcrxEvents {
    /// Has each noted event complete with this name.
    pub fn new(user_data: UserData) -> Self {
        Self { user_data, ..Self::default() }
    }

    /// Notes that the area had no room (`ZCRX_EVENT_ALLOC_FAIL`, since 7.1).
    pub fn alloc_fail(self) -> Self {
        Self { types: self.types | 1 << ZCRX_EVENT_ALLOC_FAIL, ..self }
    }

    /// Notes that data was copied after all (`ZCRX_EVENT_COPY`, since 7.1).
    pub fn copy(self) -> Self {
        Self { types: self.types | 1 << ZCRX_EVENT_COPY, ..self }
    }

    /// Counts what was copied in `struct zcrx_stats` at this offset of the refill ring's memory
    /// (`ZCRX_EVENT_DESC_FLAG_STATS`, since 7.1).
    pub fn stats(self, offset: u64) -> Self {
        Self { stats_offset: Some(offset), ..self }
    }

    fn to_raw(self) -> zcrx_event_desc {
        zcrx_event_desc {
            user_data: self.user_data,
            type_mask: self.types,
            flags: if self.stats_offset.is_some() { ZCRX_EVENT_DESC_FLAG_STATS } else { 0 },
            stats_offset: self.stats_offset.unwrap_or(0),
            ..Default::default()
        }
    }
}

/// A queue of an interface, [`Registrar::register_zcrx`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Zcrx<'a> {
    reg: io_uring_zcrx_ifq_reg,
    area: ZcrxArea<'a>,
    events: Option<ZcrxEvents>,
}

/// What the kernel made of a [`Zcrx`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZcrxQueue {
    /// What [`RecvZc`](crate::op) and the calls of [`Registrar`] name it by.
    pub id: u32,
    /// The area's name, in the upper bits of each offset that [goes back](Self::refill) by the refill ring.
    pub area_token: u64,
    /// Offset of the refill ring's head, which the kernel advances.
    pub head: u32,
    /// Offset of its tail, which the process advances.
    pub tail: u32,
    /// Offset of its entries, `struct io_uring_zcrx_rqe`.
    pub entries: u32,
}

impl ZcrxQueue {
    /// Says where in the area the bytes are of a completion of [`RecvZc`](crate::op::net::RecvZc), by what that has
    /// [extra](crate::Cqe32::extra) (`IORING_ZCRX_AREA_MASK`, since 6.15).
    #[must_use]
    pub const fn offset(extra: [u64; 2]) -> u64 {
        extra[0] & !IORING_ZCRX_AREA_MASK
    }

    /// Makes the entry of the refill ring by which the `len` bytes at `offset` in the area go back to the kernel
    /// (`IORING_ZCRX_AREA_MASK`, since 6.15).
    #[must_use]
    pub const fn refill(&self, offset: u64, len: u32) -> io_uring_zcrx_rqe {
        io_uring_zcrx_rqe { off: offset & !IORING_ZCRX_AREA_MASK | self.area_token, len, __pad: 0 }
    }
}

impl<'a> Zcrx<'a> {
    /// Receives from the queue `queue` of the interface `interface` to `area`, and takes memory back by a refill ring of
    /// `entries` entries.
    pub fn new(interface: u32, queue: u32, entries: u32, area: ZcrxArea<'a>) -> Self {
        let reg = io_uring_zcrx_ifq_reg {
            if_idx: interface,
            if_rxq: queue,
            rq_entries: entries,
            ..Default::default()
        };
        Self { reg, area, events: None }
    }

    /// Receives to pieces of that many bytes, a power of two, instead of pages; since 7.0.
    pub fn buffer_len(mut self, len: u32) -> Self {
        self.reg.rx_buf_len = len;
        self
    }

    /// Takes no interface: all data is copied to the area (`ZCRX_REG_NODEV`, since 7.1).
    pub fn without_device(mut self) -> Self {
        self.reg.flags |= ZCRX_REG_NODEV;
        self
    }

    /// Has the kernel tell what it notes.
    pub fn events(mut self, events: ZcrxEvents) -> Self {
        self.events = Some(events);
        self
    }

    fn area(&self) -> io_uring_zcrx_area_reg {
        match self.area {
            ZcrxArea::Memory { start, len } => io_uring_zcrx_area_reg {
                addr: start.expose_provenance() as u64,
                len: len as u64,
                ..Default::default()
            },
            ZcrxArea::Dmabuf { fd, offset, len } => io_uring_zcrx_area_reg {
                addr: offset,
                len: len as u64,
                flags: IORING_ZCRX_AREA_DMABUF,
                dmabuf_fd: fd.as_raw_fd().cast_unsigned(),
                ..Default::default()
            },
        }
    }
}

impl Registrar<'_> {
    /// Takes over a queue of a network interface (`IORING_REGISTER_ZCRX_IFQ`, since 6.15), for a ring with `DEFER_TASKRUN`
    /// and completions of 32 bytes. The refill ring lies in the `region_len` bytes from `region` on, whole pages.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a ring of another kind and a kernel that cannot; `EPERM` without `CAP_NET_ADMIN`; `ENODEV` for an
    /// interface that is not there; `EOPNOTSUPP` for one that cannot.
    ///
    /// # Safety
    ///
    /// The area and the region are valid for reads and writes, and nobody else touches them but as the kernel's protocol
    /// has it, until the ring is gone.
    pub unsafe fn register_zcrx(
        self,
        zcrx: &Zcrx<'_>,
        region: *mut u8,
        region_len: usize,
    ) -> Result<ZcrxQueue> {
        let mut area = zcrx.area();
        let mut region = io_uring_region_desc {
            user_addr: region.expose_provenance() as u64,
            size: region_len as u64,
            flags: IORING_MEM_REGION_TYPE_USER,
            ..Default::default()
        };
        let mut events = zcrx.events.map(ZcrxEvents::to_raw);
        let mut reg = zcrx.reg;
        reg.area_ptr = (&raw mut area).expose_provenance() as u64;
        reg.region_ptr = (&raw mut region).expose_provenance() as u64;
        reg.event_desc = events.as_mut().map_or(0, |events| (&raw mut *events).expose_provenance() as u64);
        // SAFETY: the opcode takes one of these; what it names outlives the call, and what that names is this fn's contract.
        unsafe { self.tell(IORING_REGISTER_ZCRX_IFQ, &mut reg, 1, refused) }?;
        Ok(ZcrxQueue {
            id: reg.zcrx_id,
            area_token: area.rq_area_token,
            head: reg.offsets.head,
            tail: reg.offsets.tail,
            entries: reg.offsets.rqes,
        })
    }

    /// Shares a queue that another ring has [exported](Self::export_zcrx) (`ZCRX_REG_IMPORT`, since 6.19), and returns its
    /// name here.
    ///
    /// # Errors
    ///
    /// `EBADF` for a descriptor of something else; otherwise as [`register_zcrx`](Self::register_zcrx).
    pub fn import_zcrx(self, queue: BorrowedFd<'_>) -> Result<u32> {
        let mut reg = io_uring_zcrx_ifq_reg {
            if_idx: queue.as_raw_fd().cast_unsigned(),
            flags: ZCRX_REG_IMPORT,
            ..Default::default()
        };
        // SAFETY: the opcode takes one of these, which names a descriptor that is open.
        unsafe { self.tell(IORING_REGISTER_ZCRX_IFQ, &mut reg, 1, refused) }?;
        Ok(reg.zcrx_id)
    }

    /// Has the kernel take back all that lies in the refill ring (`ZCRX_CTRL_FLUSH_RQ`, since 6.19).
    ///
    /// # Errors
    ///
    /// `ENXIO` for a queue that is not there, `EINVAL` before 6.19.
    pub fn flush_zcrx(self, id: u32) -> Result<()> {
        let flush = zcrx_ctrl__bindgen_ty_1 { zc_flush: zcrx_ctrl_flush_rq::default() };
        self.control_zcrx(id, ZCRX_CTRL_FLUSH_RQ, flush).map(drop)
    }

    /// Makes a descriptor by which another ring can [share](Self::import_zcrx) the queue (`ZCRX_CTRL_EXPORT`, since 6.19).
    ///
    /// # Errors
    ///
    /// As [`flush_zcrx`](Self::flush_zcrx); `EMFILE` beyond `RLIMIT_NOFILE`.
    pub fn export_zcrx(self, id: u32) -> Result<OwnedFd> {
        let export = zcrx_ctrl__bindgen_ty_1 { zc_export: zcrx_ctrl_export::default() };
        let answer = self.control_zcrx(id, ZCRX_CTRL_EXPORT, export)?;
        // SAFETY: the field of the union that this operation answers in.
        let fd = unsafe { answer.zc_export.zcrx_fd };
        // SAFETY: the kernel has just opened it, for this call alone.
        Ok(unsafe { OwnedFd::from_raw_fd(fd.cast_signed()) })
    }

    /// Has the next event of a kind be noted again, after one was (`ZCRX_CTRL_ARM_EVENT`, since 7.1). Of `events`, which
    /// has one kind, only that counts.
    ///
    /// # Errors
    ///
    /// As [`flush_zcrx`](Self::flush_zcrx); `EINVAL` before 7.1.
    pub fn arm_zcrx_event(self, id: u32, events: ZcrxEvents) -> Result<()> {
        // Zero kinds are as many as none: the kernel has no event of the number 32.
        let arm = zcrx_ctrl_arm_event { event_type: events.types.trailing_zeros(), ..Default::default() };
        self.control_zcrx(id, ZCRX_CTRL_ARM_EVENT, zcrx_ctrl__bindgen_ty_1 { zc_arm_event: arm }).map(drop)
    }

    fn control_zcrx(
        self,
        id: u32,
        op: u32,
        argument: zcrx_ctrl__bindgen_ty_1,
    ) -> Result<zcrx_ctrl__bindgen_ty_1> {
        let mut raw = zcrx_ctrl { zcrx_id: id, op, __resv: [0; 2], __bindgen_anon_1: argument };
        // SAFETY: the opcode takes one of these and no count, and it names no memory.
        unsafe { self.tell(IORING_REGISTER_ZCRX_CTRL, &mut raw, 0, refused) }?;
        Ok(raw.__bindgen_anon_1)
    }
}

fn refused(error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EINVAL) => {
            "receiving without copies takes Linux 6.15 (to control a queue: 6.19) and a ring with DEFER_TASKRUN and \
             completions of 32 bytes"
        }
        Some(libc::EPERM) => "to take over a queue of an interface takes CAP_NET_ADMIN",
        Some(libc::ENXIO) => "this ring has no such queue",
        _ => "receiving without copies",
    };
    Error::kernel("io_uring_register", error, hint)
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::IORING_ZCRX_AREA_SHIFT;

    use super::*;

    #[test]
    fn a_queue_is_what_the_header_says() {
        let area = ZcrxArea::Memory { start: ptr::without_provenance_mut(0x1000), len: 8192 };
        let zcrx = Zcrx::new(3, 1, 64, area).buffer_len(16_384).without_device();
        assert_eq!((zcrx.reg.if_idx, zcrx.reg.if_rxq, zcrx.reg.rq_entries), (3, 1, 64));
        assert_eq!((zcrx.reg.flags, zcrx.reg.rx_buf_len), (2, 16_384));
        assert_eq!((zcrx.area().addr, zcrx.area().len, zcrx.area().flags), (0x1000, 8192, 0));
        let events = ZcrxEvents::new(9).alloc_fail().copy().stats(256).to_raw();
        assert_eq!((events.user_data, events.type_mask, events.flags, events.stats_offset), (9, 3, 1, 256));
        assert_eq!(ZcrxEvents::new(0).copy().types.trailing_zeros(), ZCRX_EVENT_COPY);
    }

    #[test]
    fn what_was_received_goes_back_by_the_name_of_its_area() {
        let queue =
            ZcrxQueue { id: 0, area_token: 3 << IORING_ZCRX_AREA_SHIFT, head: 0, tail: 0, entries: 0 };
        let offset = ZcrxQueue::offset([queue.area_token | 0x5000, 0]);
        assert_eq!(offset, 0x5000);
        let back = queue.refill(offset, 1500);
        assert_eq!((back.off, back.len), (0x0003_0000_0000_5000, 1500));
    }
}
