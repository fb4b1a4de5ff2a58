//! Engines leave nothing behind: no descriptor, no context, no thread, no memory that could not be got at.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use engine::Engine;
use engine::operation::{Discard, Operations, Poll, Read};
use tests::files::{self, TempFile};

use crate::common::*;

type Anything = Operations<Arc<File>, Vec<u8>>;

/// Descriptors, contexts and threads of this process.
fn owned() -> (usize, usize, usize) {
    let entries = |path| std::fs::read_dir(path).unwrap().count();
    (entries("/proc/self/fd"), files::aio_rings(), entries("/proc/self/task"))
}

/// A thread that was joined is in `/proc` for a moment longer.
#[track_caller]
fn comes_back_to(before: (usize, usize, usize)) {
    for _ in 0..500 {
        if owned() == before {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(owned(), before);
}

fn nothing_is_left_of_many_engines(case: &Case) {
    case.in_child(|| {
        let file = TempFile::new(4096);
        let (reader, _writer) = io::pipe().unwrap();
        let reader = Arc::new(File::from(OwnedFd::from(reader)));
        let before = owned();
        for round in 0..30 {
            let mut engine: Engine<Anything> = case.engine(8);
            engine.add(Read::new(shared(&file), vec![0; 100], 0).into()).unwrap();
            engine.add(Discard { file: shared(&file), offset: 0, len: 10 }.into()).unwrap();
            engine.add(Poll { file: reader.clone(), events: libc::POLLIN }.into()).unwrap();
            let pool = engine.buffer_pool(2, 4096);
            let registered = engine.register_file(file.file().try_clone().unwrap());
            match round % 4 {
                0 => drop(engine),
                1 => engine.close().unwrap(),
                2 => {
                    assert_eq!(engine.wait_nr(2).unwrap().take(2).count(), 2);
                    drop(engine);
                }
                _ => {
                    let mut buffer = [0; 10];
                    engine.scope(|s| s.read_at(&registered, &mut buffer, 50).map(drop)).unwrap();
                    files::check(&buffer, 50);
                    engine.cancel_all().unwrap();
                    engine.drain(drop).unwrap();
                    engine.close().unwrap();
                }
            }
            drop((pool, registered));
        }
        comes_back_to(before);
        assert_eq!(Arc::strong_count(&reader), 1);
    });
}

fn nothing_is_left_of_an_engine_that_could_not_be_made(case: &Case) {
    case.in_child(|| {
        let before = owned();
        // What a back end has made when the next part is refused goes again.
        for spare in 0..6 {
            tests::limits::set(libc::RLIMIT_NOFILE, (before.0 - 1 + spare) as u64);
            drop(case.options(8).build::<Anything>());
        }
        tests::limits::set(libc::RLIMIT_NOFILE, 1024);
        comes_back_to(before);
    });
}

on_each!(nothing_is_left_of_many_engines, nothing_is_left_of_an_engine_that_could_not_be_made);
