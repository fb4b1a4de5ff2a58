//! Order within a chain.

use std::fs::File;
use std::sync::Arc;

use engine::operation::Allocate;
use tests::files::{check, pread};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;
use crate::each_backend;

#[test]
fn a_sync_waits_for_the_writes_before_it_and_what_follows_waits_for_the_sync() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let late = Arc::new(disk.open());
        let (_temporary, quick) = temporary(BLOCK);
        let driver = driver(&options(kind, 8));
        let chain = driver.chain();
        let results = Results::new();
        chain.submit(write(&late, BLOCK, 0, 3_000_000), results.tagged(0)).unwrap();
        chain.submit(Sync::all(quick.clone()), results.tagged(1)).unwrap();
        chain.submit(read(&quick, BLOCK, 0), results.tagged(2)).unwrap();
        disk.wait_for_requests(1);
        // These come later, are not in the chain, and are over: so the others have been looked at, and wait.
        for tag in [10, 11] {
            driver.submit(Sync::all(quick.clone()), results.tagged(tag)).unwrap();
            assert_eq!(results.next().0, tag, "{kind}");
        }
        assert_eq!(results.there().len(), 0);
        disk.release();
        let order: Vec<_> = (0..3).map(|_| results.next()).collect();
        for (at, (tag, outcome)) in order.into_iter().enumerate() {
            assert_eq!(at, tag);
            outcome.result.unwrap();
        }
        check(&disk.stored(0, BLOCK), 3_000_000);
    }
}

#[test]
fn an_allocation_waits_too_and_reads_and_writes_between_barriers_do_not() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let late = Arc::new(disk.open());
        let (temporary, quick) = temporary(BLOCK);
        let driver = driver(&options(kind, 8).threads(3));
        let chain = driver.chain();
        let results = Results::new();
        chain.submit(read(&late, BLOCK, 0), results.tagged(0)).unwrap();
        chain.submit(read(&quick, BLOCK, 0), results.tagged(1)).unwrap();
        assert_eq!(results.next().0, 1);
        chain.submit(Allocate::new(quick.clone(), 0, 3 * BLOCK as u64), results.tagged(2)).unwrap();
        chain.submit(read(&quick, 3 * BLOCK, 0), results.tagged(3)).unwrap();
        // Another chain is not concerned; its thread may be another one.
        let other = driver.chain();
        other.submit(Sync::all(quick.clone()), results.tagged(4)).unwrap();
        assert_eq!(results.next().0, 4);
        disk.wait_for_requests(1);
        assert_eq!(temporary.file().metadata().unwrap().len(), BLOCK as u64);
        disk.release();
        for (tag, count) in [(0, BLOCK), (2, 0), (3, 3 * BLOCK)] {
            let (next, outcome) = results.next();
            assert_eq!((next, outcome.result.unwrap()), (tag, count), "{kind}");
        }
    }
}

#[test]
fn one_that_fails_keeps_no_later_one_from_running() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(BLOCK);
        let read_only = Arc::new(File::open(temporary.path()).unwrap());
        let (reader, _writer) = tests::fork::pipe();
        let pipe = Arc::new(File::from(reader));
        let driver = driver(&options(kind, 8));
        let chain = driver.chain();
        let results = Results::new();
        chain.submit(write(&read_only, BLOCK, 0, 0), results.tagged(0)).unwrap();
        chain.submit(Sync::all(pipe), results.tagged(1)).unwrap();
        chain.submit(Allocate::new(read_only.clone(), 0, 9), results.tagged(2)).unwrap();
        chain.submit(write(&file, BLOCK, 0, 8_000_000), results.tagged(3)).unwrap();
        drop(chain);
        shut_down(driver);
        let errnos: Vec<_> = results.all_once(4).iter().map(|outcome| errno(&outcome.result)).collect();
        assert_eq!(errnos, [Some(libc::EBADF), Some(libc::EINVAL), Some(libc::EBADF), None]);
        check(&pread(temporary.file(), 0, BLOCK), 8_000_000);
    }
}

#[test]
fn each_read_in_a_chain_sees_the_writes_before_the_barrier_before_it() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(16 * BLOCK);
        let driver = driver(&options(kind, 8).merge(1 << 20).workers(2));
        let chain = driver.chain();
        let results = Results::new();
        let mut tag = 0;
        let mut submit = |operation: Operations<_, _>| {
            chain.submit(operation, results.tagged(tag)).unwrap();
            tag += 1;
        };
        for round in 0..50_u64 {
            for block in 0..16 {
                let at = block * BLOCK;
                submit(write(&file, BLOCK, at, round * 1_000_000 + at as u64).into());
            }
            submit(Sync::data(file.clone()).into());
            for block in 0..16 {
                submit(read(&file, BLOCK, block * BLOCK).into());
            }
            submit(Sync::data(file.clone()).into());
        }
        drop(chain);
        shut_down(driver);
        for (tag, outcome) in results.all_once(50 * 34).into_iter().enumerate() {
            outcome.result.unwrap();
            if let Operations::Read(read) = outcome.operation {
                check(&read.buffer, (tag / 34) as u64 * 1_000_000 + read.offset);
            }
        }
    }
}

#[test]
fn what_a_barrier_holds_counts_as_waiting_and_is_carried_out_at_the_end() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let late = Arc::new(disk.open());
        let driver = driver(&options(kind, 8).queue(5));
        let chain = driver.chain();
        let results = Results::new();
        chain.submit(read(&late, BLOCK, 0), results.tagged(0)).unwrap();
        disk.wait_for_requests(1);
        chain.submit(Sync::all(late.clone()), results.tagged(1)).unwrap();
        for tag in 2..6 {
            chain.submit(read(&late, BLOCK, tag * BLOCK), results.tagged(tag)).unwrap();
        }
        let refused = chain.try_submit(read(&late, BLOCK, 0), results.tagged(9)).unwrap_err();
        assert!(matches!(refused.error, Error::Full));
        drop(chain);
        let ended = std::thread::spawn(move || shut_down(driver));
        disk.release();
        ended.join().unwrap();
        for outcome in results.all_once(6) {
            outcome.result.unwrap();
        }
    }
}
