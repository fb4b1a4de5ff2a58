//! `io_uring_register`: what a ring is told once.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::Ordering;

use uring_sys::{
    IO_URING_QUERY_OPCODES, IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_REGISTER_BUFFERS,
    IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_FILES, IORING_REGISTER_FILES_UPDATE,
    IORING_REGISTER_FILES2, IORING_REGISTER_PROBE, IORING_REGISTER_QUERY, IORING_REGISTER_RESTRICTIONS,
    IORING_REGISTER_SYNC_CANCEL, IORING_RSRC_REGISTER_SPARSE, IORING_UNREGISTER_BUFFERS,
    IORING_UNREGISTER_FILES, io_uring_files_update, io_uring_probe_op, io_uring_query_hdr,
    io_uring_query_opcode, io_uring_register, io_uring_restriction, io_uring_rsrc_register,
    io_uring_sync_cancel_reg,
};

use super::core::Core;
use crate::entry::result;
use crate::error::{Error, Result};
use crate::probe::{OPS_OF_A_PROBE, OpTable};

impl Core {
    /// # Safety
    ///
    /// `arg` and `nr` are what `opcode` takes, and valid for what the kernel does with them.
    unsafe fn register(&self, opcode: u32, arg: *mut libc::c_void, nr: u32) -> io::Result<u32> {
        let (ring, kind) = self.door.for_register();
        // SAFETY: this fn's contract.
        result(unsafe { io_uring_register(ring, opcode | kind, arg, nr) })
    }

    /// Starts a ring that was made disabled.
    pub(crate) fn enable(&self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.register(IORING_REGISTER_ENABLE_RINGS, ptr::null_mut(), 0) }
            .map(drop)
            .map_err(|error| Error::kernel("io_uring_register", error, "enabling the ring"))
    }

    pub(crate) fn register_restrictions(&self, list: &mut [io_uring_restriction]) -> Result<()> {
        let nr = length(list.len());
        // SAFETY: `list` is an array of `nr` restrictions that outlives the call.
        unsafe { self.register(IORING_REGISTER_RESTRICTIONS, list.as_mut_ptr().cast(), nr) }
            .map(drop)
            .map_err(|error| refused(error, "restrictions"))
    }

    pub(crate) fn register_files(&self, files: &[BorrowedFd<'_>]) -> Result<()> {
        let mut fds: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
        // SAFETY: `fds` is an array of that many descriptors that outlives the call.
        unsafe { self.register(IORING_REGISTER_FILES, fds.as_mut_ptr().cast(), length(fds.len())) }
            .map_err(|error| refused(error, "files"))?;
        self.has_files.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn register_files_sparse(&self, nr: u32) -> Result<()> {
        let mut arg = io_uring_rsrc_register { nr, flags: IORING_RSRC_REGISTER_SPARSE, ..Default::default() };
        let size = length(size_of_val(&arg));
        // SAFETY: `arg` outlives the call; this opcode takes the structure's size as its count.
        unsafe { self.register(IORING_REGISTER_FILES2, (&raw mut arg).cast(), size) }
            .map_err(|error| refused(error, "files"))?;
        self.has_files.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn update_files(&self, first: u32, files: &[Option<BorrowedFd<'_>>]) -> Result<usize> {
        const EMPTY: RawFd = -1;
        let mut fds: Vec<RawFd> =
            files.iter().map(|file| file.as_ref().map_or(EMPTY, AsRawFd::as_raw_fd)).collect();
        let mut arg = io_uring_files_update {
            offset: first,
            fds: fds.as_mut_ptr().expose_provenance() as u64,
            ..Default::default()
        };
        // SAFETY: `arg` and the array that it names outlive the call; the array holds that many entries.
        unsafe { self.register(IORING_REGISTER_FILES_UPDATE, (&raw mut arg).cast(), length(fds.len())) }
            .map(|done| done as usize)
            .map_err(|error| refused(error, "files"))
    }

    pub(crate) fn unregister_files(&self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.register(IORING_UNREGISTER_FILES, ptr::null_mut(), 0) }
            .map_err(|error| refused(error, "files"))?;
        self.has_files.store(false, Ordering::Relaxed);
        Ok(())
    }

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

    /// Unregisters what buffers and files there are. Closing the ring does so as well, but only some time
    /// later: until then memory stays pinned and file systems stay busy.
    pub(crate) fn release_resources(&self) {
        // A ring whose restrictions forbid this leaves it to the close.
        if self.has_buffers.load(Ordering::Relaxed) {
            let _ = self.unregister_buffers();
        }
        if self.has_files.load(Ordering::Relaxed) {
            let _ = self.unregister_files();
        }
    }

    /// Asks which opcodes this ring has (`IORING_REGISTER_PROBE`, since 5.6).
    pub(crate) fn probe_ops(&self) -> io::Result<OpTable> {
        /// `struct io_uring_probe` with as many operations as an opcode can number.
        #[repr(C)]
        struct Answer {
            last_op: u8,
            ops_len: u8,
            resv: u16,
            resv2: [u32; 3],
            ops: [io_uring_probe_op; OPS_OF_A_PROBE],
        }
        // The kernel wants zeroes.
        let mut answer = Answer {
            last_op: 0,
            ops_len: 0,
            resv: 0,
            resv2: [0; 3],
            ops: [io_uring_probe_op::default(); OPS_OF_A_PROBE],
        };
        let nr = length(OPS_OF_A_PROBE);
        // SAFETY: `answer` has room for `nr` operations behind its header and outlives the call.
        unsafe { self.register(IORING_REGISTER_PROBE, (&raw mut answer).cast(), nr)? };
        let told = usize::from(answer.ops_len).min(OPS_OF_A_PROBE);
        Ok(OpTable::from_probe(&answer.ops[..told]))
    }
}

/// Asks the kernel, not a ring, what it has (`IORING_REGISTER_QUERY`, since 6.18).
pub(crate) fn query() -> io::Result<io_uring_query_opcode> {
    const NO_RING: RawFd = -1;
    let mut answer = io_uring_query_opcode::default();
    let mut query = io_uring_query_hdr {
        query_data: (&raw mut answer).expose_provenance() as u64,
        query_op: IO_URING_QUERY_OPCODES,
        size: length(size_of_val(&answer)),
        ..Default::default()
    };
    // SAFETY: the header and the answer that it names outlive the call; their size is given, the kernel
    // writes no more than that.
    result(unsafe { io_uring_register(NO_RING, IORING_REGISTER_QUERY, (&raw mut query).cast(), 0) })?;
    result(query.result)?;
    Ok(answer)
}

/// A length as the kernel counts; none of ours comes near the limit but by a mistake that the kernel
/// then refuses.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cold]
fn refused(error: io::Error, what: &str) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::ENOMEM) => {
            format!("{what}: pinned memory counts against RLIMIT_MEMLOCK (ulimit -l)")
        }
        Some(libc::EMFILE) => format!("{what}: more than RLIMIT_NOFILE (ulimit -n)"),
        Some(libc::EBUSY) => format!("{what}: some are registered; unregister them first"),
        Some(libc::ENXIO) => format!("{what}: none are registered"),
        Some(libc::EACCES) => format!("{what}: this ring's restrictions do not allow the call"),
        _ => what.to_owned(),
    };
    Error::kernel("io_uring_register", error, hint)
}
