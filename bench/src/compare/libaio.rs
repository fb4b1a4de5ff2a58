//! libaio, loaded at run time, used as its manual pages say.

use std::ffi::{c_int, c_long};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use aio_sys::{IOCB_CMD_PREAD, aio_context_t, io_event, iocb};
use anyhow::{Context, ensure};
use libloading::{Library, Symbol};

use super::peer::Peer;
use crate::micro::{BLOCK, Draw, Reads};

pub(crate) const NAME: &str = "libaio";

const FILE: &str = "libaio.so.1";

type IoSetup = unsafe extern "C" fn(c_int, *mut aio_context_t) -> c_int;
type IoDestroy = unsafe extern "C" fn(aio_context_t) -> c_int;
type IoSubmit = unsafe extern "C" fn(aio_context_t, c_long, *mut *mut iocb) -> c_int;
type IoGetevents =
    unsafe extern "C" fn(aio_context_t, c_long, c_long, *mut io_event, *mut libc::timespec) -> c_int;

/// A context of libaio, and all that a batch of reads needs.
#[derive(Debug)]
pub(crate) struct Libaio<'a> {
    name: &'static str,
    file: &'a File,
    context: aio_context_t,
    submit: IoSubmit,
    getevents: IoGetevents,
    destroy: IoDestroy,
    iocbs: Vec<iocb>,
    events: Vec<io_event>,
    reads: Reads,
    /// Keeps the three functions where they are; dropped last.
    _library: Library,
}

impl<'a> Libaio<'a> {
    pub(crate) fn new(name: &'static str, file: &'a File, depth: usize, size: u64) -> anyhow::Result<Self> {
        // SAFETY: libaio runs nothing when it is loaded.
        let library = unsafe { Library::new(FILE) }.with_context(|| {
            format!("{FILE}, which this compares with, cannot be loaded; install libaio (libaio1)")
        })?;
        // SAFETY: the type is that of the function in libaio.h, where `io_context_t` is a pointer that the
        // kernel calls `aio_context_t`, an integer of the same size and calling convention.
        let setup: Symbol<'_, IoSetup> = unsafe { library.get(b"io_setup\0") }?;
        // SAFETY: as above.
        let destroy: Symbol<'_, IoDestroy> = unsafe { library.get(b"io_destroy\0") }?;
        // SAFETY: as above.
        let submit: Symbol<'_, IoSubmit> = unsafe { library.get(b"io_submit\0") }?;
        // SAFETY: as above.
        let getevents: Symbol<'_, IoGetevents> = unsafe { library.get(b"io_getevents\0") }?;
        let (submit, getevents, destroy) = (*submit, *getevents, *destroy);
        let mut context = 0;
        // SAFETY: `context` is 0 before and lives through the call, as io_setup(3) asks.
        check(unsafe { setup(c_int::try_from(depth)?, &mut context) }).context("io_setup of libaio")?;
        Ok(Self {
            name,
            file,
            context,
            submit,
            getevents,
            destroy,
            iocbs: vec![iocb::default(); depth],
            events: vec![io_event::default(); depth],
            reads: Reads::new(depth, size)?,
            _library: library,
        })
    }

    /// One batch: `io_prep_pread` for each, one `io_submit`, one `io_getevents` for all.
    fn run_batch(&mut self, pointers: &mut [*mut iocb], draw: &mut Draw) -> anyhow::Result<()> {
        let fd = self.file.as_raw_fd() as u32;
        for (index, control) in self.iocbs.iter_mut().enumerate() {
            let (block, offset) = draw.next(index);
            *control = iocb {
                aio_data: index as u64,
                aio_lio_opcode: IOCB_CMD_PREAD as u16,
                aio_fildes: fd,
                aio_buf: block.expose_provenance() as u64,
                aio_nbytes: BLOCK as u64,
                aio_offset: offset as i64,
                ..iocb::default()
            };
        }
        let count = pointers.len() as c_long;
        // SAFETY: `pointers` names the `count` iocbs of this batch, filled above; each has a block of its
        // own, which lives in `reads` and is left alone until the call below has taken all of the batch's
        // events.
        let submitted = check(unsafe { (self.submit)(self.context, count, pointers.as_mut_ptr()) })?;
        ensure!(submitted == pointers.len(), "libaio submitted {submitted} of {count} reads");
        // SAFETY: `events` has room for `count` events, and no timeout is given.
        let taken = check(unsafe {
            (self.getevents)(self.context, count, count, self.events.as_mut_ptr(), ptr::null_mut())
        })?;
        let good = self.events[..taken].iter().filter(|event| event.res == BLOCK as i64).count();
        ensure!(good == pointers.len(), "{good} of {count} reads succeeded");
        Ok(())
    }
}

impl Peer for Libaio<'_> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn batch(&self) -> usize {
        self.iocbs.len()
    }

    fn run(&mut self, batches: u64) -> anyhow::Result<()> {
        // Where the iocbs lie does not change while a slice runs; a C program sets its pointers up once, too.
        let first = self.iocbs.as_mut_ptr();
        let mut pointers: Vec<_> = (0..self.iocbs.len()).map(|index| first.wrapping_add(index)).collect();
        let mut draw = self.reads.draw();
        for _ in 0..batches {
            self.run_batch(&mut pointers, &mut draw)?;
        }
        self.reads.resume(draw);
        Ok(())
    }
}

impl Drop for Libaio<'_> {
    fn drop(&mut self) {
        // SAFETY: the context came from `io_setup` and is destroyed once. The call waits for reads in flight,
        // so their memory, dropped after this, is nobody's.
        unsafe { (self.destroy)(self.context) };
    }
}

/// Turns libaio's negative errno into an error.
fn check(result: c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_result_is_an_errno() {
        assert_eq!(check(3).unwrap(), 3);
        assert_eq!(check(-libc::EAGAIN).unwrap_err().raw_os_error(), Some(libc::EAGAIN));
    }
}
