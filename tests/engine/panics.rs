//! Operations whose own code panics take nothing else along.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::operation::Read;
use engine::{Engine, Operation, Request};
use tests::files::{self, TempFile};

use crate::common::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Nowhere,
    Request,
    Length,
    Finish,
    Drop,
}

/// A read that panics somewhere.
struct Fragile {
    read: Read<Arc<File>, Vec<u8>>,
    panics: Where,
    dropped: Arc<AtomicUsize>,
}

impl Fragile {
    fn maybe(&self, now: Where) {
        assert!(self.panics != now, "on purpose");
    }
}

// A read's own guarantees.
unsafe impl Operation for Fragile {
    fn request(&mut self) -> Request<'_> {
        self.maybe(Where::Request);
        self.read.request()
    }

    fn transfer_len(&mut self) -> Option<usize> {
        self.maybe(Where::Length);
        self.read.transfer_len()
    }

    unsafe fn finish(&mut self, transferred: usize) {
        self.maybe(Where::Finish);
        unsafe { self.read.finish(transferred) }
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        if !std::thread::panicking() {
            self.maybe(Where::Drop);
        }
    }
}

fn a_panic_of_an_operation_leaves_the_engine_whole(case: &Case) {
    // What is leaked stays in the child.
    case.in_child(|| {
        let file = TempFile::new(4096);
        let dropped = Arc::new(AtomicUsize::new(0));
        let fragile = |panics, offset| Fragile {
            read: Read::new(shared(&file), vec![0; 64], offset),
            panics,
            dropped: dropped.clone(),
        };
        for panics in [Where::Request, Where::Length, Where::Finish, Where::Drop] {
            let mut engine: Engine<Fragile> = case.engine(8);
            let mut whole = 0;
            for nr in 0..6 {
                let kind = if nr == 2 { panics } else { Where::Nowhere };
                let added = catch_unwind(AssertUnwindSafe(|| engine.add(fragile(kind, nr * 64)).map(drop)));
                whole += usize::from(kind == Where::Nowhere && added.is_ok());
            }
            assert_eq!(whole, 5);
            let mut seen = 0;
            for _ in 0..20 {
                let took = catch_unwind(AssertUnwindSafe(|| {
                    for done in engine.wait().unwrap() {
                        if done.operation.panics == Where::Nowhere {
                            assert_eq!(done.result.as_ref().ok(), Some(&64));
                            files::check(&done.operation.read.buffer, done.operation.read.offset);
                            seen += 1;
                        }
                    }
                }));
                if took.is_ok() && engine.in_flight() == 0 {
                    break;
                }
            }
            assert_eq!(seen, 5, "{panics:?}");
            // And it goes on.
            engine.add(fragile(Where::Nowhere, 0)).unwrap();
            assert_eq!(engine.wait().unwrap().count(), 1, "{panics:?}");
            engine.close().unwrap();
        }
    });
}

fn a_panic_while_an_engine_is_dropped_is_passed_on_and_all_else_ends(case: &Case) {
    // What is leaked stays in the child.
    case.in_child(|| {
        let file = TempFile::new(4096);
        let dropped = Arc::new(AtomicUsize::new(0));
        for close in [false, true] {
            dropped.store(0, Ordering::SeqCst);
            let mut engine: Engine<Fragile> = case.engine(8);
            for nr in 0..4 {
                let panics = if nr == 1 { Where::Drop } else { Where::Nowhere };
                let read = Read::new(shared(&file), vec![0; 64], 0);
                engine.add(Fragile { read, panics, dropped: dropped.clone() }).unwrap();
            }
            engine.submit().unwrap();
            let caught =
                catch_unwind(AssertUnwindSafe(|| if close { engine.close().unwrap() } else { drop(engine) }));
            assert!(caught.is_err());
            assert!((2..=4).contains(&dropped.load(Ordering::SeqCst)), "each is dropped once or leaked");
        }
    });
}

on_each!(
    a_panic_of_an_operation_leaves_the_engine_whole,
    a_panic_while_an_engine_is_dropped_is_passed_on_and_all_else_ends,
);
