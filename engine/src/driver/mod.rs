//! Operations that are called back for, submitted from any thread.
//!
//! A [`Driver`] has threads of its own that submit and reap, so that a program without a loop around an
//! [`Engine`](crate::Engine) has asynchronous file I/O, too: it hands an operation over with a [`Callback`], which gets it back with
//! its result.

mod batch;
mod callback;
mod chain;
mod desk;
mod io;
mod options;
mod queue;
mod stats;
mod task;
mod threads;
mod workers;

use std::fmt;
use std::io::Result;
use std::sync::Arc;

pub use self::callback::{Boxed, Callback, Outcome};
pub use self::chain::Chain;
use self::chain::ChainId;
pub use self::options::DriverOptions;
use self::queue::Patience;
pub use self::stats::Stats;
use self::task::Job;
use self::threads::Threads;
use crate::backend::BackendKind;
use crate::buffer::IoBufMut;
use crate::error::{Error, Rejected};
use crate::file::IoFile;
use crate::operation::{Operation, Operations};

/// What a driver has not taken, operation and callback, and why.
pub type Refused<F, B, C = Boxed<F, B>> = Rejected<(Operations<F, B>, C)>;

/// Asynchronous file I/O with callbacks.
///
/// It takes operations from any thread, carries them out on threads of its own, and calls the callback of each
/// exactly once, with the operation and its result. Clones are handles of the same driver.
///
/// **Order**: there is none, except in a [`Chain`].
///
/// **Back-pressure**: each thread has as many requests in flight as the depth says, and so many more waiting as
/// [`DriverOptions::queue`] says; beyond that [`submit`](Self::submit) waits. Callbacks are exempt, since room would wait for
/// them: what they submit is always taken.
///
/// **Merging**: neighbours in a file become one request, if [`DriverOptions::merge`] is asked for.
///
/// **End**: [`shutdown`](Self::shutdown), or dropping the last handle, carries out what was accepted, calls every callback
/// and joins the threads. Only what may wait for others for ever, a poll or a transfer through a pipe or a socket, is cancelled
/// (`ECANCELED`) once nothing else is left; kernel AIO cannot cancel transfers. A callback may drop the last handle: then nobody
/// waits for the end, which comes all the same.
///
/// **Failures**: an operation that fails is called back with its error, and no other one is affected. Should the kernel refuse
/// to be asked or waited for for about a second, a thread gives its engine up: it accepts nothing more, and calls back with that error
/// whatever it has not got a result for. The one exception is what the kernel may still have when the engine cannot be closed either:
/// memory, file and callback are leaked, because giving them back would not be sound. A forked child has no threads: there operations are
/// refused with [`Error::Forked`], and dropping does nothing.
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use std::sync::{Arc, mpsc};
///
/// use engine::Options;
/// use engine::driver::{Driver, DriverOptions};
/// use engine::operation::Read;
///
/// let file = Arc::new(File::open("/proc/self/exe")?);
/// let driver: Driver<Arc<File>, Vec<u8>> = DriverOptions::new(Options::new(32)).build()?;
/// let (sender, results) = mpsc::channel();
/// for block in 0..100 {
///     let sender = sender.clone();
///     let read = Read::new(file.clone(), vec![0; 4096], block * 4096);
///     driver.submit(read, Box::new(move |outcome| sender.send(outcome.result).unwrap()))?;
/// }
/// driver.shutdown()?;
/// let bytes: usize = results.try_iter().map(Result::unwrap).sum();
/// println!("{bytes} bytes");
/// # std::io::Result::Ok(())
/// ```
pub struct Driver<F, B, C = Boxed<F, B>> {
    threads: Arc<Threads<Job<F, B, C>>>,
}

impl<F, B, C> Driver<F, B, C>
where
    F: IoFile + Send,
    B: IoBufMut + Send,
    C: Callback<F, B>,
{
    /// Makes a driver; see [`DriverOptions::build`].
    ///
    /// # Errors
    ///
    /// As [`DriverOptions::build`].
    pub fn new(options: &DriverOptions) -> Result<Self> {
        Ok(Self { threads: Arc::new(threads::start(options)?) })
    }

    /// Hands over an operation, and waits for room if need be.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] after [`shutdown`](Self::shutdown), or when the engine has failed; [`Error::Forked`] in a forked child. Operation
    /// and callback come back.
    pub fn submit(
        &self,
        operation: impl Into<Operations<F, B>>,
        callback: C,
    ) -> std::result::Result<(), Refused<F, B, C>> {
        self.push(operation.into(), callback, None, Patience::Wait)
    }

    /// Hands over an operation if there is room.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is none, and as [`submit`](Self::submit). Operation and callback come back.
    pub fn try_submit(
        &self,
        operation: impl Into<Operations<F, B>>,
        callback: C,
    ) -> std::result::Result<(), Refused<F, B, C>> {
        self.push(operation.into(), callback, None, Patience::Refuse)
    }

    fn push(
        &self,
        mut operation: Operations<F, B>,
        callback: C,
        chain: Option<(ChainId, usize)>,
        patience: Patience,
    ) -> std::result::Result<(), Refused<F, B, C>> {
        let shared = self.threads.shared();
        if shared.is_forked() {
            return Err(Rejected { error: Error::Forked, operation: (operation, callback) });
        }
        let lane = match chain {
            Some((_, lane)) => lane,
            None if shared.lanes() == 1 => 0,
            None => shared.lane_of(operation.request().file.fd),
        };
        let job = Job::new(operation, callback, chain.map(|(id, _)| id));
        shared.push(lane, job, patience).map_err(|(error, job)| {
            let Job { operation, callback, .. } = job;
            Rejected { error, operation: (operation, callback) }
        })
    }

    /// Makes a chain, in which operations can wait for others.
    #[must_use]
    pub fn chain(&self) -> Chain<F, B, C> {
        let id = self.threads.shared().next_chain();
        let lane = id.get() % self.threads.shared().lanes() as u64;
        // Less than there are lanes.
        Chain::new(self.clone(), id, lane as usize)
    }
}

impl<F, B, C> Driver<F, B, C> {
    /// Accepts nothing more from any handle, carries out what was accepted, and returns when every callback has been called and the
    /// threads are gone.
    ///
    /// # Errors
    ///
    /// What the kernel said when the engine of a thread had to be given up; see [`Driver`]. On a thread of the driver's, in a callback,
    /// [`Deadlock`](std::io::ErrorKind::Deadlock): the end has begun, but cannot be waited for there.
    pub fn shutdown(self) -> Result<()> {
        self.threads.shutdown()
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.threads.shared().stats()
    }

    /// Which back end it runs on.
    #[must_use]
    pub fn backend(&self) -> BackendKind {
        self.threads.backend()
    }
}

impl<F, B, C> Clone for Driver<F, B, C> {
    fn clone(&self) -> Self {
        Self { threads: self.threads.clone() }
    }
}

impl<F, B, C> fmt::Debug for Driver<F, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::rc::Rc;

    use static_assertions::{assert_impl_all, assert_not_impl_any};

    use super::*;

    assert_impl_all!(Driver<Arc<File>, Vec<u8>>: Send, Sync, Clone);
    assert_impl_all!(Chain<Arc<File>, Vec<u8>>: Send, Sync, Clone);
    assert_not_impl_any!(Driver<Rc<File>, Vec<u8>>: Send, Sync);
}
