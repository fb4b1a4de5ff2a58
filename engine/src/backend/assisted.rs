//! Threads for what a kernel interface cannot do.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use uring::RwFlags;

use super::{Backend, BackendKind, OWN, Threads, add_request};
use crate::buffer::BufferPool;
use crate::direct::is_direct;
use crate::error::Error;
use crate::file::RegisteredFile;
use crate::operation::Operation;
use crate::request::{Action, FileRef, Request};

/// Completion of the poll that says that the threads have something.
const DONE_BY_THREADS: u64 = OWN + 1;

/// Threads that help: such requests are few and slow, and a device does them one after the other.
const HELPERS: usize = 2;

/// A back end with threads for what it cannot do: discards and zeroing, and with kernel AIO `fallocate`.
///
/// The back end polls the threads' descriptor, so that one wait is enough for both. The threads are started when they are
/// first needed.
#[derive(Debug)]
pub struct Assisted<B> {
    main: B,
    threads: Option<Threads>,
    /// Requests that the threads have.
    helping: usize,
    /// Whether the poll is in flight.
    polled: bool,
    /// How many threads there may be.
    helpers: usize,
    /// Whether the threads have what the back end would do within the call that submits it.
    buffered: bool,
}

impl<B: Backend> Assisted<B> {
    /// Takes a back end with room for one request more than are asked of this.
    pub fn new(main: B) -> Self {
        Self { main, threads: None, helping: 0, polled: false, helpers: HELPERS, buffered: false }
    }

    /// Leaves reads and writes through the page cache to threads, too, of which there may be so many: for a back end that does them
    /// within the call that submits them.
    #[must_use]
    pub fn offload_buffered(mut self, threads: usize) -> Self {
        (self.helpers, self.buffered) = (threads, true);
        self
    }

    /// Whether the threads are to have a request.
    #[inline]
    fn is_for_threads(&self, request: &Request<'_>) -> bool {
        match request.action {
            Action::Discard { .. } | Action::WriteZeroes { .. } => true,
            Action::Allocate { .. } => self.main.kind() == BackendKind::Aio,
            Action::Sync { .. } | Action::Poll { .. } => false,
            // What must not wait is not waited for.
            _ => self.buffered && !request.flags().contains(RwFlags::NOWAIT) && !is_direct(request.file.fd),
        }
    }

    #[cold]
    unsafe fn add_to_threads(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        let threads = match &mut self.threads {
            Some(threads) => threads,
            none => none.insert(Threads::new(self.helpers).map_err(Error::Kernel)?),
        };
        // SAFETY: the caller's contract.
        unsafe { threads.add(request, user_data) }?;
        self.helping += 1;
        Ok(())
    }

    /// Starts what the threads have, and has the back end wait for it, too. Whether something is done already: then there is
    /// nothing to wait for.
    #[inline]
    fn prepare(&mut self) -> Result<bool, Error> {
        if self.helping == 0 { Ok(false) } else { self.prepare_threads() }
    }

    #[cold]
    fn prepare_threads(&mut self) -> Result<bool, Error> {
        let Some(threads) = &mut self.threads else { return Ok(false) };
        threads.submit()?;
        let is_ready = threads.is_ready();
        if !self.polled {
            let file = FileRef { fd: threads.as_fd(), registration: None };
            let request = Request { file, action: Action::Poll { events: libc::POLLIN } };
            // SAFETY: the descriptor is open for as long as the threads are there, which end after the back end.
            match unsafe { add_request(&mut self.main, request, DONE_BY_THREADS) } {
                Ok(()) => self.polled = true,
                // Cancellations have all the room, and are over: once they are taken, this comes again.
                Err(Error::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(is_ready)
    }

    /// What the threads have done. When there is nothing, the back end polls them again, so that its descriptor tells of what comes.
    #[cold]
    fn next_of_threads(&mut self) -> Option<(u64, io::Result<u32>)> {
        loop {
            if let Some(done) = self.threads.as_mut()?.next() {
                self.helping -= 1;
                return Some(done);
            }
            if self.helping == 0 || self.polled || self.submit().is_err() {
                return None;
            }
            // The submit has looked at both.
            if let Some(next) = self.main.next() {
                return Some(next);
            }
        }
    }
}

// SAFETY: a request is with one of the two back ends, which keep the rules; the poll has a `user_data` of our own.
unsafe impl<B: Backend> Backend for Assisted<B> {
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        if self.is_for_threads(&request) {
            // SAFETY: this fn's contract.
            unsafe { self.add_to_threads(request, user_data) }
        } else {
            // SAFETY: this fn's contract.
            unsafe { self.main.add(request, user_data) }
        }
    }

    #[inline(always)]
    unsafe fn add_usual(&mut self, operation: &mut impl Operation, user_data: u64) -> bool {
        // Where threads have buffered transfers, it takes a look at the file to tell who is to have a request.
        // SAFETY: this fn's contract.
        !self.buffered && unsafe { self.main.add_usual(operation, user_data) }
    }

    fn submit(&mut self) -> Result<(), Error> {
        self.prepare()?;
        self.main.submit()
    }

    #[inline]
    fn wait(&mut self, nr: usize) -> Result<(), Error> {
        if self.prepare()? {
            return self.main.submit();
        }
        // What the threads complete is not counted there.
        self.main.wait(if self.helping == 0 { nr } else { nr.min(1) })
    }

    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        if self.prepare()? { self.main.submit() } else { self.main.wait_timeout(timeout) }
    }

    #[inline]
    fn next(&mut self) -> Option<(u64, io::Result<u32>)> {
        match self.main.next() {
            None if self.helping > 0 => self.next_of_threads(),
            next => next,
        }
    }

    #[inline(always)]
    fn next_with<R>(&mut self, make: impl FnOnce(u64, io::Result<u32>) -> Option<R>) -> Option<R> {
        if let Some((user_data, result)) = self.main.next() {
            return make(user_data, result);
        }
        if self.helping == 0 {
            return None;
        }
        let (user_data, result) = self.next_of_threads()?;
        make(user_data, result)
    }

    fn attend(&mut self, user_data: u64, result: io::Result<u32>) {
        if user_data == DONE_BY_THREADS {
            self.polled = false;
        } else {
            self.main.attend(user_data, result);
        }
    }

    fn cancel(&mut self, user_data: u64) -> Result<(), Error> {
        if let Some(threads) = &mut self.threads {
            threads.cancel(user_data)?;
        }
        self.main.cancel(user_data)
    }

    fn kind(&self) -> BackendKind {
        self.main.kind()
    }

    fn fallbacks(&self) -> u64 {
        self.main.fallbacks() + self.threads.as_ref().map_or(0, Backend::fallbacks)
    }

    fn register_file(&mut self, file: Arc<OwnedFd>) -> RegisteredFile {
        self.main.register_file(file)
    }

    fn register_buffers(&mut self, pool: &mut BufferPool) {
        self.main.register_buffers(pool);
    }

    fn close(self) -> io::Result<()> {
        let Self { main, threads, .. } = self;
        // The threads' descriptor is open until the back end does not poll it any more.
        let closed = main.close();
        drop(threads);
        closed
    }
}

impl<B: Backend> AsFd for Assisted<B> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.main.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::backend::Uring;
    use crate::operation::{Operation, Read, WriteZeroes};

    #[test]
    fn the_descriptor_tells_of_everything_that_the_threads_do_after_one_submit() {
        for round in 0..20 {
            let file = Arc::new(tempfile::tempfile().unwrap());
            let mut zeroes: Vec<_> = (0..8)
                .map(|nr| WriteZeroes { file: file.clone(), offset: nr * 65536, len: 65536, unmap: false })
                .collect();
            let Ok(ring) = Uring::new(8) else { return };
            let mut assisted = Assisted::new(ring);
            for (operation, user_data) in zeroes.iter_mut().zip(round..) {
                // SAFETY: the operations are dropped after the back end, which is made after them.
                unsafe { assisted.add(operation.request(), user_data) }.unwrap();
            }
            assisted.submit().unwrap();
            let mut done = 0;
            loop {
                while let Some((user_data, result)) = assisted.next() {
                    if user_data < OWN {
                        assert_eq!(result.unwrap(), 0);
                        done += 1;
                    } else {
                        assisted.attend(user_data, result);
                    }
                }
                if done == 8 {
                    break;
                }
                let fd = assisted.as_fd().as_raw_fd();
                let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
                // SAFETY: one pollfd, a local.
                assert_eq!(unsafe { libc::poll(&raw mut poll, 1, 10_000) }, 1, "{done} were told of");
            }
        }
    }

    #[test]
    fn what_is_offloaded_goes_to_threads_whichever_way_it_is_added() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut read = Read::new(file, vec![0; 16], 0);
        let Ok(ring) = Uring::new(8) else { return };
        let mut assisted = Assisted::new(ring).offload_buffered(1);
        // SAFETY: the operation is dropped after the back end, which is made after it.
        if !unsafe { assisted.add_usual(&mut read, 1) } {
            // SAFETY: as above.
            unsafe { assisted.add(read.request(), 1) }.unwrap();
        }
        assert_eq!(assisted.helping, 1);
    }
}
