//! io_uring.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use uring::{Fixed, Queued, Target, URingContext};

use super::{Backend, BackendKind, OWN};
use crate::buffer::BufferPool;
use crate::error::{Error, unsupported};
use crate::file::RegisteredFile;
use crate::operation::Operation;
use crate::registration::{Registration, RingId};
use crate::request::{Action, Request};

/// Completion of a request to cancel another.
const CANCELLED: u64 = OWN;

/// Places in the table of files: as many as are useful for an engine, at eight bytes of the kernel's each.
const FILES: u32 = 64;

/// An io_uring.
#[derive(Debug)]
pub struct Uring {
    context: URingContext,
    ring: RingId,
    files: Files,
    /// What to cancel, and there was no room to say so.
    cancels: Vec<u64>,
    /// Pools whose memory is registered. Last: it stays until the ring is gone.
    pools: Vec<BufferPool>,
}

/// The table of registered files, which is made when the first one comes.
#[derive(Debug)]
enum Files {
    Unmade,
    /// This many places are taken.
    Taken(u32),
    /// The kernel refused a table.
    Refused,
}

impl Uring {
    /// Makes a ring with room for `depth` requests in flight, and tries it.
    ///
    /// # Errors
    ///
    /// As [`URingContext::new`], and whatever a request that does nothing says.
    pub fn new(depth: usize) -> io::Result<Self> {
        let mut context = URingContext::new(depth)?;
        // A filter may allow the set-up and nothing more.
        context.add_nop(CANCELLED)?;
        context.wait()?.try_for_each(|(_, result)| result.map(drop))?;
        Ok(Self {
            context,
            ring: RingId::new(),
            files: Files::Unmade,
            cancels: Vec::new(),
            pools: Vec::new(),
        })
    }

    /// Queues the cancellations that there was no room for.
    #[cold]
    fn cancel_late(&mut self) -> Result<(), Error> {
        while let Some(&user_data) = self.cancels.last() {
            match self.context.cancel(user_data, CANCELLED) {
                // If the kernel takes nothing before completions are taken, the rest waits for that.
                Err(uring::Error::NoSpace) if self.context.submit()? > 0 => {}
                Err(uring::Error::NoSpace) => break,
                Ok(()) => drop(self.cancels.pop()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    #[inline]
    fn prepare(&mut self) -> Result<(), Error> {
        if self.cancels.is_empty() { Ok(()) } else { self.cancel_late() }
    }
}

#[inline(always)]
fn added(result: uring::Result<Queued<'_>>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => refused(error),
    }
}

/// It is asked for again where the error can be told.
#[cold]
#[inline(never)]
fn refused(_error: uring::Error) -> bool {
    false
}

/// Adds a request on a descriptor or a place of the table of files.
///
/// # Safety
///
/// As [`Backend::add`].
unsafe fn add_on(
    context: &mut URingContext,
    ring: RingId,
    target: impl Target,
    action: Action<'_>,
    user_data: u64,
) -> Result<(), Error> {
    // A table of buffers has at most 2¹⁴ places.
    let place =
        |known: Option<Registration>| known.and_then(|known| known.index_in(ring)).map(|index| index as u16);
    match action {
        Action::Read { ptr, len, offset, flags, registration } => {
            let offset = no_position(offset);
            let queued = match place(registration) {
                // SAFETY: this fn's contract.
                None => unsafe { context.add_read(ptr, len, target, offset, user_data) },
                // SAFETY: as above.
                Some(index) => unsafe { context.add_read_fixed(ptr, len, index, target, offset, user_data) },
            };
            queued?.rw_flags(flags);
        }
        Action::Write { ptr, len, offset, flags, registration } => {
            let offset = no_position(offset);
            let queued = match place(registration) {
                // SAFETY: this fn's contract.
                None => unsafe { context.add_write(ptr, len, target, offset, user_data) },
                // SAFETY: as above.
                Some(index) => unsafe { context.add_write_fixed(ptr, len, index, target, offset, user_data) },
            };
            queued?.rw_flags(flags);
        }
        Action::ReadVectored { iovecs, offset, flags } => {
            let offset = no_position(offset);
            // SAFETY: this fn's contract.
            unsafe { context.add_readv_iter(iovecs.iter(), target, offset, user_data) }?.rw_flags(flags);
        }
        Action::WriteVectored { iovecs, offset, flags } => {
            let offset = no_position(offset);
            // SAFETY: this fn's contract.
            unsafe { context.add_writev_iter(iovecs.iter(), target, offset, user_data) }?.rw_flags(flags);
        }
        // SAFETY: this fn's contract; the operation keeps its file until it completes.
        Action::Sync { data_only: false } => unsafe { context.add_fsync(target, user_data) }?,
        // SAFETY: as above.
        Action::Sync { data_only: true } => unsafe { context.add_fdatasync(target, user_data) }?,
        Action::Allocate { mode, offset, len } => {
            // SAFETY: as above.
            unsafe { context.add_fallocate(target, offset, len, mode, user_data) }?;
        }
        // SAFETY: this fn's contract.
        Action::Poll { events } => unsafe { context.add_poll_fd(target, events, user_data) }?,
        // `Assisted` has these done by threads.
        Action::Discard { .. } | Action::WriteZeroes { .. } => return Err(unsupported()),
    }
    Ok(())
}

/// The offset that stands for the file's position is none here, but as bad as it is for `pread`: the largest is taken
/// for the one before, which is negative, too.
#[inline]
fn no_position(offset: u64) -> u64 {
    offset.min(u64::MAX - 1)
}

// SAFETY: each of the numbered rules is a promise of `URingContext`: exactly one completion a request, after which the
// kernel is done with the memory; vectors are copied to the queue; `close` says whether the kernel has let go. Requests of
// our own have `CANCELLED`.
unsafe impl Backend for Uring {
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        let (ring, context) = (self.ring, &mut self.context);
        let Request { file, action } = request;
        match file.registration.and_then(|registration| registration.index_in(ring)) {
            // SAFETY: this fn's contract.
            None => unsafe { add_on(context, ring, file.fd, action, user_data) },
            // SAFETY: as above.
            Some(index) => unsafe { add_on(context, ring, Fixed(index), action, user_data) },
        }
    }

    #[inline(always)]
    unsafe fn add_usual(&mut self, operation: &mut impl Operation, user_data: u64) -> bool {
        let Request { file, action } = operation.request();
        let context = &mut self.context;
        match action {
            _ if file.registration.is_some() => false,
            Action::Read { ptr, len, offset, flags, registration: None } if flags.bits() == 0 => {
                // SAFETY: this fn's contract.
                added(unsafe { context.add_read(ptr, len, file.fd, no_position(offset), user_data) })
            }
            Action::Write { ptr, len, offset, flags, registration: None } if flags.bits() == 0 => {
                // SAFETY: this fn's contract.
                added(unsafe { context.add_write(ptr, len, file.fd, no_position(offset), user_data) })
            }
            _ => false,
        }
    }

    fn submit(&mut self) -> Result<(), Error> {
        self.prepare()?;
        self.context.submit()?;
        // Seen, and left for `next`.
        mem::forget(self.context.completions()?);
        Ok(())
    }

    #[inline]
    fn wait(&mut self, nr: usize) -> Result<(), Error> {
        self.prepare()?;
        mem::forget(self.context.wait_nr(nr)?);
        Ok(())
    }

    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        self.prepare()?;
        mem::forget(self.context.wait_timeout(timeout)?);
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Option<(u64, io::Result<u32>)> {
        self.context.next_completion()
    }

    fn attend(&mut self, _user_data: u64, _result: io::Result<u32>) {}

    fn cancel(&mut self, user_data: u64) -> Result<(), Error> {
        self.cancels.push(user_data);
        self.cancel_late()
    }

    fn kind(&self) -> BackendKind {
        BackendKind::Uring
    }

    fn register_file(&mut self, file: Arc<OwnedFd>) -> RegisteredFile {
        if let Files::Unmade = self.files {
            let made = self.context.register_files_sparse(FILES);
            self.files = if made.is_ok() { Files::Taken(0) } else { Files::Refused };
        }
        let registration = match &mut self.files {
            Files::Taken(taken) if *taken < FILES => {
                let placed = self.context.update_files(*taken, &[Some(file.as_fd())]);
                matches!(placed, Ok(1)).then(|| {
                    *taken += 1;
                    Registration::new(self.ring, *taken - 1)
                })
            }
            _ => None,
        };
        RegisteredFile::new(file, registration)
    }

    fn register_buffers(&mut self, pool: &mut BufferPool) {
        // One table is all that a ring has, and one pool is all that is in it.
        if !self.pools.is_empty() {
            return;
        }
        // SAFETY: the pool is kept with the ring, and dropped after it, so its memory stays; a request in flight owns
        // the part that it uses.
        if unsafe { self.context.register_buffers(&[pool.memory()]) }.is_ok() {
            pool.register(Registration::new(self.ring, 0));
            self.pools.push(pool.clone());
        }
    }

    fn close(self) -> io::Result<()> {
        let Self { context, pools, .. } = self;
        context.close().inspect_err(|_| mem::forget(pools)).map_err(io::Error::from)
    }
}

impl AsFd for Uring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.context.as_fd()
    }
}
