//! Cancelling, removing polls, timeouts: each request and each cancellation completes once.

use std::time::{Duration, Instant};

use tests::files::{self, TempFile};

use crate::common::*;

#[test]
fn a_cancelled_poll_says_so_and_its_cancellation_says_0() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    context.submit().unwrap();
    context.cancel(1, 2).unwrap();
    assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::ECANCELED)), (2, Ok(0))]);
}

#[test]
fn a_cancelled_read_of_a_pipe_takes_nothing_out_of_it() {
    let pipe = Pipe::new();
    let mut buffer = [0xee; 8];
    let mut context = context(4);
    read(&mut context, &mut buffer, &pipe.reader, 0, 1);
    context.submit().unwrap();
    context.cancel(1, 2).unwrap();
    let cancelled = take_nr(&mut context, 2);
    // 0 or, where a worker of the kernel sleeps in the read, EALREADY.
    assert!(matches!(cancelled[..], [(1, Err(_)), (2, Ok(0) | Err(libc::EALREADY))]), "{cancelled:?}");
    assert!(matches!(cancelled[0].1, Err(libc::ECANCELED | libc::EINTR)), "{cancelled:?}");
    pipe.fill();
    pipe.empty();
    assert_eq!(buffer, [0xee; 8]);
}

#[test]
fn a_cancelled_timeout_says_so() {
    let mut context = context(4);
    context.add_timeout(Duration::MAX, 1).unwrap();
    context.submit().unwrap();
    context.cancel(1, 2).unwrap();
    assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::ECANCELED)), (2, Ok(0))]);
}

#[test]
fn cancelling_nothing_finds_nothing() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    // Another name, and one that has completed.
    context.add_nop(2).unwrap();
    assert_eq!(one(&mut context), (2, Ok(0)));
    context.cancel(2, 3).unwrap();
    context.cancel(0, 4).unwrap();
    context.remove_poll_fd(2, 5).unwrap();
    let none = Err(libc::ENOENT);
    assert_eq!(take_nr(&mut context, 3), [(3, none), (4, none), (5, none)]);
    assert_eq!(context.in_flight(), 1);
}

#[test]
fn cancelling_takes_one_of_several_of_the_same_name() {
    let pipe = Pipe::new();
    let mut context = context(8);
    for _ in 0..3 {
        poll(&mut context, &pipe.reader, libc::POLLIN, 7);
    }
    context.submit().unwrap();
    for left in [2, 1, 0] {
        context.cancel(7, 8).unwrap();
        assert_eq!(take_nr(&mut context, 2), [(7, Err(libc::ECANCELED)), (8, Ok(0))]);
        assert_eq!(context.in_flight(), left);
    }
}

#[test]
fn a_request_can_be_cancelled_in_the_batch_that_brings_it() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    context.cancel(1, 2).unwrap();
    assert_eq!(all(&mut context), [(1, Err(libc::ECANCELED)), (2, Ok(0))]);
}

#[test]
fn a_removed_poll_says_so_and_the_others_stay() {
    let pipe = Pipe::new();
    let mut context = context(8);
    for name in [10, 11, 12] {
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
    }
    context.submit().unwrap();
    context.remove_poll_fd(11, 20).unwrap();
    assert_eq!(take_nr(&mut context, 2), [(11, Err(libc::ECANCELED)), (20, Ok(0))]);
    pipe.fill();
    let readable = Ok(libc::POLLIN as u32);
    assert_eq!(all(&mut context), [(10, readable), (12, readable)]);
}

#[test]
fn a_name_with_all_bits_set_can_be_cancelled() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, u64::MAX);
    context.submit().unwrap();
    context.remove_poll_fd(u64::MAX, 1).unwrap();
    assert_eq!(take_nr(&mut context, 2), [(1, Ok(0)), (u64::MAX, Err(libc::ECANCELED))]);
}

#[test]
fn polls_tell_what_has_happened() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.writer, libc::POLLOUT, 1);
    assert_eq!(one(&mut context), (1, Ok(libc::POLLOUT as u32)));
    poll(&mut context, &pipe.reader, libc::POLLIN | libc::POLLOUT, 2);
    context.submit().unwrap();
    assert_eq!(taken(context.wait_timeout(Duration::from_millis(1)).unwrap()), []);
    pipe.fill();
    assert_eq!(one(&mut context), (2, Ok(libc::POLLIN as u32)));
    pipe.empty();
    let Pipe { reader, writer } = pipe;
    poll(&mut context, &reader, libc::POLLIN, 3);
    context.submit().unwrap();
    drop(writer);
    let (name, mask) = one(&mut context);
    assert_eq!(name, 3);
    assert_ne!(mask.unwrap() & libc::POLLHUP as u32, 0);
}

#[test]
fn a_poll_fires_once() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    pipe.fill();
    assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
    pipe.empty();
    pipe.fill();
    assert_eq!(context.in_flight(), 0);
    assert_eq!(context.wait().unwrap().count(), 0);
}

#[test]
fn timeouts_run_out_with_etime_and_not_before() {
    let mut context = context(4);
    let start = Instant::now();
    for (name, millis) in [(1, 40), (2, 0), (3, 20)] {
        context.add_timeout(Duration::from_millis(millis), name).unwrap();
    }
    let mut over = Vec::new();
    context
        .drain(|name, result| {
            let least = [0, 40, 0, 20][name as usize];
            assert!(start.elapsed() >= Duration::from_millis(least), "timeout {name} ran out early");
            over.push((name, result));
        })
        .unwrap();
    assert_eq!(sorted(taken(over.into_iter())), [1, 2, 3].map(|name| (name, Err(libc::ETIME))));
}

#[test]
fn a_ring_can_be_polled_by_another_one() {
    let file = TempFile::new(100);
    let mut buffer = [0; 10];
    let (mut inner, mut outer) = (context(4), context(4));
    poll(&mut outer, &inner, libc::POLLIN, 1);
    outer.submit().unwrap();
    assert_eq!(taken(outer.completions().unwrap()), []);
    read(&mut inner, &mut buffer, file.file(), 0, 2);
    inner.submit().unwrap();
    assert_eq!(one(&mut outer), (1, Ok(libc::POLLIN as u32)));
    assert_eq!(taken(inner.completions().unwrap()), [(2, Ok(10))]);
    files::check(&buffer, 0);
}
