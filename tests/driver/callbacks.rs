//! What is called, how often, and what it may do.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use engine::driver::Callback;

use crate::common::*;
use crate::each_backend;

/// Counts what it is called for, without a box.
struct Count(Arc<AtomicUsize>);

impl Callback<Arc<File>, AlignedBuf> for Count {
    fn complete(self, outcome: Over) {
        self.0.fetch_add(outcome.result.unwrap(), Ordering::Relaxed);
    }
}

#[test]
fn a_callback_may_be_a_struct() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(16 * BLOCK);
        let driver: Driver<_, _, Count> = options(kind, 4).build().unwrap();
        let bytes = Arc::new(AtomicUsize::new(0));
        for block in 0..16 {
            driver.submit(read(&file, BLOCK, block * BLOCK), Count(bytes.clone())).unwrap();
        }
        in_time(move || driver.shutdown()).unwrap();
        assert_eq!(bytes.load(Ordering::Relaxed), 16 * BLOCK);
    }
}

/// Panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a panic within a panic's end");
    }
}

#[test]
fn a_callback_that_panics_loses_itself_only() {
    // What was thrown while another panic ended is leaked, and stays in the child.
    tests::in_child!(|| {
        for kind in each_backend!() {
            for workers in [0, 2] {
                let (_temporary, file) = temporary(40 * BLOCK);
                let driver = driver(&options(kind, 4).workers(workers).merge(8 * BLOCK));
                let results = Results::new();
                for nr in 0..40 {
                    let callback: Boxed<_, _> = match nr % 4 {
                        0 => Box::new(|_| std::panic::resume_unwind(Box::new("on purpose"))),
                        1 => Box::new(|_| std::panic::resume_unwind(Box::new(Bomb))),
                        _ => results.tagged(nr / 4 * 2 + nr % 4 - 2),
                    };
                    driver.submit(read(&file, BLOCK, nr * BLOCK), callback).unwrap();
                }
                let stats = driver.clone();
                shut_down(driver);
                assert_eq!(results.all_once(20).len(), 20);
                let stats = stats.stats();
                assert_eq!((stats.submitted, stats.completed, stats.panics), (40, 40, 20));
            }
        }
    });
}

/// Each submits the next from its callback, more of them than there is room for: nobody else could make that room.
#[test]
fn a_callback_may_submit_to_a_full_driver() {
    for kind in each_backend!() {
        for workers in [0, 1] {
            let (_temporary, file) = temporary(BLOCK);
            let driver = driver(&options(kind, 1).queue(1).workers(workers));
            let (sender, receiver) = mpsc::channel();
            let inner = driver.clone();
            let callback = move |_| {
                for _ in 0..50 {
                    let sender = sender.clone();
                    let callback =
                        Box::new(move |outcome: Over| sender.send(outcome.result.unwrap()).unwrap());
                    inner.submit(read(&file, BLOCK, 0), callback).unwrap();
                }
            };
            driver.submit(Sync::all(temporary(0).1), Box::new(callback)).unwrap();
            for _ in 0..50 {
                assert_eq!(receiver.recv_timeout(PATIENCE), Ok(BLOCK));
            }
        }
    }
}

/// A chain of callbacks, each of which submits the next.
fn follow(driver: Files, file: Arc<File>, left: usize, done: mpsc::Sender<()>) {
    let inner = driver.clone();
    let next = file.clone();
    let callback = Box::new(move |outcome: Over| {
        outcome.result.unwrap();
        match left {
            0 => done.send(()).unwrap(),
            _ => follow(inner, next, left - 1, done),
        }
    });
    driver.submit(read(&file, BLOCK, 0), callback).unwrap();
}

#[test]
fn one_callback_may_lead_to_the_next_and_the_last_end_the_driver() {
    for kind in each_backend!() {
        for workers in [0, 3] {
            let (_temporary, file) = temporary(BLOCK);
            let driver = driver(&options(kind, 2).workers(workers));
            let (sender, receiver) = mpsc::channel();
            // No handle is left but those in the callbacks.
            follow(driver, file, 200, sender);
            receiver.recv_timeout(PATIENCE).unwrap();
        }
    }
}
