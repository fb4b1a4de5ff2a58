//! A wait gives something if there is something to come, and comes back at once if there is not.

use std::time::{Duration, Instant};

use tests::files::{self, TempFile};
use tests::signals::Storm;

use crate::common::*;

#[test]
fn every_wait_is_empty_at_once_when_nothing_is_in_flight() {
    let mut context = context(8);
    for _ in 0..2 {
        assert_eq!(taken(context.wait().unwrap()), []);
        assert_eq!(taken(context.wait_nr(5).unwrap()), []);
        assert_eq!(taken(context.wait_nr(0).unwrap()), []);
        assert_eq!(taken(context.wait_timeout(Duration::MAX).unwrap()), []);
        assert_eq!(taken(context.completions().unwrap()), []);
        context.drain(|name, _| panic!("{name} completed")).unwrap();
        assert_eq!(context.submit().unwrap(), 0);
        // The same after the rings have been used.
        context.add_nop(1).unwrap();
        assert_eq!(one(&mut context), (1, Ok(0)));
    }
}

#[test]
fn wait_submits_and_completions_does_not() {
    let mut context = context(8);
    context.add_nop(1).unwrap();
    assert_eq!(taken(context.completions().unwrap()), []);
    assert_eq!((context.queued(), context.in_flight()), (1, 0));
    assert_eq!(taken(context.wait().unwrap()), [(1, Ok(0))]);
    context.add_nop(2).unwrap();
    assert_eq!(taken(context.wait_timeout(LONG).unwrap()), [(2, Ok(0))]);
    context.add_nop(3).unwrap();
    assert_eq!(taken(context.wait_nr(1).unwrap()), [(3, Ok(0))]);
    context.add_nop(4).unwrap();
    context.submit().unwrap();
    assert!(readable(&context, LONG));
    assert_eq!(taken(context.completions().unwrap()), [(4, Ok(0))]);
}

#[test]
fn wait_nr_gives_at_least_as_many_as_asked() {
    let pipes: Vec<_> = (0..8).map(|_| Pipe::new()).collect();
    let mut context = context(8);
    for (name, pipe) in (0..).zip(&pipes) {
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
    }
    context.submit().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for pipe in &pipes[..5] {
                pipe.fill();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        assert_eq!(sorted(taken(context.wait_nr(5).unwrap())).len(), 5);
    });
    for pipe in &pipes[5..] {
        pipe.fill();
    }
    // More than there are: all that are in flight.
    assert_eq!(context.wait_nr(100).unwrap().count(), 3);
    assert_eq!(context.wait_nr(usize::MAX).unwrap().count(), 0);
}

#[test]
fn wait_nr_asks_for_no_more_than_the_completion_ring_holds() {
    let mut context = build(uring::URingContext::builder(16).cq_entries(16));
    nops(&mut context, 0, 16);
    context.submit().unwrap();
    nops(&mut context, 16, 16);
    // 32 in flight at a ring of 16: the kernel would never see 32 in it.
    let mut seen = names(context.wait_nr(32).unwrap());
    assert!(seen.len() >= 16, "{seen:?}");
    seen.extend(all(&mut context).iter().map(|&(name, _)| name));
    assert_eq!(seen, (0..32).collect::<Vec<_>>());
}

#[test]
fn an_iterator_left_early_leaves_the_rest() {
    let mut context = context(16);
    nops(&mut context, 0, 10);
    let mut completions = context.wait_nr(10).unwrap();
    assert_eq!(completions.size_hint(), (10, None));
    assert_eq!(completions.next().map(|(name, _)| name), Some(0));
    assert_eq!(completions.size_hint(), (9, None));
    drop(completions);
    assert_eq!(context.in_flight(), 9);
    assert!(readable(&context, Duration::ZERO));
    assert_eq!(names(context.completions().unwrap()), (1..10).collect::<Vec<_>>());
    assert_eq!(context.in_flight(), 0);
}

#[test]
fn a_forgotten_iterator_neither_repeats_nor_hides_completions() {
    let mut context = build(uring::URingContext::builder(8).cq_entries(8));
    nops(&mut context, 0, 8);
    let mut completions = context.wait_nr(8).unwrap();
    assert_eq!(completions.by_ref().take(5).count(), 5);
    std::mem::forget(completions);
    assert_eq!(context.in_flight(), 3);
    nops(&mut context, 8, 8);
    let mut seen = names(context.wait_nr(8).unwrap());
    seen.extend(all(&mut context).iter().map(|&(name, _)| name));
    assert_eq!(seen, (5..16).collect::<Vec<_>>());
}

#[test]
fn a_timeout_that_runs_out_is_empty_and_takes_that_long() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    for timeout in [0, 1, 30].map(Duration::from_millis) {
        let start = Instant::now();
        assert_eq!(taken(context.wait_timeout(timeout).unwrap()), []);
        assert!(start.elapsed() >= timeout, "{timeout:?} ran out early");
        assert_eq!((context.queued(), context.in_flight()), (0, 1));
    }
    pipe.fill();
    for timeout in [LONG, Duration::MAX] {
        assert_eq!(taken(context.wait_timeout(timeout).unwrap()), [(1, Ok(libc::POLLIN as u32))]);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    }
}

#[test]
fn signals_neither_end_a_timed_wait_nor_start_its_time_anew() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    let before = Storm::received();
    let storm = Storm::every(Duration::from_millis(5));
    let start = Instant::now();
    // Counted anew at every signal, 100 ms would never be over: the signals come faster than that.
    assert_eq!(taken(context.wait_timeout(Duration::from_millis(100)).unwrap()), []);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(Storm::received() > before);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            pipe.fill();
        });
        assert_eq!(taken(context.wait_timeout(LONG).unwrap()), [(1, Ok(libc::POLLIN as u32))]);
    });
    drop(storm);
}

#[test]
fn a_signal_every_millisecond_during_100_000_requests_never_makes_a_wait_empty() {
    const REQUESTS: u64 = 100_000;
    let file = TempFile::new(65536);
    let mut buffers = vec![vec![0; 16]; 8];
    let mut context = context(8);
    let before = Storm::received();
    let storm = Storm::every_millisecond();
    let mut completed = 0;
    for batch in (0..REQUESTS).step_by(8) {
        for (name, buffer) in (batch..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), name % 65536 / 2, name);
        }
        // Of a batch, anything may be missing but not everything.
        while context.queued() + context.in_flight() > 0 {
            let some = taken(context.wait().unwrap());
            assert!(!some.is_empty(), "empty after {completed} requests, {} in flight", context.in_flight());
            for (name, result) in some {
                assert_eq!(result, Ok(16));
                files::check(&buffers[name as usize % 8], name % 65536 / 2);
                completed += 1;
            }
        }
    }
    drop(storm);
    assert_eq!(completed, REQUESTS);
    assert!(Storm::received() > before);
}

#[test]
fn signals_while_nothing_completes_never_make_a_wait_empty() {
    let pipe = Pipe::new();
    let mut context = context(4);
    for _ in 0..20 {
        // Submitted by the wait itself: an interrupted call then reports the submit, and no completion.
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        std::thread::scope(|scope| {
            let storm = Storm::every_millisecond();
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(10));
                pipe.fill();
            });
            assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
            drop(storm);
        });
        pipe.empty();
    }
}
