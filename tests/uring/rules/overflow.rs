//! Completions that do not fit the ring come all the same, in order, without the help of a submit.

use std::time::Duration;

use tests::require;
use uring::URingContext;

use crate::common::*;

/// A completion ring of 16 with `nr` completions, made in batches of 16; gives how many the kernel has accepted: all,
/// since it goes on when the ring is full (5.19).
fn overflown(nr: u64) -> (URingContext, u64) {
    let mut context = build(URingContext::builder(16).cq_entries(16));
    let mut accepted = 0;
    let mut next = 0;
    while next < nr {
        let batch = (nr - next).min(16);
        nops(&mut context, next, batch);
        next += batch;
        accepted += context.submit().unwrap() as u64;
        if context.queued() > 0 {
            break;
        }
    }
    (context, accepted)
}

#[test]
fn forty_completions_on_a_ring_of_sixteen_come_out_of_one_wait_in_order() {
    let (mut context, accepted) = overflown(40);
    assert!(accepted >= 32);
    assert_eq!(context.in_flight() as u64, accepted);
    assert_eq!(names(context.wait().unwrap()), (0..accepted).collect::<Vec<_>>());
    let all = accepted + context.queued() as u64;
    assert_eq!(names(context.wait_nr(16).unwrap()), (accepted..all).collect::<Vec<_>>());
    assert_eq!((context.queued(), context.in_flight()), (0, 0));
}

#[test]
fn forty_completions_on_a_ring_of_sixteen_come_out_of_one_look_without_waiting() {
    let (mut context, accepted) = overflown(40);
    assert_eq!(names(context.completions().unwrap()), (0..accepted).collect::<Vec<_>>());
    assert_eq!(context.in_flight(), 0);
}

#[test]
fn an_iterator_left_early_during_an_overflow_leaves_the_rest() {
    let (mut context, accepted) = overflown(32);
    assert_eq!(accepted, 32);
    for taken in 0..32 {
        assert_eq!(context.in_flight(), 32 - taken as usize);
        let (name, result) = context.wait().unwrap().next().unwrap();
        assert_eq!((name, result.unwrap()), (taken, 0));
    }
    assert_eq!(context.wait().unwrap().count(), 0);
}

#[test]
fn a_wait_on_an_overflown_ring_submits_too() {
    let (mut context, accepted) = overflown(32);
    assert_eq!(accepted, 32);
    context.add_nop(32).unwrap();
    let mut seen = names(context.wait_timeout(LONG).unwrap());
    seen.extend(all(&mut context).iter().map(|&(name, _)| name));
    assert_eq!(seen, (0..33).collect::<Vec<_>>());
}

#[test]
fn drain_hands_out_what_overflowed() {
    let (mut context, accepted) = overflown(160);
    let all = accepted + context.queued() as u64;
    let mut seen = Vec::new();
    context.drain(|name, result| seen.push((name, result.unwrap()))).unwrap();
    assert_eq!(seen, (0..all).map(|name| (name, 0)).collect::<Vec<_>>());
}

#[test]
fn polls_that_overflow_when_they_fire_all_come() {
    let pipe = Pipe::new();
    let mut context = build(URingContext::builder(16).cq_entries(16));
    for name in 0..100 {
        if context.space() == 0 {
            context.submit().unwrap();
        }
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
    }
    context.submit().unwrap();
    assert_eq!((context.queued(), context.in_flight()), (0, 100));
    pipe.fill();
    let mut seen: Vec<_> = take_nr(&mut context, 100).iter().map(|&(name, _)| name).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    assert_eq!(context.stats().completed, 100);
}

#[test]
fn an_overflown_ring_can_be_dropped() {
    let (context, _) = overflown(100);
    drop(context);
}

#[test]
fn an_overflown_ring_is_readable_until_the_last_completion_is_taken() {
    let (mut context, accepted) = overflown(40);
    require!(accepted == 40, "before 5.19 a full completion ring takes no more requests");
    for _ in 0..40 {
        assert!(readable(&context, LONG));
        assert!(context.completions().unwrap().next().is_some());
    }
    assert!(!readable(&context, Duration::from_millis(1)));
}
