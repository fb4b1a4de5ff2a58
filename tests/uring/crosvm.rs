//! The scenarios that crosvm added to the seed's; its context is shared by threads, ours is moved, locked or split.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tests::files::{self, TempFile};
use uring::{Error, Op, Restrictions, URingContext};

use crate::common::*;

#[test]
fn queue_many_ebusy_retry() {
    let file = TempFile::new(4096);
    let mut buffers = vec![vec![0; 64]; 48];
    let mut context = build(URingContext::builder(16).cq_entries(16));
    let mut parts = (0..).zip(&mut buffers);
    for _ in 0..3 {
        for (name, buffer) in parts.by_ref().take(16) {
            read(&mut context, buffer, file.file(), name * 64, name);
        }
        // Since 5.19 the kernel goes on when the completion ring is full; before, it wants completions taken.
        assert!(context.submit().unwrap() <= 16);
        if context.queued() > 0 {
            break;
        }
    }
    let mut completed = taken(context.wait().unwrap());
    for (name, buffer) in parts {
        if context.space() == 0 {
            completed.extend(taken(context.wait().unwrap()));
        }
        read(&mut context, buffer, file.file(), name * 64, name);
        completed.extend(taken(context.wait().unwrap()));
    }
    completed.extend(all(&mut context));
    assert_eq!(sorted(completed), (0..48).map(|name| (name, Ok(64))).collect::<Vec<_>>());
    for (name, buffer) in (0..).zip(&buffers) {
        files::check(buffer, name * 64);
    }
}

#[test]
fn wake_with_nop() {
    let pipe = Pipe::new();
    let (mut submitter, mut completer) = context(8).split().unwrap();
    unsafe { submitter.add_poll_fd(&pipe.reader, libc::POLLIN, 11) }.unwrap();
    submitter.submit().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| taken(completer.wait().unwrap()));
        submitter.add_nop(10).unwrap();
        submitter.submit().unwrap();
        assert_eq!(waiter.join().unwrap(), [(10, Ok(0))]);
    });
    pipe.fill();
    assert_eq!(taken(completer.wait().unwrap()), [(11, Ok(libc::POLLIN as u32))]);
}

#[test]
fn complete_from_any_thread() {
    const REQUESTS: u64 = 7 * 32;
    let (mut submitter, completer) = context(256).split().unwrap();
    let completer = Mutex::new(completer);
    let seen = Mutex::new(BTreeSet::new());
    let remaining = AtomicU64::new(REQUESTS);
    std::thread::scope(|scope| {
        for _ in 0..7 {
            scope.spawn(|| {
                while remaining.load(Ordering::SeqCst) > 0 {
                    let taken =
                        taken(completer.lock().unwrap().wait_timeout(Duration::from_millis(1)).unwrap());
                    for (name, result) in taken {
                        assert_eq!(result, Ok(0));
                        assert!(seen.lock().unwrap().insert(name), "{name} completed twice");
                        remaining.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            });
        }
        for name in 0..REQUESTS {
            submitter.add_nop(name).unwrap();
            submitter.submit().unwrap();
        }
    });
    assert_eq!(seen.into_inner().unwrap(), (0..REQUESTS).collect());
    assert_eq!(completer.into_inner().unwrap().in_flight(), 0);
}

#[test]
fn submit_from_any_thread() {
    const REQUESTS: u64 = 32;
    let (submitter, mut completer) = context(64).split().unwrap();
    let submitter = Mutex::new(submitter);
    std::thread::scope(|scope| {
        for thread in 0..7 {
            let submitter = &submitter;
            scope.spawn(move || {
                for name in thread * REQUESTS..(thread + 1) * REQUESTS {
                    let mut submitter = submitter.lock().unwrap();
                    submitter.add_nop(name).unwrap();
                    while submitter.submit().unwrap() == 0 {}
                }
            });
        }
        let mut seen = Vec::new();
        while seen.len() < 7 * REQUESTS as usize {
            seen.extend(names(completer.wait().unwrap()));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..7 * REQUESTS).collect::<Vec<_>>());
    });
}

#[test]
fn multi_thread_submit_and_complete() {
    const SUBMITTERS: u64 = 5;
    const REQUESTS: u64 = 4096;
    let (submitter, completer) = context(32).split().unwrap();
    let (submitter, completer) = (Mutex::new(submitter), Mutex::new(completer));
    let seen = Mutex::new(BTreeSet::new());
    let remaining = AtomicU64::new(SUBMITTERS * REQUESTS);
    std::thread::scope(|scope| {
        for thread in 0..SUBMITTERS {
            let submitter = &submitter;
            scope.spawn(move || {
                for name in thread * REQUESTS..(thread + 1) * REQUESTS {
                    loop {
                        let mut submitter = submitter.lock().unwrap();
                        match submitter.add_nop(name) {
                            Ok(()) => break submitter.submit().map(drop).unwrap(),
                            Err(Error::NoSpace) => submitter.submit().map(drop).unwrap(),
                            Err(error) => panic!("add_nop: {error}"),
                        }
                        drop(submitter);
                        std::thread::yield_now();
                    }
                }
            });
        }
        for _ in 0..7 {
            scope.spawn(|| {
                while remaining.load(Ordering::SeqCst) > 0 {
                    let taken =
                        taken(completer.lock().unwrap().wait_timeout(Duration::from_millis(1)).unwrap());
                    // What the submitters have left in the queue goes with somebody's next submit.
                    submitter.lock().unwrap().submit().unwrap();
                    for (name, result) in taken {
                        assert_eq!(result, Ok(0));
                        assert!(seen.lock().unwrap().insert(name), "{name} completed twice");
                        remaining.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(seen.into_inner().unwrap(), (0..SUBMITTERS * REQUESTS).collect());
}

#[test]
fn restrict_ops() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 512];
    let data = vec![1; 512];
    let restrictions = Restrictions::new().allow_op(Op::READV);
    let mut context = build(URingContext::builder(8).restrictions(restrictions));
    // In one batch: what is refused holds up nothing behind it.
    unsafe {
        context.add_writev(vec![iovec_of(&data)], file.file(), 0, 1).unwrap();
        context.add_readv(vec![iovec(&mut buffer)], file.file(), 100, 2).unwrap();
    }
    context.add_nop(3).unwrap();
    assert_eq!(all(&mut context), [(1, Err(libc::EACCES)), (2, Ok(512)), (3, Err(libc::EACCES))]);
    files::check(&buffer, 100);
    files::check(&files::pread(file.file(), 0, 4096), 0);
}
