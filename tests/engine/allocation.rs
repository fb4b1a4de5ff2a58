//! Nothing is allocated on the way of an operation.

use std::fs::File;
use std::sync::Arc;

use engine::operation::{Operations, Read, Sync, Write};
use engine::{BackendKind, Engine, Options};
use tests::counting;
use tests::files::TempFile;

use crate::common::*;

type Anything = Operations<Arc<File>, Vec<u8>>;

/// Counts the allocations of 50 rounds after as many to warm up.
#[track_caller]
fn allocations(mut round: impl FnMut()) -> u64 {
    for _ in 0..50 {
        round();
    }
    let before = counting::on_this_thread();
    for _ in 0..50 {
        round();
    }
    counting::on_this_thread() - before
}

fn engine_of(kind: BackendKind) -> Engine<Anything> {
    Options::new(32).only(kind).build().unwrap()
}

/// The operations of a round, made over from those of the last.
fn fill(engine: &mut Engine<Anything>, file: &Arc<File>, buffers: &mut Vec<Vec<u8>>) {
    let mut nr = 0;
    while engine.space() > 0 {
        let offset = nr * 64;
        nr += 1;
        let operation = match nr % 4 {
            0 => Sync::data(file.clone()).into(),
            1 => Write::new(file.clone(), buffers.pop().unwrap(), 4096 + offset).into(),
            _ => Read::new(file.clone(), buffers.pop().unwrap(), offset).into(),
        };
        engine.add(operation).unwrap();
    }
}

#[test]
fn adding_and_waiting_allocates_nothing() {
    let file = TempFile::new(65536);
    let file = shared(&file);
    for kind in [BackendKind::Uring, BackendKind::Aio] {
        let mut engine = engine_of(kind);
        let mut buffers = vec![vec![7; 64]; 32];
        let count = allocations(|| {
            fill(&mut engine, &file, &mut buffers);
            for done in engine.wait_nr(32).unwrap() {
                done.result.unwrap();
                buffers.extend(done.operation.into_buffer());
            }
        });
        assert_eq!((count, buffers.len()), (0, 32), "{kind}");
    }
}

#[test]
fn adding_again_allocates_nothing() {
    let file = TempFile::new(65536);
    let file = shared(&file);
    for kind in [BackendKind::Uring, BackendKind::Aio] {
        let mut engine = engine_of(kind);
        fill(&mut engine, &file, &mut vec![vec![7; 64]; 32]);
        let count = allocations(|| {
            // Reads overtake syncs; a round has some of both.
            let mut syncs = 0;
            while syncs < 2 {
                let mut completions = engine.wait().unwrap();
                while let Some(mut done) = completions.next_done() {
                    done.result().unwrap();
                    syncs += usize::from(matches!(done.operation(), Anything::Sync(_)));
                    done.add_again().unwrap();
                    if syncs == 2 {
                        break;
                    }
                }
            }
        });
        assert_eq!(count, 0, "{kind}");
        engine.drain(drop).unwrap();
    }
}

#[test]
fn short_reads_and_errors_allocate_nothing() {
    let file = TempFile::new(100);
    let write_only = Arc::new(File::options().write(true).open(file.path()).unwrap());
    let file = shared(&file);
    for kind in [BackendKind::Uring, BackendKind::Aio] {
        let mut engine = engine_of(kind);
        let mut buffers = vec![vec![7; 64]; 2];
        let count = allocations(|| {
            engine.add(Read::new(file.clone(), buffers.pop().unwrap(), 90).into()).unwrap();
            engine.add(Read::new(write_only.clone(), buffers.pop().unwrap(), 0).into()).unwrap();
            let mut errors = 0;
            for done in engine.wait_nr(2).unwrap() {
                errors += usize::from(done.result.is_err());
                buffers.extend(done.operation.into_buffer());
            }
            assert_eq!(errors, 1);
        });
        assert_eq!(count, 0, "{kind}");
    }
}
