//! The iocb of each kind of request.

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

use aio_sys::{
    IOCB_CMD_FDSYNC, IOCB_CMD_FSYNC, IOCB_CMD_POLL, IOCB_CMD_PREAD, IOCB_CMD_PREADV, IOCB_CMD_PWRITE,
    IOCB_CMD_PWRITEV, iocb,
};
use libc::iovec;

use crate::UserData;
use crate::error::{Rejected, Result};
use crate::queued::Queued;
use crate::submission::{CANCEL, Submission};

/// Longer transfers end here, as those of `pread` do.
const MAX_LEN: usize = 0x7fff_f000;

/// An iocb, with zero in every field that is not named.
#[inline]
fn transfer(opcode: u32, address: usize, len: usize, fd: RawFd, offset: u64, user_data: UserData) -> iocb {
    iocb {
        aio_data: user_data,
        aio_lio_opcode: opcode as u16,
        aio_fildes: fd.cast_unsigned(),
        aio_buf: address as u64,
        aio_nbytes: len as u64,
        aio_offset: offset.cast_signed(),
        ..iocb::default()
    }
}

impl Submission {
    #[inline]
    pub(crate) fn add_read(
        &mut self,
        ptr: *mut u8,
        len: usize,
        fd: RawFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        self.vacancy()?;
        let address = ptr.expose_provenance();
        let iocb = transfer(IOCB_CMD_PREAD, address, len.min(MAX_LEN), fd, offset, user_data);
        let iocb = self.place(iocb);
        Ok(Queued { iocb })
    }

    #[inline]
    pub(crate) fn add_write(
        &mut self,
        ptr: *const u8,
        len: usize,
        fd: RawFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        self.vacancy()?;
        let address = ptr.expose_provenance();
        let iocb = transfer(IOCB_CMD_PWRITE, address, len.min(MAX_LEN), fd, offset, user_data);
        let iocb = self.place(iocb);
        Ok(Queued { iocb })
    }

    /// Queues a vectored request with an array of its own; on failure the array comes back.
    pub(crate) fn add_owned(
        &mut self,
        write: bool,
        iovecs: Vec<iovec>,
        fd: RawFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>, Rejected> {
        match self.vacancy() {
            Ok(()) => {
                *self.array() = iovecs;
                Ok(self.place_vectored(write, fd, offset, user_data))
            }
            Err(error) => Err(Rejected { error, iovecs }),
        }
    }

    /// Queues a vectored request in the array that its slot had before.
    pub(crate) fn add_items(
        &mut self,
        write: bool,
        iovecs: impl IntoIterator<Item = iovec>,
        fd: RawFd,
        offset: u64,
        user_data: UserData,
    ) -> Result<Queued<'_>> {
        self.vacancy()?;
        let array = self.array();
        array.clear();
        // The slot is still free, should the iterator panic.
        array.extend(iovecs);
        Ok(self.place_vectored(write, fd, offset, user_data))
    }

    /// The array of the next request's slot.
    fn array(&mut self) -> &mut Vec<iovec> {
        if self.iovecs.is_empty() {
            self.iovecs.resize_with(self.shared.slots.len(), Vec::new);
        }
        let slot = self.next_slot();
        &mut self.iovecs[slot as usize]
    }

    fn place_vectored(&mut self, write: bool, fd: RawFd, offset: u64, user_data: UserData) -> Queued<'_> {
        let opcode = if write { IOCB_CMD_PWRITEV } else { IOCB_CMD_PREADV };
        let array = self.array();
        let (address, len) = (array.as_ptr().expose_provenance(), array.len());
        let iocb = self.place(transfer(opcode, address, len, fd, offset, user_data));
        Queued { iocb }
    }

    pub(crate) fn add_sync(&mut self, data_only: bool, fd: RawFd, user_data: UserData) -> Result<()> {
        let opcode = if data_only { IOCB_CMD_FDSYNC } else { IOCB_CMD_FSYNC };
        self.vacancy()?;
        // Everything else has to be 0, or the kernel refuses.
        self.place(transfer(opcode, 0, 0, fd, 0, user_data));
        Ok(())
    }

    pub(crate) fn add_poll(&mut self, fd: RawFd, events: libc::c_short, user_data: UserData) -> Result<()> {
        self.vacancy()?;
        self.shared.look_closer.store(true, Ordering::Relaxed);
        let events = usize::from(events.cast_unsigned());
        self.place(transfer(IOCB_CMD_POLL, events, 0, fd, 0, user_data));
        Ok(())
    }

    pub(crate) fn add_cancel(&mut self, target: UserData, user_data: UserData) -> Result<()> {
        self.vacancy()?;
        let iocb = iocb { aio_data: user_data, aio_lio_opcode: CANCEL, aio_buf: target, ..iocb::default() };
        self.place(iocb);
        self.cancels += 1;
        Ok(())
    }
}
