//! `pread(2)` and `pwrite(2)`: the measure of all things asynchronous.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::Engine;
use crate::case::Op;

/// Keeps one operation and does it when it is waited for.
#[derive(Debug)]
pub(crate) struct Pread<'a> {
    file: &'a File,
    queued: Option<Queued>,
    calls: u64,
}

#[derive(Debug)]
struct Queued {
    op: Op,
    block: *mut u8,
    len: usize,
    offset: libc::off64_t,
    user_data: u64,
}

impl<'a> Pread<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        Self { file, queued: None, calls: 0 }
    }
}

impl Engine for Pread<'_> {
    unsafe fn queue(
        &mut self,
        op: Op,
        block: *mut u8,
        len: usize,
        offset: u64,
        user_data: u64,
    ) -> io::Result<()> {
        let offset = offset.try_into().map_err(io::Error::other)?;
        match self.queued.replace(Queued { op, block, len, offset, user_data }) {
            None => Ok(()),
            Some(_) => Err(io::Error::other("pread does one operation at a time")),
        }
    }

    fn wait(&mut self, mut completed: impl FnMut(u64, io::Result<u32>)) -> io::Result<()> {
        let Some(Queued { op, block, len, offset, user_data }) = self.queued.take() else {
            return Ok(());
        };
        self.calls += 1;
        let fd = self.file.as_raw_fd();
        let transferred = match op {
            // SAFETY: `block` is valid for `len` bytes until the completion is handed out (contract of
            // `queue`), which is below.
            Op::Read => unsafe { libc::pread64(fd, block.cast(), len, offset) },
            // SAFETY: as above.
            Op::Write => unsafe { libc::pwrite64(fd, block.cast(), len, offset) },
        };
        completed(user_data, u32::try_from(transferred).map_err(|_| io::Error::last_os_error()));
        Ok(())
    }

    fn system_calls(&self) -> u64 {
        self.calls
    }
}
