//! Taking completions: each once, with its own user data, whatever the caller does with the iterator.

use std::collections::HashMap;

use aio::{Error, UserData};
use tests::files::{self, TempFile};

use crate::common::*;

#[test]
fn the_same_user_data_on_all_ops_gives_one_completion_each() {
    let file = TempFile::new(64 * 100);
    let mut buffers = vec![[0; 100]; 64];
    let pipe = Pipe::new();
    for mut context in both_ways(65) {
        for (offset, buffer) in (0..).step_by(100).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), offset, 7);
        }
        poll(&mut context, &pipe.reader, libc::POLLIN, 7);
        context.submit().unwrap();
        pipe.fill();
        let mut results = HashMap::new();
        for (user_data, result) in take_nr(&mut context, 65) {
            assert_eq!(user_data, 7);
            *results.entry(result).or_insert(0) += 1;
        }
        assert_eq!(results, HashMap::from([(Ok(100), 64), (Ok(libc::POLLIN as u32), 1)]));
        for (offset, buffer) in (0..).step_by(100).zip(&mut buffers) {
            files::check(buffer, offset);
            buffer.fill(0);
        }
        pipe.empty();
    }
}

#[test]
fn every_user_data_comes_back_as_it_was_given() {
    let null = dev_null();
    let values = [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, u64::from(u32::MAX), 1 << 32, 0xdead_beef_cafe_f00d];
    for mut context in both_ways(values.len()) {
        for user_data in values {
            write(&mut context, b"x", &null, 0, user_data);
        }
        let mut expected: Vec<Taken> = values.iter().map(|&user_data| (user_data, Ok(1))).collect();
        expected.sort_unstable();
        assert_eq!(all(&mut context), expected);
    }
}

#[test]
fn an_iterator_dropped_half_way_loses_nothing() {
    let null = dev_null();
    for mut context in both_ways(10) {
        for user_data in 0..10 {
            write(&mut context, b"x", &null, 0, user_data);
        }
        let mut seen: Vec<UserData> = Vec::new();
        for step in [1, 0, 2, 3, 0, 4] {
            let some = context.wait().unwrap().take(step);
            seen.extend(taken(some).iter().map(|&(user_data, _)| user_data));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert_eq!(context.in_flight(), 0);
    }
}

#[test]
fn an_iterator_that_is_leaked_loses_nothing_and_repeats_nothing() {
    let null = dev_null();
    for mut context in both_ways(6) {
        for round in 0..100 {
            for nr in 0..6 {
                write(&mut context, b"x", &null, 0, round * 6 + nr);
            }
            let mut completions = context.wait_nr(6).unwrap();
            let mut seen = taken(completions.by_ref().take(2));
            std::mem::forget(completions);
            seen.extend(all(&mut context));
            seen.sort_unstable();
            assert_eq!(seen, (0..6).map(|nr| (round * 6 + nr, Ok(1))).collect::<Vec<_>>());
            assert_eq!(context.space(), 6);
        }
    }
}

#[test]
fn completions_neither_submits_nor_waits() {
    let pipe = Pipe::new();
    let null = dev_null();
    for mut context in both_ways(4) {
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        write(&mut context, b"x", &null, 0, 2);
        assert_eq!(taken(context.completions().unwrap()), []);
        assert_eq!((context.queued(), context.in_flight()), (1, 1));
        assert_eq!(context.submit().unwrap(), 1);
        assert_eq!(taken(context.completions().unwrap()), [(2, Ok(1))]);
    }
}

#[test]
fn nothing_is_in_flight_on_a_fresh_context() {
    for mut context in both_ways(4) {
        assert_eq!(context.submit().unwrap(), 0);
        assert_eq!(taken(context.completions().unwrap()), []);
        assert_eq!(taken(context.wait().unwrap()), []);
        assert_eq!(taken(context.wait_nr(3).unwrap()), []);
        assert_eq!(taken(context.wait_timeout(LONG).unwrap()), []);
        assert_eq!(all(&mut context), []);
    }
}

#[test]
fn drain_hands_out_everything_that_was_added() {
    let file = TempFile::new(1000);
    let pipe = Pipe::new();
    let mut buffer = [0; 10];
    for mut context in both_ways(8) {
        write(&mut context, b"abc", file.file(), 0, 0);
        context.submit().unwrap();
        poll(&mut context, &pipe.writer, libc::POLLOUT, 1);
        read(&mut context, &mut buffer, closed_descriptor(), 0, 2);
        // SAFETY: as said in `main.rs`.
        unsafe { context.add_fsync(file.file(), 3) }.unwrap();
        let expected = [(0, Ok(3)), (1, Ok(libc::POLLOUT as u32)), (2, Err(libc::EBADF)), (3, Ok(0))];
        assert_eq!(all(&mut context), expected);
    }
}

#[test]
fn the_ring_goes_round_many_times_with_its_order_kept() {
    // The smallest context: the kernel's ring has some 127 events, and 50 000 pass through it.
    let null = dev_null();
    for mut context in both_ways(3) {
        let mut next = 0;
        for user_data in 0..50_000 {
            write(&mut context, b"x", &null, 0, user_data);
            if matches!(context.space(), 0) {
                for (user_data, result) in context.wait_nr(3).unwrap() {
                    assert_eq!((user_data, result.unwrap()), (next, 1));
                    next += 1;
                }
            }
        }
        next += all(&mut context).len() as UserData;
        assert_eq!(next, 50_000);
    }
}

#[test]
fn add_after_no_space_works_once_completions_are_taken() {
    let null = dev_null();
    let mut context = context(2);
    let mut added = 0;
    let mut completed = 0;
    while added < 100 {
        // SAFETY: as said in `main.rs`.
        let result = unsafe { context.add_write(b"x".as_ptr(), 1, &null, 0, added) }.map(drop);
        match result {
            Ok(()) => added += 1,
            Err(Error::NoSpace) => completed += taken(context.wait().unwrap()).len(),
            Err(other) => panic!("{other}"),
        }
    }
    completed += all(&mut context).len();
    assert_eq!(completed, 100);
}
