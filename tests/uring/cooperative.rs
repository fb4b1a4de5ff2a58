//! Rings whose completions wait until their thread enters the kernel (`coop_taskrun`) promise the same.

use std::time::Duration;

use tests::files::{self, TempFile};
use tests::signals::Storm;
use uring::URingContext;

use crate::common::*;

fn cooperative(nr: usize) -> URingContext {
    build(URingContext::builder(nr).coop_taskrun())
}

#[test]
fn what_has_completed_comes_without_waiting_and_makes_the_ring_readable() {
    let pipe = Pipe::new();
    let mut context = cooperative(8);
    for name in 0..20 {
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
        context.submit().unwrap();
        assert!(!readable(&context, Duration::ZERO));
        assert_eq!(taken(context.completions().unwrap()), []);
        pipe.fill();
        assert!(readable(&context, LONG));
        assert_eq!(taken(context.completions().unwrap()), [(name, Ok(libc::POLLIN as u32))]);
        pipe.empty();
    }
}

#[test]
fn batches_timeouts_and_signals_are_as_ever() {
    let file = TempFile::new(4096);
    let mut buffers = [[0; 16]; 8];
    let mut context = cooperative(8);
    let storm = Storm::every_millisecond();
    for round in 0..500 {
        for (name, buffer) in (0..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), name * 16 + round, name);
        }
        assert_eq!(all(&mut context), (0..8).map(|name| (name, Ok(16))).collect::<Vec<_>>());
        files::check(buffers.as_flattened(), round);
    }
    context.add_timeout(Duration::from_millis(20), 1).unwrap();
    assert_eq!(one(&mut context), (1, Err(libc::ETIME)));
    drop(storm);
}

#[test]
fn polls_that_overflow_all_come() {
    let pipe = Pipe::new();
    let mut context = build(URingContext::builder(8).cq_entries(8).coop_taskrun());
    for name in 0..40 {
        if context.space() == 0 {
            context.submit().unwrap();
        }
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
    }
    context.submit().unwrap();
    pipe.fill();
    assert_eq!(take_nr(&mut context, 40), (0..40).map(|name| (name, Ok(1))).collect::<Vec<_>>());
}

#[test]
fn the_completer_is_woken_while_the_submitting_thread_sleeps_elsewhere() {
    let pipe = Pipe::new();
    let (mut submitter, mut completer) = cooperative(8).split().unwrap();
    for name in 0..20 {
        unsafe { submitter.add_poll_fd(&pipe.reader, libc::POLLIN, name) }.unwrap();
        submitter.submit().unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| taken(completer.wait().unwrap()));
            pipe.fill();
            // This thread has submitted; it waits in `join`, outside of io_uring.
            assert_eq!(waiter.join().unwrap(), [(name, Ok(libc::POLLIN as u32))]);
        });
        pipe.empty();
    }
}

#[test]
fn a_drop_cancels() {
    let pipe = Pipe::new();
    let mut bytes = [0; 8];
    let mut context = cooperative(8);
    for (name, byte) in (0..).zip(bytes.chunks_mut(1)) {
        read(&mut context, byte, &pipe.reader, 0, name);
    }
    context.submit().unwrap();
    drop(context);
    pipe.fill();
    pipe.empty();
    assert_eq!(bytes, [0; 8]);
}
