//! In its steady state an I/O thread allocates nothing for a job.

use std::fs::File;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use engine::driver::Callback;
use tests::counting;

use crate::common::*;
use crate::each_backend;

/// Blocks the I/O thread, or notes how much that has allocated so far.
enum Note {
    Plug(Arc<Barrier>),
    Count(Arc<Seen>),
}

#[derive(Default)]
struct Seen {
    over: AtomicUsize,
    allocations: AtomicU64,
}

impl Callback<Arc<File>, AlignedBuf> for Note {
    fn complete(self, outcome: Over) {
        outcome.result.unwrap();
        match self {
            Self::Plug(door) => {
                // In, and out.
                door.wait();
                door.wait();
            }
            Self::Count(seen) => {
                seen.allocations.store(counting::on_this_thread(), Ordering::Release);
                seen.over.fetch_add(1, Ordering::Release);
            }
        }
    }
}

/// Which also shows that merging does not copy: there is no memory to copy to.
#[test]
fn an_io_thread_allocates_nothing_for_a_job_merged_or_not() {
    for kind in each_backend!() {
        if kind == BackendKind::Threads {
            // They hand each vector to another thread.
            continue;
        }
        for merge in [0, 1 << 20] {
            let (_temporary, file) = temporary(64 * BLOCK);
            let driver: Driver<_, _, Note> = options(kind, 64).queue(65).merge(merge).build().unwrap();
            let seen = Arc::<Seen>::default();
            let door = Arc::new(Barrier::new(2));
            let mut counts = Vec::new();
            for round in 1..=12 {
                driver.submit(read(&file, 1, 0), Note::Plug(door.clone())).unwrap();
                door.wait();
                for block in 0..64 {
                    let note = Note::Count(seen.clone());
                    driver.submit(read(&file, BLOCK, block * BLOCK), note).unwrap();
                }
                door.wait();
                while seen.over.load(Ordering::Acquire) < round * 64 {
                    std::thread::yield_now();
                }
                counts.push(seen.allocations.load(Ordering::Acquire));
            }
            assert_eq!(driver.stats().merged, if merge > 0 { 12 * 64 } else { 0 });
            // Until then tables have grown to their size. For a vector, the back end has an array that grows step by step.
            let most = if merge > 0 { 8 } else { 0 };
            assert!(counts[3..].windows(2).all(|pair| pair[1] - pair[0] <= most), "{kind}: {counts:?}");
        }
    }
}
