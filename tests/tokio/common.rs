//! Engines of every kind in runtimes of every kind, and buffers that tell when they go.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::tokio::AsyncEngine;
use engine::{BackendKind, IoBuf, IoBufMut, Options};
use tests::files::AlignedBuf;
use tokio::runtime::{Builder, Runtime};

pub(crate) const BLOCK: usize = 4096;
pub(crate) const KINDS: [BackendKind; 3] = [BackendKind::Uring, BackendKind::Aio, BackendKind::Threads];

/// A hang is a failure and not a stuck run.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap()
}

pub(crate) fn runtimes() -> [Runtime; 2] {
    [current_thread(), multi_thread()]
}

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("a future that never resolves")
}

/// Runs a future, and fails if it hangs.
pub(crate) fn run<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    runtime.block_on(in_time(future))
}

/// Runs a case on each back end and in each kind of runtime.
pub(crate) fn everywhere<F: Future<Output = ()>>(depth: usize, case: impl Fn(AsyncEngine) -> F) {
    for kind in KINDS {
        for runtime in runtimes() {
            run(&runtime, async {
                let engine = engine(kind, depth);
                case(engine.clone()).await;
                engine.close().await.unwrap();
            });
        }
    }
}

/// Makes an engine; in the context of a runtime.
pub(crate) fn engine(kind: BackendKind, depth: usize) -> AsyncEngine {
    AsyncEngine::new(&Options::new(depth).only(kind).threads(depth.min(16))).unwrap()
}

/// Lets every other task have a few turns.
pub(crate) async fn turns() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// Waits until a condition holds, while others have their turns.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    in_time(async {
        while !condition() {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    })
    .await;
}

/// Counts buffers that are there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census(Arc<AtomicUsize>);

impl Census {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Makes one more, of a block at an address for direct I/O.
    pub(crate) fn buffer(&self) -> Tracked {
        self.buffer_of(AlignedBuf::new(BLOCK))
    }

    pub(crate) fn buffer_of(&self, bytes: AlignedBuf) -> Tracked {
        self.0.fetch_add(1, Ordering::SeqCst);
        Tracked { bytes, census: self.clone() }
    }
}

/// A buffer that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) bytes: AlignedBuf,
    census: Census,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.census.0.fetch_sub(1, Ordering::SeqCst);
    }
}

// SAFETY: the bytes are an allocation of the buffer's own, initialised, which stays where it is.
unsafe impl IoBuf for Tracked {
    fn stable_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.bytes.len()
    }
}

// SAFETY: as above; only `&mut` of the buffer writes them.
unsafe impl IoBufMut for Tracked {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.bytes.len()
    }

    unsafe fn set_init(&mut self, _count: usize) {}
}
