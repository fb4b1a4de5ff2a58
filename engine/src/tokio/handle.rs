//! [`AsyncEngine`]: the handle.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Poll;

use ::tokio::runtime::Handle;
use static_assertions::assert_impl_all;

use super::driver::Driver;
use super::landing::Landing;
use super::outcome::Outcome;
use super::shared::Shared;
use crate::backend::BackendKind;
use crate::buffer::BufferPool;
use crate::error::Error;
use crate::file::RegisteredFile;
use crate::operation::Operation;
use crate::options::Options;
use crate::stats::Stats;

/// An [`Engine`](crate::Engine) whose operations are futures; a handle, to be cloned for each who uses it.
///
/// A task of the runtime in which it was made submits, once for all operations that tasks have begun in the same turn, and
/// takes completions, woken by the engine's descriptor. There is no thread but those of the runtime, and of the back end if
/// that is one of threads. The futures may be awaited anywhere, also in another runtime, as long as that task's runtime
/// runs.
///
/// # Waiting for room
///
/// As many operations are in flight as the [options](Options) say. Further futures wait, in the order in which they were
/// first polled.
///
/// # Dropping a future
///
/// Before there is room for the operation, it is given up, and file and buffer are dropped. Later it goes on by itself: the engine keeps
/// file and buffer until the kernel is done with them, and the place is free again then. What may never end by itself (a poll,
/// or a transfer of a pipe or a socket) is asked to.
///
/// # The end
///
/// [`close`](Self::close), or a drop of the last handle, lets nothing new in, and lets everything in flight come to its end, but what may
/// never come to it: that is cancelled. When the runtime goes, it is the same. The engine itself is always ended in a thread
/// that is started for that, since it may have to wait for the kernel, which a runtime's thread must not.
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use std::sync::Arc;
///
/// use engine::Options;
/// use engine::tokio::AsyncEngine;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let engine = AsyncEngine::new(&Options::new(32))?;
/// let file = Arc::new(File::open("/proc/self/exe")?);
/// let read = engine.read_at(file, vec![0; 4096], 0).await?;
/// assert_eq!((read.count, &read.buffer[..4]), (4096, b"\x7fELF".as_slice()));
/// engine.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncEngine(Arc<Last>);

/// The last one to go closes the engine.
struct Last(Arc<Shared>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.close();
    }
}

assert_impl_all!(AsyncEngine: Send, Sync, Clone);

impl AsyncEngine {
    /// Makes an engine that the runtime drives in which this is called.
    ///
    /// Over kernel AIO, buffered transfers keep the runtime's thread while they last, unless they are
    /// [left to threads](Options::offload_buffered).
    ///
    /// # Errors
    ///
    /// As [`Options::build`]; a descriptor more is needed.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, or if that has no I/O driver (`enable_io`).
    pub fn new(options: &Options) -> io::Result<Self> {
        let runtime = Handle::current();
        let shared = Arc::new(Shared::new(options.build()?));
        runtime.spawn(Driver::new(Arc::clone(&shared))?);
        Ok(Self(Arc::new(Last(shared))))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// Runs any operation; the methods for the usual ones are short forms of this.
    ///
    /// ```
    /// use engine::operation::ReadVectored;
    /// use engine::{Options, tokio::AsyncEngine};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let engine = AsyncEngine::new(&Options::new(4))?;
    /// let file = std::fs::File::open("/proc/self/exe")?;
    /// let read = engine.run(ReadVectored::new(file, vec![vec![0; 1], vec![0; 3]], 0)).await;
    /// assert_eq!(read.result?, 4);
    /// assert_eq!(read.operation.buffers()[1], b"ELF");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<O: Operation + Send>(&self, operation: O) -> Outcome<O> {
        let shared = self.shared();
        let permit = match shared.permits.try_acquire() {
            Ok(permit) => Ok(permit),
            // Who waits is served before anybody who tries.
            Err(_) => shared.permits.acquire().await,
        };
        match permit {
            Ok(permit) => permit.forget(),
            Err(_) => return Outcome::refused(operation, Error::Closed),
        }
        // So that the first poll of what follows costs no lock.
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        Landing::new(shared, operation, waker).await
    }

    /// Ends the engine: lets nothing new in, waits for what is in flight, and then until the engine is gone.
    ///
    /// Operations that still wait for room fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe), and have their buffer back. The future may be
    /// dropped; the engine ends all the same.
    ///
    /// # Errors
    ///
    /// What [`Engine::close`](crate::Engine::close) says, to the first one who asks.
    pub async fn close(&self) -> io::Result<()> {
        self.shared().close();
        self.shared().ended().await
    }

    /// Whether it takes no more operations.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared().gate.is_closing()
    }

    /// Operations that may be in flight at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared().capacity
    }

    /// Operations that could start now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.shared().permits.available_permits()
    }

    /// What it runs on.
    #[must_use]
    pub fn backend(&self) -> BackendKind {
        self.shared().kind
    }

    /// What it has done so far, until it is gone.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        self.shared().gate.visit(|engine, _| engine.stats())
    }

    /// Puts a file in the table of the ring; see [`Engine::register_file`](crate::Engine::register_file).
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the engine is closed.
    pub fn register_file(&self, file: impl Into<OwnedFd>) -> io::Result<RegisteredFile> {
        let registered = self.shared().gate.enter(file.into(), |engine, file| engine.register_file(file));
        registered.map_err(|_| Error::Closed.into())
    }

    /// Makes a pool of registered buffers; see [`Engine::buffer_pool`](crate::Engine::buffer_pool).
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the engine is closed.
    pub fn buffer_pool(&self, count: usize, size: usize) -> io::Result<BufferPool> {
        let made = self.shared().gate.enter((), |engine, ()| engine.buffer_pool(count, size));
        made.map_err(|()| Error::Closed.into())
    }
}

impl fmt::Debug for AsyncEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncEngine")
            .field("backend", &self.backend())
            .field("available", &self.available())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
