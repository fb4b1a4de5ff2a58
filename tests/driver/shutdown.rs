//! The end: all is drained, nobody hangs.

use std::fs::File;
use std::sync::{Arc, mpsc};

use engine::operation::Poll;
use tests::late::Disk;
use tests::{fork, in_child, or_skip};

use crate::common::*;
use crate::each_backend;

#[test]
fn after_the_end_everything_is_given_back() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(BLOCK);
        let driver = driver(&options(kind, 4));
        let (other, chain) = (driver.clone(), driver.chain());
        let results = Results::new();
        shut_down(driver);
        let refusals = [
            other.submit(read(&file, BLOCK, 77), results.tagged(0)),
            other.try_submit(read(&file, BLOCK, 77), results.tagged(0)),
            chain.submit(read(&file, BLOCK, 77), results.tagged(0)),
        ];
        for refused in refusals.map(Result::unwrap_err) {
            assert!(matches!(refused.error, Error::Closed));
            let (Operations::Read(back), callback) = refused.operation else { panic!("another operation") };
            assert_eq!((back.offset, back.buffer.len()), (77, BLOCK));
            drop(callback);
        }
        assert_eq!(results.there().len(), 0);
        shut_down(other);
    }
}

#[test]
fn dropping_the_last_handle_drains_as_a_shutdown_does() {
    for kind in each_backend!() {
        for workers in [0, 2] {
            let disk = or_skip!(Disk::held(64 * BLOCK));
            let file = Arc::new(disk.open());
            let driver = driver(&options(kind, 4).queue(64).workers(workers));
            let results = Results::new();
            for block in 0..64 {
                driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
            }
            disk.wait_for_requests(1);
            let dropped = std::thread::spawn(move || in_time(move || drop(driver)));
            disk.release();
            dropped.join().unwrap();
            for outcome in results.all_once(64) {
                assert_eq!(outcome.result.unwrap(), BLOCK);
            }
        }
    }
}

#[test]
fn the_last_handle_may_be_dropped_in_a_callback() {
    for kind in each_backend!() {
        for workers in [0, 2] {
            let (_temporary, file) = temporary(64 * BLOCK);
            let driver = driver(&options(kind, 2).queue(64).workers(workers));
            let results = Results::new();
            let (hand_over, handed_over) = mpsc::channel::<Files>();
            let callback = move |_| drop(handed_over.recv().unwrap());
            driver.submit(Sync::all(file.clone()), Box::new(callback)).unwrap();
            for block in 0..20 {
                driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
            }
            hand_over.send(driver).unwrap();
            for (_, outcome) in results.take(20) {
                assert_eq!(outcome.result.unwrap(), BLOCK);
            }
        }
    }
}

#[test]
fn a_shutdown_in_a_callback_says_that_it_cannot_wait_and_ends_the_driver_all_the_same() {
    for kind in each_backend!() {
        for workers in [0, 2] {
            let (_temporary, file) = temporary(64 * BLOCK);
            let driver = driver(&options(kind, 2).queue(64).workers(workers));
            let results = Results::new();
            let (sender, said) = mpsc::channel();
            let inner = driver.clone();
            let callback = move |_| sender.send(inner.shutdown().unwrap_err().kind()).unwrap();
            driver.submit(Sync::all(file.clone()), Box::new(callback)).unwrap();
            let accepted = (0..20)
                .take_while(|&block| {
                    driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).is_ok()
                })
                .count();
            assert_eq!(said.recv_timeout(PATIENCE), Ok(std::io::ErrorKind::Deadlock));
            shut_down(driver);
            assert_eq!(results.all_once(accepted).len(), accepted);
        }
    }
}

#[test]
fn two_who_shut_down_both_wait_for_the_end() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(64 * BLOCK));
        let file = Arc::new(disk.open());
        let driver = driver(&options(kind, 4));
        let results = Results::new();
        driver.submit(read(&file, BLOCK, 0), results.tagged(0)).unwrap();
        disk.wait_for_requests(1);
        let enders = [driver.clone(), driver].map(|driver| {
            let answered = results.sender_only();
            std::thread::spawn(move || {
                driver.shutdown().unwrap();
                drop(answered);
            })
        });
        assert!(enders.iter().all(|ender| !ender.is_finished()));
        disk.release();
        for ender in enders {
            in_time(move || ender.join().unwrap());
            // Whoever has come back finds the callback called.
            assert!(disk.answered() == 1);
        }
        assert_eq!(results.all_once(1).len(), 1);
    }
}

#[test]
fn what_waits_for_others_for_ever_is_cancelled_when_nothing_else_is_left() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(64 * BLOCK));
        let late = Arc::new(disk.open());
        let (reader, _writer) = fork::pipe();
        let pipe = Arc::new(File::from(reader));
        let driver = driver(&options(kind, 16));
        let results = Results::new();
        driver.submit(Poll { file: pipe.clone(), events: libc::POLLIN }, results.tagged(0)).unwrap();
        driver.submit(read(&late, BLOCK, 0), results.tagged(1)).unwrap();
        // A chain that waits for a poll.
        let chain = driver.chain();
        chain.submit(Poll { file: pipe.clone(), events: libc::POLLIN }, results.tagged(2)).unwrap();
        chain.submit(Sync::all(late.clone()), results.tagged(3)).unwrap();
        chain.submit(Poll { file: pipe.clone(), events: libc::POLLIN }, results.tagged(4)).unwrap();
        let mut count = 5;
        // Kernel AIO waits for a pipe within `io_submit`.
        if kind != BackendKind::Aio {
            driver.submit(read(&pipe, 10, 0), results.tagged(5)).unwrap();
            count += 1;
        }
        disk.wait_for_requests(1);
        drop(chain);
        let ended = std::thread::spawn(move || in_time(move || driver.shutdown()));
        disk.release();
        ended.join().unwrap().unwrap();
        let errnos: Vec<_> = results.all_once(count).iter().map(|outcome| errno(&outcome.result)).collect();
        let cancelled = Some(libc::ECANCELED);
        let expected = [cancelled, None, cancelled, None, cancelled, cancelled];
        assert_eq!(errnos, expected[..count], "{kind}");
    }
}

#[test]
fn no_thread_descriptor_or_ring_is_left_behind() {
    in_child!(|| {
        let count = |path| std::fs::read_dir(path).unwrap().count();
        for kind in each_backend!() {
            let (_temporary, file) = temporary(64 * BLOCK);
            let state = || (count("/proc/self/fd"), count("/proc/self/task"), tests::files::aio_rings());
            // What is made once in a process is made by the first.
            driver(&options(kind, 8)).shutdown().unwrap();
            let before = state();
            for round in 0..10 {
                let driver = driver(&options(kind, 8).threads(2).workers(2));
                let results = Results::new();
                for block in 0..64 {
                    driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
                }
                match round % 2 {
                    0 => driver.shutdown().unwrap(),
                    _ => drop(driver),
                }
                assert_eq!(results.all_once(64).len(), 64);
            }
            assert_eq!((state().0, state().2), (before.0, before.2), "{kind}");
            // A thread that was joined may be seen a moment longer.
            while state().1 > before.1 {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn a_forked_child_is_refused_and_its_parent_goes_on() {
    in_child!(|| {
        for kind in each_backend!() {
            let (_temporary, file) = temporary(BLOCK);
            let driver = driver(&options(kind, 4).workers(1));
            let results = Results::new();
            let answer = fork::ask(|| {
                let refused = driver.submit(read(&file, BLOCK, 0), results.tagged(0)).unwrap_err();
                let chained = driver.chain().try_submit(read(&file, BLOCK, 0), results.tagged(0));
                let ended = driver.clone().shutdown().unwrap_err();
                drop(chained);
                format!("{:?} {ended}", refused.error)
            });
            assert!(answer.starts_with("Forked ") && answer.contains("fork"), "{answer}");
            driver.submit(read(&file, BLOCK, 0), results.tagged(1)).unwrap();
            assert_eq!(results.next().1.result.unwrap(), BLOCK);
            let mut kept = Some(driver);
            assert_eq!(
                fork::ask(|| {
                    drop(kept.take());
                    "dropped".into()
                }),
                "dropped"
            );
            shut_down(kept.take().unwrap());
        }
    });
}
