//! An engine that fails as a whole.

use std::sync::Arc;
use std::sync::mpsc;

use tests::{in_child, or_skip, seccomp};

use crate::common::*;
use crate::each_backend;

/// `libc` lacks it for some machines.
const IO_PGETEVENTS: libc::c_long = if cfg!(target_arch = "x86_64") { 333 } else { 292 };

/// The calls without which a back end can do nothing more.
fn calls(kind: BackendKind) -> Vec<libc::c_long> {
    match kind {
        BackendKind::Uring => vec![libc::SYS_io_uring_enter],
        BackendKind::Aio => vec![libc::SYS_io_submit, libc::SYS_io_getevents, IO_PGETEVENTS],
        _ => Vec::new(),
    }
}

/// Has the I/O thread lose the right to make its calls, while `reads` are queued behind.
fn with_a_failing_engine(kind: BackendKind, reads: usize) -> (Files, Results) {
    let (_temporary, file) = temporary(64 * BLOCK);
    let driver = driver(&options(kind, 8).queue(128).merge(2 * BLOCK));
    let results = Results::new();
    let (entered, inside) = mpsc::channel();
    let (open, opened) = mpsc::channel::<()>();
    let callback = Box::new(move |_| {
        entered.send(()).unwrap();
        opened.recv().unwrap();
        let calls: Vec<_> = calls(kind).into_iter().map(|call| (call, libc::EPERM)).collect();
        seccomp::fail(&calls).unwrap();
    });
    driver.submit(Sync::all(file.clone()), callback).unwrap();
    inside.recv_timeout(PATIENCE).unwrap();
    let chain = driver.chain();
    for nr in 0..reads {
        let read = read(&file, BLOCK, nr % 64 * BLOCK);
        match nr % 7 {
            5 => chain.submit(Sync::all(file.clone()), results.tagged(nr)).unwrap(),
            6 => chain.submit(read, results.tagged(nr)).unwrap(),
            _ => driver.submit(read, results.tagged(nr)).unwrap(),
        }
    }
    open.send(()).unwrap();
    (driver, results)
}

#[test]
fn an_engine_that_fails_for_good_ends_the_driver_with_its_error_and_nobody_hangs() {
    in_child!(|| {
        or_skip!(seccomp::fail(&[]));
        for kind in each_backend!() {
            if calls(kind).is_empty() {
                continue;
            }
            let (driver, results) = with_a_failing_engine(kind, 100);
            let other = driver.clone();
            let ended = in_time(move || driver.shutdown());
            // A call of kernel AIO that fails is the failure of one operation.
            if kind == BackendKind::Uring {
                assert_eq!(ended.unwrap_err().raw_os_error(), Some(libc::EPERM));
            }
            let there = results.there();
            let mut tags: Vec<_> = there.iter().map(|(tag, _)| *tag).collect();
            tags.sort_unstable();
            tags.dedup();
            assert_eq!(tags.len(), there.len(), "a callback was called twice");
            // What the kernel may have is leaked only if the engine could not be closed: eight requests of two at the most.
            let least = if kind == BackendKind::Aio { 100 } else { 84 };
            assert!(tags.len() >= least, "{kind}: {} of 100", tags.len());
            for (_, outcome) in &there {
                assert_eq!(errno(&outcome.result), Some(libc::EPERM));
            }
            let file = Arc::new(std::fs::File::open("/dev/zero").unwrap());
            let refused = other.submit(read(&file, 1, 0), results.tagged(0)).unwrap_err();
            assert!(matches!(refused.error, Error::Closed));
        }
    });
}

/// Each fifth of such calls fails.
fn lose_nothing(kind: BackendKind) {
    let (_temporary, file) = temporary(64 * BLOCK);
    let mut nr = 0;
    let supervisor = or_skip!(seccomp::supervise(&calls(kind), move |_| {
        nr += 1;
        if nr % 5 == 0 { seccomp::Verdict::Fail(libc::EAGAIN) } else { seccomp::Verdict::Pass }
    }));
    let driver = driver(&options(kind, 4).merge(2 * BLOCK));
    let results = Results::new();
    for nr in 0..100 {
        driver.submit(read(&file, BLOCK, nr % 64 * BLOCK), results.tagged(nr)).unwrap();
    }
    shut_down(driver);
    for (nr, outcome) in results.all_once(100).into_iter().enumerate() {
        assert_eq!(outcome.result.unwrap(), BLOCK, "{kind}");
        tests::files::check(&outcome.operation.into_buffer().unwrap(), (nr % 64 * BLOCK) as u64);
    }
    assert!(supervisor.calls() > 10);
}

#[test]
fn a_ring_that_fails_now_and_then_loses_nothing() {
    in_child!(|| lose_nothing(BackendKind::Uring));
}

#[test]
fn an_aio_context_that_fails_now_and_then_loses_nothing() {
    in_child!(|| lose_nothing(BackendKind::Aio));
}
