//! Every operation comes out exactly once, however completions are asked for.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use engine::operation::{Operations, Poll, Read};
use engine::{Engine, Id};
use tests::files::{self, TempFile};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;

type Tracked = (Read<Arc<File>, Vec<u8>>, Arc<()>);
type Reads = Engine<Read<Arc<File>, Vec<u8>>>;
type Anything = Engine<Operations<Arc<File>, Vec<u8>>>;

fn fill(engine: &mut Reads, file: &Arc<File>) -> HashSet<Id> {
    let mut ids = HashSet::new();
    while engine.space() > 0 {
        let offset = 64 * ids.len() as u64;
        ids.insert(engine.add(Read::new(file.clone(), vec![0; 64], offset)).unwrap());
    }
    ids
}

fn every_operation_completes_exactly_once(case: &Case) {
    let file = TempFile::new(4096);
    let file = shared(&file);
    let mut engine: Reads = case.engine(32);
    for round in 1..=20 {
        let mut ids = fill(&mut engine, &file);
        assert_eq!((ids.len(), engine.in_flight(), engine.space(), engine.capacity()), (32, 32, 0, 32));
        while engine.in_flight() > 0 {
            for done in engine.wait().unwrap() {
                assert!(ids.remove(&done.id), "{:?} a second time", done.id);
                assert_eq!((done.result.unwrap(), done.transferred), (64, 64));
                files::check(&done.operation.buffer, done.operation.offset);
            }
        }
        assert!(ids.is_empty());
        assert_eq!((engine.stats().completed, engine.stats().submitted), (32 * round, 32 * round));
    }
    assert_eq!(engine.wait().unwrap().count(), 0);
    assert_eq!(engine.completions().unwrap().count(), 0);
}

fn wait_nr_yields_as_many_and_leaves_the_rest(case: &Case) {
    let mut engine: Reads = case.engine(6);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = Arc::new(disk.open());
    for nr in 0..6 {
        engine.add(Read::new(file.clone(), vec![0; BLOCK], nr * BLOCK as u64)).unwrap();
    }
    engine.submit().unwrap();
    disk.wait_for_requests(6);
    assert_eq!(engine.completions().unwrap().count(), 0);
    disk.release_nr(4);
    assert_eq!(engine.wait_nr(3).unwrap().take(3).count(), 3);
    assert_eq!(engine.in_flight(), 3);
    assert_eq!(engine.wait().unwrap().count(), 1);
    disk.release();
    assert_eq!(engine.wait_nr(100).unwrap().count(), 2);
}

fn any_number_may_be_waited_for(case: &Case) {
    let file = TempFile::new(4096);
    let file = shared(&file);
    let mut engine: Reads = case.engine(8);
    for _ in 0..2 {
        fill(&mut engine, &file);
        assert_eq!(engine.wait_nr(usize::MAX).unwrap().count(), 8);
    }
    fill(&mut engine, &file);
    let early = engine.wait_nr(0).unwrap().count();
    assert_eq!(engine.wait_nr(8).unwrap().count(), 8 - early);
}

fn a_done_that_is_dropped_frees_its_place_and_its_operation(case: &Case) {
    let file = TempFile::new(4096);
    let (file, tracker) = (shared(&file), Arc::new(()));
    let mut engine: Engine<Tracked> = case.engine(1);
    for _ in 0..3 {
        engine.add((Read::new(file.clone(), vec![0; 64], 0), tracker.clone())).unwrap();
        let mut completions = engine.wait().unwrap();
        let done = completions.next_done().unwrap();
        assert_eq!(Arc::strong_count(&tracker), 2);
        drop(done);
        assert_eq!(Arc::strong_count(&tracker), 1);
        assert_eq!((engine.in_flight(), engine.space()), (0, 1));
    }
}

fn an_operation_that_is_added_again_keeps_its_place_and_gets_a_new_name(case: &Case) {
    let file = TempFile::new(4096);
    let mut engine: Reads = case.engine(1);
    let mut id = engine.add(Read::new(shared(&file), Vec::with_capacity(64), 0)).unwrap();
    for round in 1..=10 {
        let mut completions = engine.wait().unwrap();
        let mut done = completions.next_done().unwrap();
        assert_eq!((done.id(), done.transferred(), done.result().unwrap()), (id, 64, 64));
        files::check(&done.operation().buffer, (round - 1) * 64);
        done.operation().offset = round * 64;
        let next = done.add_again().unwrap();
        assert_ne!(next, id);
        id = next;
    }
    let last = one(&mut engine);
    assert_eq!(last.id, id);
    files::check(&last.operation.buffer, 640);
}

fn what_is_leaked_keeps_its_place_and_nothing_else(case: &Case) {
    let file = TempFile::new(4096);
    let file = shared(&file);
    let mut engine: Reads = case.engine(4);
    fill(&mut engine, &file);
    // An iterator that nobody asks has taken nothing.
    engine.wait_nr(4).map(drop).unwrap();
    let mut completions = engine.wait_nr(4).unwrap();
    std::mem::forget(completions.next_done().unwrap());
    assert_eq!(completions.count(), 3);
    // One place is gone; nothing waits for it for ever.
    assert_eq!((engine.in_flight(), engine.space()), (1, 3));
    assert_eq!(engine.wait().unwrap().count(), 0);
    engine.drain(|done| panic!("{:?} has not been there", done.id)).unwrap();
    for offset in 0..3 {
        engine.add(Read::new(file.clone(), vec![0; 8], offset)).unwrap();
    }
    assert_eq!(engine.wait_nr(3).unwrap().count(), 3);
}

fn a_scope_needs_no_place_of_those_that_are_leaked(case: &Case) {
    let file = TempFile::new(4096);
    let file = shared(&file);
    let mut engine: Reads = case.engine(2);
    for _ in 0..2 {
        engine.add(Read::new(file.clone(), vec![0; 8], 0)).unwrap();
        std::mem::forget(engine.wait().unwrap().next_done().unwrap());
    }
    assert_eq!(engine.space(), 0);
    let mut buffers = [[0; 8]; 5];
    engine
        .scope(|s| {
            for (buffer, offset) in buffers.iter_mut().zip(0..) {
                s.read_at(&*file, buffer, offset * 8)?;
            }
            Ok(())
        })
        .unwrap();
    files::check(buffers.as_flattened(), 0);
}

fn a_wait_ends_when_time_is_up_and_takes_nothing_away(case: &Case) {
    let (reader, mut writer) = io::pipe().unwrap();
    let reader = Arc::new(File::from(std::os::fd::OwnedFd::from(reader)));
    let mut engine: Anything = case.engine(4);
    engine.add(Poll { file: reader, events: libc::POLLIN }.into()).unwrap();
    for timeout in [Duration::ZERO, Duration::from_millis(3), Duration::from_nanos(1)] {
        assert_eq!(engine.wait_timeout(timeout).unwrap().count(), 0);
    }
    assert_eq!(engine.in_flight(), 1);
    writer.write_all(b"x").unwrap();
    assert_eq!(engine.wait_timeout(Duration::MAX).unwrap().count(), 1);
    assert_eq!(engine.wait_timeout(LONG).unwrap().count(), 0);
}

fn drain_hands_out_all_and_ends(case: &Case) {
    let file = TempFile::new(4096);
    let mut engine: Reads = case.engine(16);
    let mut ids = fill(&mut engine, &shared(&file));
    engine.drain(|done| assert!(ids.remove(&done.id))).unwrap();
    assert!(ids.is_empty());
    engine.drain(|_| panic!("nothing is in flight")).unwrap();
}

fn signals_end_no_wait(case: &Case) {
    case.in_child(|| {
        let mut engine: Reads = case.engine(4);
        let disk = or_skip!(Disk::new(16 * BLOCK));
        disk.set_delay(Duration::from_millis(30));
        let file = Arc::new(disk.open());
        let storm = tests::signals::Storm::every_millisecond();
        for round in 0..5 {
            for nr in 0..4 {
                engine.add(Read::new(file.clone(), vec![0; BLOCK], nr * BLOCK as u64)).unwrap();
            }
            let mut count = 0;
            for done in engine.wait_nr(4).unwrap() {
                assert_eq!(done.result.unwrap(), BLOCK, "round {round}");
                files::check(&done.operation.buffer, done.operation.offset);
                count += 1;
            }
            assert_eq!(count, 4);
        }
        drop(storm);
        assert!(tests::signals::Storm::received() > 0);
    });
}

on_each!(
    every_operation_completes_exactly_once,
    wait_nr_yields_as_many_and_leaves_the_rest,
    any_number_may_be_waited_for,
    a_done_that_is_dropped_frees_its_place_and_its_operation,
    an_operation_that_is_added_again_keeps_its_place_and_gets_a_new_name,
    what_is_leaked_keeps_its_place_and_nothing_else,
    a_scope_needs_no_place_of_those_that_are_leaked,
    a_wait_ends_when_time_is_up_and_takes_nothing_away,
    drain_hands_out_all_and_ends,
    signals_end_no_wait,
);
