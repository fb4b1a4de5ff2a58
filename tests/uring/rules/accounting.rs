//! Counts are exact at every moment.

use tests::files::TempFile;
use uring::Stats;

use crate::common::*;

/// Submitted, completed.
fn counts(stats: Stats) -> (u64, u64) {
    (stats.submitted, stats.completed)
}

#[test]
fn every_request_is_counted_once_in_each_state() {
    let pipe = Pipe::new();
    let mut context = context(8);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 0, 8));
    assert_eq!(context.stats(), Stats::default());
    for name in 0..4 {
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
    }
    nops(&mut context, 4, 2);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (6, 0, 2));
    assert_eq!(context.stats(), Stats::default());

    assert_eq!(context.submit().unwrap(), 6);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 6, 8));
    assert_eq!(counts(context.stats()), (6, 0));

    assert_eq!(names(context.wait_nr(2).unwrap()), [4, 5]);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 4, 8));
    assert_eq!(counts(context.stats()), (6, 2));

    context.add_nop(6).unwrap();
    pipe.fill();
    assert_eq!(all(&mut context).len(), 5);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 0, 8));
    assert_eq!(counts(context.stats()), (7, 7));
}

#[test]
fn one_enter_submits_a_batch_and_waits_for_it() {
    let mut context = context(32);
    for round in 1..=10 {
        nops(&mut context, 0, 32);
        assert_eq!(context.wait_nr(32).unwrap().count(), 32);
        assert_eq!(context.stats().enters, round);
    }
    assert_eq!(counts(context.stats()), (320, 320));
}

#[test]
fn nothing_to_do_enters_not_at_all() {
    let mut context = context(4);
    context.submit().unwrap();
    assert_eq!(context.wait().unwrap().count(), 0);
    assert_eq!(context.wait_timeout(LONG).unwrap().count(), 0);
    assert_eq!(context.completions().unwrap().count(), 0);
    context.drain(|_, _| {}).unwrap();
    assert_eq!(context.stats().enters, 0);
    context.add_nop(1).unwrap();
    context.submit().unwrap();
    assert!(readable(&context, LONG));
    // Already there.
    assert_eq!(names(context.wait().unwrap()), [1]);
    assert_eq!(context.stats().enters, 1);
}

#[test]
fn refused_requests_are_counted_as_accepted_and_completed() {
    let zero = dev_zero();
    let mut context = context(4);
    for name in 0..4 {
        unsafe { context.add_readv(too_many_iovecs(), &zero, 0, name) }.unwrap();
    }
    assert_eq!(context.submit().unwrap(), 4);
    assert_eq!(counts(context.stats()), (4, 0));
    assert_eq!(all(&mut context).len(), 4);
    assert_eq!(counts(context.stats()), (4, 4));
}

#[test]
fn counts_survive_split_and_reunion() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 16];
    let mut context = context(4);
    read(&mut context, &mut buffer, file.file(), 0, 1);
    assert_eq!(one(&mut context), (1, Ok(16)));
    let (mut submitter, mut completer) = context.split().unwrap();
    assert_eq!(counts(submitter.stats()), (1, 0));
    assert_eq!(counts(completer.stats()), (0, 1));
    submitter.add_nop(2).unwrap();
    assert_eq!((submitter.queued(), submitter.space(), completer.in_flight()), (1, 3, 0));
    assert_eq!(submitter.submit().unwrap(), 1);
    assert_eq!((submitter.queued(), submitter.space(), completer.in_flight()), (0, 4, 1));
    assert_eq!(names(completer.wait().unwrap()), [2]);
    assert_eq!(completer.in_flight(), 0);
    let context = submitter.reunite(completer).unwrap();
    assert_eq!(counts(context.stats()), (2, 2));
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 0, 4));
}
