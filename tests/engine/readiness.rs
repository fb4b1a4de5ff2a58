//! Whoever sleeps on the engine's descriptor misses nothing, and helper threads are waited for as anything else.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use engine::operation::{Discard, Operations, Poll, Read, Write, WriteZeroes};
use engine::{Engine, Options};
use tests::files::{self, TempFile};
use tests::late::Disk;
use tests::or_skip;

use crate::bounce::strict;
use crate::common::*;
use crate::faulty::{Fate, Faulty, with_inner};

type Anything = Operations<Arc<File>, Vec<u8>>;

fn zeroes(file: &Arc<File>, offset: usize) -> Anything {
    WriteZeroes { file: file.clone(), offset: offset as u64, len: BLOCK as u64, unmap: false }.into()
}

/// Sleeps on the descriptor and takes what is there, until `nr` have come.
#[track_caller]
fn take_by_descriptor<B: engine::Backend>(engine: &mut Engine<Anything, B>, nr: usize) {
    let mut count = 0;
    while count < nr {
        loop {
            let more = engine.completions().unwrap().inspect(|done| assert!(done.result.is_ok())).count();
            count += more;
            if more == 0 {
                break;
            }
        }
        if count < nr {
            assert!(readable(&*engine, LONG), "{count} of {nr}, and nothing wakes who waits for more");
        }
    }
    assert_eq!((count, engine.in_flight()), (nr, 0));
}

fn the_descriptor_tells_of_every_completion(case: &Case) {
    let (reader, mut writer) = io::pipe().unwrap();
    let reader = Arc::new(File::from(std::os::fd::OwnedFd::from(reader)));
    let file = TempFile::new(4096);
    let mut engine: Engine<Anything> = case.engine(8);
    assert!(!readable(&engine, Duration::ZERO));
    for _ in 0..3 {
        engine.add(Poll { file: reader.clone(), events: libc::POLLIN }.into()).unwrap();
        // It may be readable without reason, but not for ever.
        let mut looks = 0;
        while looks == 0 || readable(&engine, Duration::ZERO) {
            assert_eq!(engine.completions().unwrap().count(), 0);
            looks += 1;
            assert!(looks < 100);
        }
        writer.write_all(b"x").unwrap();
        assert!(readable(&engine, LONG));
        take_by_descriptor(&mut engine, 1);
        assert_eq!(result(&mut engine, Read::new(reader.clone(), Vec::with_capacity(1), 0)), Ok(1));
        engine.add(Read::new(shared(&file), vec![0; 64], 0).into()).unwrap();
        engine.add(Discard { file: shared(&file), offset: 0, len: 64 }.into()).unwrap();
        take_by_descriptor(&mut engine, 2);
    }
}

/// Who submits and then sleeps has not seen what the submit may have seen.
fn what_is_done_within_a_submit_wakes_whoever_sleeps_after_it(case: &Case) {
    let file = TempFile::new(4096);
    let mut engine: Engine<Anything> = case.engine(4);
    assert!(!readable(&engine, Duration::ZERO));
    for _ in 0..3 {
        engine.add(Read::new(shared(&file), vec![0; 100], 5).into()).unwrap();
        for _ in 0..2 {
            engine.submit().unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        engine.submit().unwrap();
        assert!(readable(&engine, LONG), "nothing wakes who waits");
        take_by_descriptor(&mut engine, 1);
    }
}

/// Two files whose zeroing is held, one helper each: on one file the second write would wait for the first.
fn two_held(engine: &mut Engine<Anything>) -> Result<[(Disk, Arc<File>); 2], String> {
    let held = || Disk::held(16 * BLOCK).map(|disk| (Arc::new(disk.open()), disk));
    let held = [held()?, held()?].map(|(file, disk)| (disk, file));
    for (_, file) in &held {
        engine.add(zeroes(file, 0)).unwrap();
    }
    engine.submit().unwrap();
    for (disk, _) in &held {
        disk.wait_for_requests(1);
    }
    Ok(held)
}

/// A helper that is done while another one is not: the second one wakes the sleeper, too.
fn the_descriptor_tells_of_helpers_one_by_one(case: &Case) {
    let mut engine: Engine<Anything> = case.engine(4);
    let [(first, _a), (second, _b)] = or_skip!(two_held(&mut engine));
    first.release();
    assert!(readable(&engine, LONG));
    let mut count = 0;
    while count == 0 {
        count = engine.completions().unwrap().count();
    }
    assert_eq!((count, engine.in_flight()), (1, 1));
    while readable(&engine, Duration::ZERO) {
        assert_eq!(engine.completions().unwrap().count(), 0);
    }
    second.release();
    assert!(readable(&engine, LONG), "the second one wakes nobody");
    assert_eq!(one(&mut engine).result.unwrap(), 0);
}

/// What helpers have done, and was seen but not taken, is waited for no more.
fn a_wait_does_not_wait_for_what_helpers_have_done_already(case: &Case) {
    let mut engine: Engine<Anything> = case.engine(4);
    let held = or_skip!(two_held(&mut engine));
    for (disk, _) in &held {
        disk.release();
    }
    // Nothing else tells when the helpers have come back from their calls.
    std::thread::sleep(Duration::from_millis(100));
    let first = engine.completions().unwrap().next().unwrap();
    assert_eq!(plain(first.result), Ok(0));
    assert_eq!(engine.wait_timeout(LONG).unwrap().count(), 1);
}

fn helpers_and_waits_meet_at_any_moment(case: &Case) {
    let file = TempFile::new(BLOCK);
    let file = shared(&file);
    let mut engine: Engine<Anything> = case.engine(4);
    for round in 0..3000 {
        engine.add(Discard { file: file.clone(), offset: 0, len: 512 }.into()).unwrap();
        engine.submit().unwrap();
        for _ in 0..(round % 100) * 20 {
            std::hint::spin_loop();
        }
        assert_eq!(engine.wait_timeout(LONG).unwrap().count(), 1, "round {round}");
    }
}

/// What is left of a short transfer is under way when `completions` has nothing more.
fn a_sleeper_is_woken_for_what_was_continued(case: &Case) {
    let file = TempFile::new(4096);
    with_inner!(case, 4, |inner| {
        let mut left = 3;
        let decide = move |_: &engine::Request<'_>| {
            left -= i32::from(left > 0);
            if left > 0 { Fate::Shorten(10) } else { Fate::Pass }
        };
        let mut engine: Engine<Anything, _> =
            Engine::with_backend(Faulty::new(inner, decide), &Options::new(4)).unwrap();
        engine.add(Read::new(shared(&file), vec![0; 100], 0).into()).unwrap();
        let mut taken = Vec::new();
        engine.submit().unwrap();
        while taken.is_empty() {
            assert!(readable(&engine, LONG), "the rest was never submitted");
            taken.extend(engine.completions().unwrap());
        }
        assert_eq!(plain(taken.remove(0).result), Ok(100));
    });
}

/// What had no room at first is tried again before anybody sleeps.
fn the_descriptor_tells_of_what_had_to_wait_for_room(case: &Case) {
    let file = TempFile::new(4096);
    with_inner!(case, 4, |inner| {
        // An engine that has no room submits and tries once more.
        let mut fates = [Fate::Shorten(10), Fate::Refuse, Fate::Refuse].into_iter();
        let decide = move |_: &engine::Request<'_>| fates.next().unwrap_or(Fate::Pass);
        let mut engine: Engine<Anything, _> =
            Engine::with_backend(Faulty::new(inner, decide), &Options::new(4)).unwrap();
        engine.add(Read::new(shared(&file), vec![0; 100], 0).into()).unwrap();
        take_by_descriptor(&mut engine, 1);
    });
}

/// What a bounced operation has to do next is under way when `completions` has nothing more.
fn the_descriptor_tells_of_what_is_bounced(case: &Case) {
    let file = TempFile::new(10_001);
    let direct = or_skip!(strict(&file));
    let mut engine: Engine<Anything> = case.options(4).bounce(true).build().unwrap();
    engine.add(Read::new(direct.clone(), vec![0; 100], 1).into()).unwrap();
    take_by_descriptor(&mut engine, 1);
    // Its window is read before it is written; and two that rewrite one wait for each other.
    for offset in [3, 200] {
        engine.add(Write::new(direct.clone(), vec![7; 100], offset).into()).unwrap();
    }
    take_by_descriptor(&mut engine, 2);
    assert_eq!(engine.stats().bounces, 3);
}

/// A window that there was no room to ask for is asked for again.
fn a_window_waits_for_room(case: &Case) {
    let file = TempFile::new(10_001);
    let direct = or_skip!(strict(&file));
    with_inner!(case, 4, |inner| {
        let mut fates = [Fate::Pass, Fate::Refuse, Fate::Refuse].into_iter();
        let decide = move |_: &engine::Request<'_>| fates.next().unwrap_or(Fate::Pass);
        let mut engine: Engine<Anything, _> =
            Engine::with_backend(Faulty::new(inner, decide), &Options::new(4).bounce(true)).unwrap();
        engine.add(Read::new(direct.clone(), vec![0; 100], 1).into()).unwrap();
        take_by_descriptor(&mut engine, 1);
        assert_eq!(engine.stats().bounces, 1);
    });
}

fn helpers_work_while_every_place_is_taken_and_cancelled(case: &Case) {
    let file = TempFile::new(16 * BLOCK);
    let file = shared(&file);
    for depth in [1, 2, 4, 9] {
        let mut engine: Engine<Anything> = case.engine(depth);
        let ids: Vec<_> = (0..depth).map(|_| engine.add(zeroes(&file, 0)).unwrap()).collect();
        for _ in 0..20 {
            for &id in &ids {
                engine.cancel(id).unwrap();
            }
        }
        let results: Vec<_> = engine.wait_nr(depth).unwrap().map(|done| plain(done.result)).collect();
        assert_eq!(results.len(), depth);
        assert!(results.iter().all(|result| matches!(result, Ok(0) | Err(libc::ECANCELED))), "{results:?}");
    }
}

fn helpers_mix_with_everything_else(case: &Case) {
    let file = TempFile::new(16 * BLOCK);
    let file = shared(&file);
    let mut engine: Engine<Anything> = case.engine(8);
    for round in 0..100 {
        for nr in 0..8 {
            let operation = match nr % 4 {
                0 => zeroes(&file, 8 * BLOCK),
                1 => Discard { file: file.clone(), offset: 9 * BLOCK as u64, len: 10 }.into(),
                _ => Read::new(file.clone(), vec![0; 100], nr).into(),
            };
            engine.add(operation).unwrap();
        }
        let mut count = 0;
        for done in engine.wait_nr(if round % 2 == 0 { 8 } else { 1 }).unwrap() {
            done.result.unwrap();
            if let Anything::Read(Read { buffer, offset, .. }) = &done.operation {
                files::check(buffer, *offset);
            }
            count += 1;
        }
        while engine.in_flight() > 0 {
            count += engine.wait().unwrap().count();
        }
        assert_eq!(count, 8);
    }
}

on_each!(
    the_descriptor_tells_of_every_completion,
    what_is_done_within_a_submit_wakes_whoever_sleeps_after_it,
    the_descriptor_tells_of_helpers_one_by_one,
    a_wait_does_not_wait_for_what_helpers_have_done_already,
    helpers_and_waits_meet_at_any_moment,
    a_sleeper_is_woken_for_what_was_continued,
    the_descriptor_tells_of_what_had_to_wait_for_room,
    the_descriptor_tells_of_what_is_bounced,
    a_window_waits_for_room,
    helpers_work_while_every_place_is_taken_and_cancelled,
    helpers_mix_with_everything_else,
);
