//! The halves on threads: submitting from any, taking from any, both at once.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use aio::{Error, Submitter, UserData};
use tests::files::{self, AlignedBuf, TempFile};
use tests::or_skip;

use crate::common::*;

const THREADS: u64 = 7;

/// Adds and submits one write, however often the context is full.
fn push(submitter: &mut Submitter, fd: &std::fs::File, user_data: UserData) -> bool {
    // SAFETY: as said in `main.rs`; the data is static.
    let added = unsafe { submitter.add_write(b"data".as_ptr(), 4, fd, 0, user_data) }.map(drop);
    match added {
        Ok(()) => {
            submitter.submit().expect("submit");
            true
        }
        Err(Error::NoSpace) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_operation_from_another_thread_wakes_the_one_that_waits() {
    let null = dev_null();
    let (mut submitter, mut completer) = context(4).split().unwrap();
    for round in 0..200 {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| taken(completer.wait().unwrap()));
            assert!(push(&mut submitter, &null, round));
            assert_eq!(waiter.join().unwrap(), [(round, Ok(4))]);
        });
    }
}

#[test]
fn a_refused_operation_and_a_cancellation_wake_the_one_that_waits() {
    let mut buffer = [0; 8];
    let (mut submitter, mut completer) = context(4).split().unwrap();
    for round in 0..50 {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| taken(completer.wait().unwrap()));
            let fd = closed_descriptor();
            // SAFETY: as said in `main.rs`.
            let _ = unsafe { submitter.add_read(buffer.as_mut_ptr(), 8, fd, 0, round) }.unwrap();
            assert_eq!(submitter.submit().unwrap(), 1);
            assert_eq!(waiter.join().unwrap(), [(round, Err(libc::EBADF))]);
        });
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| taken(completer.wait().unwrap()));
            submitter.cancel(12345, round).unwrap();
            assert_eq!(submitter.submit().unwrap(), 1);
            assert_eq!(waiter.join().unwrap(), [(round, Err(libc::ENOENT))]);
        });
    }
}

#[test]
fn complete_from_any_thread() {
    const OPERATIONS: u64 = 7_000;
    let null = dev_null();
    let (mut submitter, completer) = context(16).split().unwrap();
    let completer = Mutex::new(completer);
    let seen = Mutex::new(HashSet::new());
    let left = AtomicU64::new(OPERATIONS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while left.load(Ordering::SeqCst) > 0 {
                    let some = taken(completer.lock().unwrap().completions().unwrap());
                    for (user_data, result) in some {
                        assert_eq!(result, Ok(4));
                        assert!(seen.lock().unwrap().insert(user_data), "{user_data} completed twice");
                        left.fetch_sub(1, Ordering::SeqCst);
                    }
                    std::thread::yield_now();
                }
            });
        }
        for user_data in 0..OPERATIONS {
            while !push(&mut submitter, &null, user_data) {
                std::thread::yield_now();
            }
        }
    });
    assert_eq!(seen.into_inner().unwrap().len() as u64, OPERATIONS);
}

#[test]
fn submit_from_any_thread() {
    const EACH: u64 = 1_000;
    let null = dev_null();
    let (submitter, mut completer) = context(16).split().unwrap();
    let submitter = Mutex::new(submitter);
    let mut seen = HashSet::new();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (submitter, null) = (&submitter, &null);
            scope.spawn(move || {
                for nr in 0..EACH {
                    while !push(&mut submitter.lock().unwrap(), null, thread * EACH + nr) {
                        std::thread::yield_now();
                    }
                }
            });
        }
        while (seen.len() as u64) < THREADS * EACH {
            for (user_data, result) in taken(completer.wait().unwrap()) {
                assert_eq!(result, Ok(4));
                assert!(seen.insert(user_data), "{user_data} completed twice");
            }
        }
    });
    assert_eq!(completer.in_flight(), 0);
    assert_eq!(submitter.into_inner().unwrap().space(), 16);
}

#[test]
fn multi_thread_submit_and_complete() {
    const EACH: u64 = 1_000;
    let null = dev_null();
    let (submitter, completer) = context(32).split().unwrap();
    let (submitter, completer) = (Mutex::new(submitter), Mutex::new(completer));
    let counts: Vec<_> = (0..THREADS * EACH).map(|_| AtomicUsize::new(0)).collect();
    let left = AtomicU64::new(THREADS * EACH);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (submitter, null) = (&submitter, &null);
            scope.spawn(move || {
                for nr in 0..EACH {
                    while !push(&mut submitter.lock().unwrap(), null, thread * EACH + nr) {
                        std::thread::yield_now();
                    }
                }
            });
            scope.spawn(|| {
                while left.load(Ordering::SeqCst) > 0 {
                    let some = taken(completer.lock().unwrap().completions().unwrap());
                    for (user_data, result) in some {
                        assert_eq!(result, Ok(4));
                        counts[user_data as usize].fetch_add(1, Ordering::SeqCst);
                        left.fetch_sub(1, Ordering::SeqCst);
                    }
                    std::thread::yield_now();
                }
            });
        }
    });
    assert!(counts.iter().all(|count| count.load(Ordering::SeqCst) == 1));
}

#[test]
fn a_completer_that_only_waits_takes_everything_that_a_submitter_sends() {
    const OPERATIONS: u64 = 20_000;
    let file = TempFile::new(1 << 20);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..8).map(|_| AlignedBuf::new(512)).collect();
    let pointers: Vec<_> = buffers.iter_mut().map(|buffer| buffer.as_mut_ptr() as usize).collect();
    let (mut submitter, mut completer) = context(8).split().unwrap();
    let taker = std::thread::spawn(move || {
        let mut next = 0_u64;
        let mut order = true;
        while next < OPERATIONS {
            let some = taken(completer.wait().unwrap());
            assert!(!some.is_empty(), "the submitter lives, so a wait is never empty");
            for (user_data, result) in some {
                assert_eq!(result, Ok(512));
                order &= user_data == next;
                next += 1;
            }
        }
        (completer, order)
    });
    let mut sent = 0;
    while sent < OPERATIONS {
        let (pointer, offset) = (pointers[sent as usize % 8] as *mut u8, sent % 2048 * 512);
        // Two reads in flight may share a buffer here: both write, nobody looks before the end.
        let fd = if sent % 16 == 0 { &direct } else { file.file() };
        match unsafe { submitter.add_read(pointer, 512, fd, offset, sent) }.map(drop) {
            Ok(()) => sent += 1,
            Err(Error::NoSpace) => {
                submitter.submit().unwrap();
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    while submitter.queued() > 0 {
        submitter.submit().unwrap();
    }
    let (completer, _order) = taker.join().unwrap();
    assert_eq!(completer.in_flight(), 0);
    let mut context = submitter.reunite(completer).map_err(drop).expect("halves of one context");
    read(&mut context, &mut buffers[0], file.file(), 7, 1);
    assert_eq!(one(&mut context), (1, Ok(512)));
    files::check(&buffers[0], 7);
}
