//! What can be chosen when a driver is made.

use std::io;

use super::Driver;
use super::callback::Callback;
use crate::buffer::IoBufMut;
use crate::file::IoFile;
use crate::options::Options;

/// Options of a [`Driver`].
///
/// ```
/// use std::fs::File;
/// use std::sync::Arc;
///
/// use engine::Options;
/// use engine::driver::{Driver, DriverOptions};
///
/// let options = DriverOptions::new(Options::new(64)).workers(2).merge(1 << 20);
/// let driver: Driver<Arc<File>, Vec<u8>> = options.build()?;
/// driver.shutdown()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DriverOptions {
    pub(super) engine: Options,
    pub(super) threads: usize,
    pub(super) workers: usize,
    pub(super) merge: usize,
    pub(super) queue: Option<usize>,
}

/// A place of each engine is the doorbell's.
const MOST: usize = 32767;

impl DriverOptions {
    /// Asks for one I/O thread, with an engine as these options say, which calls back itself and merges nothing.
    ///
    /// The depth, how many requests are in flight at once in each thread, is 1 to 32767.
    pub fn new(engine: Options) -> Self {
        Self { engine, threads: 1, workers: 0, merge: 0, queue: None }
    }

    /// Has so many I/O threads, each with an engine of its own; at least one. What is done to one file is done by the same thread,
    /// unless it belongs to a [chain](Driver::chain), which has one thread, too.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Calls back on so many threads that do nothing else. With none, which is the default, the I/O thread does it, which is
    /// cheaper but keeps it from I/O meanwhile.
    ///
    /// Callbacks on more than one thread may overtake each other.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Makes one request of reads, or of writes, that are queued one behind the other, are of one file and adjoin in it, up to so
    /// many bytes together; 0, which is the default, turns that off.
    ///
    /// The kernel takes their buffers as a vector, so that nothing is copied, and each operation has its own result: should the
    /// request fail or end early, what it has not done is done again one by one. Operations with other flags, several buffers, or
    /// none, on pipes and the like and on files opened to append are not merged; nor are more than 1024 in one.
    pub fn merge(mut self, limit: usize) -> Self {
        self.merge = limit;
        self
    }

    /// Lets so many operations wait to be started in each thread, besides those in flight, before [`submit`](Driver::submit)
    /// blocks; at least one, and as many as the depth if nobody says.
    pub fn queue(mut self, bound: usize) -> Self {
        self.queue = Some(bound);
        self
    }

    /// Makes the driver.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a depth out of range, `EAGAIN` if the process may have no more threads, and as [`Options::build`].
    pub fn build<F, B, C>(&self) -> io::Result<Driver<F, B, C>>
    where
        F: IoFile + Send,
        B: IoBufMut + Send,
        C: Callback<F, B>,
    {
        Driver::new(self)
    }

    /// The engine's options, with a place for the doorbell.
    pub(super) fn with_doorbell(&self) -> io::Result<Options> {
        let depth = self.engine.depth;
        if (1..=MOST).contains(&depth) {
            let mut engine = self.engine.clone();
            engine.depth += 1;
            return Ok(engine);
        }
        let text = format!("a depth of {depth}: a thread of a driver has room for 1 to {MOST} requests");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    pub(super) fn bound(&self) -> usize {
        self.queue.unwrap_or(self.engine.depth)
    }
}

/// As [`DriverOptions::new`].
impl From<Options> for DriverOptions {
    fn from(engine: Options) -> Self {
        Self::new(engine)
    }
}
