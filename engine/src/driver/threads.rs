//! The threads of a driver, from their start to their end.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::callback::{Callback, Caller, call};
use super::chain::ChainId;
use super::desk::Desk;
use super::io::{IoThread, Lane};
use super::options::DriverOptions;
use super::queue::Patience;
use super::stats::{Counts, Stats};
use super::task::{Job, Task};
use super::workers::{Producer, Workers};
use crate::backend::{BackendKind, quietly};
use crate::buffer::IoBufMut;
use crate::engine::Engine;
use crate::error::Error;
use crate::file::IoFile;

thread_local! {
    /// The name of the driver that this thread is of; 0 if none.
    static DRIVER: Cell<u64> = const { Cell::new(0) };
}

/// What all handles share.
pub(super) struct Shared<J> {
    lanes: Box<[Arc<Lane<J>>]>,
    counts: Arc<Counts>,
    chains: AtomicU64,
    /// No other driver of this process has the same, and none has 0.
    name: u64,
    /// Threads are not there in a forked child.
    process: u32,
}

impl<J> Shared<J> {
    fn new(lanes: Box<[Arc<Lane<J>>]>) -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(1);
        Self {
            lanes,
            counts: Arc::default(),
            chains: AtomicU64::new(1),
            name: NAMES.fetch_add(1, Ordering::Relaxed),
            process: std::process::id(),
        }
    }

    pub(super) fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }

    /// Whether this is one of the driver's threads.
    fn is_within(&self) -> bool {
        DRIVER.get() == self.name
    }

    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Where operations on a file go, so that neighbours meet.
    pub(super) fn lane_of(&self, fd: BorrowedFd<'_>) -> usize {
        fd.as_raw_fd().unsigned_abs() as usize % self.lanes.len()
    }

    pub(super) fn push(&self, lane: usize, job: J, patience: Patience) -> Result<(), (Error, J)> {
        let waits = patience == Patience::Wait && self.is_within();
        self.lanes[lane].push(job, if waits { Patience::Exceed } else { patience })
    }

    pub(super) fn next_chain(&self) -> ChainId {
        // After 2⁶⁴ chains the names come again; by then the first ones are over.
        ChainId::new(self.chains.fetch_add(1, Ordering::Relaxed)).unwrap_or(ChainId::MIN)
    }

    pub(super) fn stats(&self) -> Stats {
        self.counts.stats(self.lanes.iter().map(|lane| lane.queue.accepted()).sum())
    }

    fn close(&self) {
        for lane in &self.lanes {
            lane.close();
        }
    }
}

/// The threads, which end with this.
pub(super) struct Threads<J> {
    shared: Arc<Shared<J>>,
    running: Mutex<Running>,
    backend: BackendKind,
}

#[derive(Default)]
struct Running {
    io: Vec<JoinHandle<io::Result<()>>>,
    workers: Vec<JoinHandle<()>>,
    /// The errno and the text of what went wrong, for each who asks.
    failed: Option<(Option<i32>, String)>,
}

impl Running {
    /// Waits for the end of all.
    fn join(&mut self) -> io::Result<()> {
        for thread in self.io.drain(..) {
            // It catches its panics; should one get through, that is a failure.
            let ended = thread.join().unwrap_or_else(|_| Err(io::Error::other("an I/O thread panicked")));
            if let Err(error) = ended {
                self.failed.get_or_insert((error.raw_os_error(), error.to_string()));
            }
        }
        for worker in self.workers.drain(..) {
            // Panics of callbacks are caught, and there is no other code.
            let _ = worker.join();
        }
        match &self.failed {
            None => Ok(()),
            Some((Some(errno), _)) => Err(io::Error::from_raw_os_error(*errno)),
            Some((None, text)) => Err(io::Error::other(text.clone())),
        }
    }

    /// Lets them end by themselves.
    fn detach(&mut self) {
        self.io.clear();
        self.workers.clear();
    }
}

impl<J> Threads<J> {
    pub(super) fn shared(&self) -> &Shared<J> {
        &self.shared
    }

    pub(super) fn backend(&self) -> BackendKind {
        self.backend
    }

    /// Closes the queues, and waits for the end; a second caller waits for the same.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        if self.shared.is_forked() {
            return Err(Error::Forked.into());
        }
        self.shared.close();
        if self.shared.is_within() {
            return Err(io::ErrorKind::Deadlock.into());
        }
        // `join` leaves it whole, whatever happens.
        self.running.lock().unwrap_or_else(PoisonError::into_inner).join()
    }
}

impl<J> Drop for Threads<J> {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        if self.shared.is_forked() {
            // The threads are the parent's. Even to detach them would touch what they have.
            std::mem::forget(std::mem::take(running));
            return;
        }
        self.shared.close();
        if self.shared.is_within() {
            // It would wait for itself.
            running.detach();
        } else {
            // Who wants to know has called `shutdown`.
            let _ = running.join();
        }
    }
}

/// Makes engines and starts threads, or nothing at all.
pub(super) fn start<F, B, C>(options: &DriverOptions) -> io::Result<Threads<Job<F, B, C>>>
where
    F: IoFile + Send,
    B: IoBufMut + Send,
    C: Callback<F, B>,
{
    let with_doorbell = options.with_doorbell()?;
    let engines: Vec<Engine<Task<F, B, C>>> =
        (0..options.threads).map(|_| with_doorbell.build()).collect::<io::Result<_>>()?;
    let lanes = engines.iter().map(|_| Lane::new(options.bound()).map(Arc::new));
    let shared = Arc::new(Shared::new(lanes.collect::<io::Result<_>>()?));
    let backend = engines[0].backend().kind();
    // From here on, an error drops this, and that ends the threads that there are.
    let mut threads = Threads { shared: shared.clone(), running: Mutex::default(), backend };
    let running = threads.running.get_mut().unwrap_or_else(PoisonError::into_inner);
    let workers = Workers::new(options.engine.depth);
    // The queue is open while one of these is there: until all I/O threads have got theirs.
    let producers: Vec<_> = engines.iter().map(|_| Producer::new(workers.clone())).collect();
    for _ in 0..options.workers {
        let (workers, counts) = (workers.clone(), shared.counts.clone());
        running.workers.push(spawn("driver callback", shared.name, move || {
            workers.work(|(callback, outcome)| call(callback, outcome, &counts));
        })?);
    }
    for ((engine, lane), producer) in engines.into_iter().zip(&shared.lanes).zip(producers) {
        let caller = if options.workers == 0 { Caller::Here } else { Caller::Workers(producer) };
        let desk = Desk::new(options.merge, caller, shared.counts.clone());
        let thread = IoThread::new(engine, lane.clone(), desk);
        running.io.push(spawn("driver I/O", shared.name, move || thread.run())?);
    }
    Ok(threads)
}

/// Starts a thread of the driver of that name.
fn spawn<T: Send + 'static>(
    title: &str,
    driver: u64,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    quietly(|| {
        Builder::new().name(title.into()).spawn(move || {
            DRIVER.set(driver);
            run()
        })
    })
}
