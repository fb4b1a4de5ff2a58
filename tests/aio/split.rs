//! A split context: two halves, one promise.

use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::Duration;

use aio::{AioContext, Completer, Error, Submitter, UserData};
use tests::files::{self, AlignedBuf, TempFile};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;

fn halves(nr: usize) -> (Submitter, Completer) {
    context(nr).split().expect("split")
}

#[track_caller]
fn add(submitter: &mut Submitter, fd: impl AsFd, user_data: UserData) {
    // SAFETY: as said in `main.rs`; the data is static.
    let _ = unsafe { submitter.add_write(b"data".as_ptr(), 4, fd.as_fd(), 0, user_data) }.expect("add_write");
}

#[test]
fn one_half_submits_and_the_other_takes() {
    let file = TempFile::new(4096);
    let pipe = Pipe::new();
    let mut buffer = [0; 64];
    let (mut submitter, mut completer) = halves(8);
    unsafe {
        let _ = submitter.add_read(buffer.as_mut_ptr(), 64, file.file(), 100, 1).unwrap();
        let _ = submitter.add_writev_iter([iovec(&mut [b'v'; 3])], file.file(), 0, 2).unwrap();
        submitter.add_fsync(file.file(), 3).unwrap();
        submitter.add_fdatasync(file.file(), 4).unwrap();
        submitter.add_poll_fd(&pipe.reader, libc::POLLIN, 5).unwrap();
    }
    assert_eq!((submitter.queued(), submitter.space()), (5, 3));
    assert_eq!(submitter.submit().unwrap(), 5);
    submitter.cancel(5, 6).unwrap();
    submitter.submit().unwrap();
    let mut seen = Vec::new();
    while seen.len() < 6 {
        seen.extend(taken(completer.wait().unwrap()));
    }
    seen.sort_unstable();
    let expected = [(1, Ok(64)), (2, Ok(3)), (3, Ok(0)), (4, Ok(0)), (5, Err(libc::ECANCELED)), (6, Ok(0))];
    assert_eq!(seen, expected);
    files::check(&buffer, 100);
    assert_eq!(completer.in_flight(), 0);
    assert_eq!(submitter.space(), 8);
    assert_eq!((submitter.stats().submitted, completer.stats().completed), (6, 6));
}

#[test]
fn space_comes_back_when_the_other_half_takes() {
    let null = dev_null();
    let (mut submitter, mut completer) = halves(2);
    for round in 0..500 {
        add(&mut submitter, &null, round);
        add(&mut submitter, &null, round);
        let refused = unsafe { submitter.add_write(b"x".as_ptr(), 1, &null, 0, 0) }.map(drop);
        assert!(matches!(refused, Err(Error::NoSpace)));
        assert_eq!(submitter.submit().unwrap(), 2);
        assert_eq!(submitter.space(), 0);
        let mut left = 2;
        while left > 0 {
            left -= taken(completer.wait().unwrap()).len();
        }
        assert_eq!(submitter.space(), 2);
    }
}

#[test]
fn operations_from_before_the_split_complete_after_it() {
    let pipe = Pipe::new();
    let null = dev_null();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    context.submit().unwrap();
    write(&mut context, b"x", &null, 0, 2);
    let (mut submitter, mut completer) = context.split().unwrap();
    assert_eq!((submitter.queued(), completer.in_flight()), (1, 1));
    assert_eq!(submitter.submit().unwrap(), 1);
    assert_eq!(taken(completer.wait().unwrap()), [(2, Ok(1))]);
    pipe.fill();
    assert_eq!(taken(completer.wait().unwrap()), [(1, Ok(libc::POLLIN as u32))]);
}

#[test]
fn an_idle_completer_waits_for_the_other_half() {
    let null = dev_null();
    let (mut submitter, mut completer) = halves(4);
    let (sender, receiver) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        sender.send(()).unwrap();
        let first = taken(completer.wait().unwrap());
        (completer, first)
    });
    receiver.recv().unwrap();
    // Time for the other thread to fall asleep; without it the test is weaker, not wrong.
    std::thread::sleep(Duration::from_millis(20));
    add(&mut submitter, &null, 5);
    submitter.submit().unwrap();
    let (_completer, first) = waiter.join().unwrap();
    assert_eq!(first, [(5, Ok(4))]);
}

#[test]
fn an_idle_completer_comes_back_with_nothing_when_its_time_is_over() {
    let (submitter, mut completer) = halves(4);
    assert_eq!(taken(completer.completions().unwrap()), []);
    assert_eq!(taken(completer.wait_timeout(Duration::from_millis(5)).unwrap()), []);
    assert_eq!(taken(completer.wait_timeout(Duration::ZERO).unwrap()), []);
    drop(submitter);
}

#[test]
fn a_completer_alone_takes_what_is_left_and_then_says_so() {
    let null = dev_null();
    let (mut submitter, mut completer) = halves(4);
    add(&mut submitter, &null, 1);
    submitter.submit().unwrap();
    drop(submitter);
    assert_eq!(taken(completer.wait().unwrap()), [(1, Ok(4))]);
    assert_eq!(taken(completer.wait().unwrap()), []);
    assert_eq!(taken(completer.wait_nr(3).unwrap()), []);
}

#[test]
fn a_completer_asleep_wakes_when_the_submitter_is_dropped() {
    let (submitter, mut completer) = halves(4);
    let (sender, receiver) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        sender.send(()).unwrap();
        taken(completer.wait().unwrap())
    });
    receiver.recv().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    drop(submitter);
    assert_eq!(waiter.join().unwrap(), []);
}

#[test]
fn dropping_the_last_half_waits_for_the_disk() {
    let mut buffer = AlignedBuf::new(4096);
    for submitter_last in [false, true] {
        buffer.fill(0);
        let (mut submitter, completer) = halves(4);
        let disk = or_skip!(Disk::held(65536));
        let file = disk.open();
        let _ = unsafe { submitter.add_read(buffer.as_mut_ptr(), 4096, &file, 0, 1) }.unwrap();
        submitter.submit().unwrap();
        disk.wait_for_requests(1);
        // The first half may go at any time: the other keeps the context alive.
        let last: Box<dyn Send> = match submitter_last {
            true => {
                drop(completer);
                Box::new(submitter)
            }
            false => {
                drop(submitter);
                Box::new(completer)
            }
        };
        assert_eq!(disk.answered(), 0);
        let dropper = std::thread::spawn(move || drop(last));
        disk.release();
        dropper.join().unwrap();
        assert_eq!(disk.answered(), 1);
        files::check(&buffer, 0);
    }
}

#[test]
fn reunited_halves_are_the_context_again() {
    let null = dev_null();
    let pipe = Pipe::new();
    let (mut submitter, completer) = halves(4);
    unsafe { submitter.add_poll_fd(&pipe.reader, libc::POLLIN, 1) }.unwrap();
    submitter.submit().unwrap();
    add(&mut submitter, &null, 2);
    let mut context: AioContext = submitter.reunite(completer).map_err(drop).expect("halves of one context");
    assert_eq!((context.queued(), context.in_flight(), context.space()), (1, 1, 2));
    pipe.fill();
    assert_eq!(all(&mut context), [(1, Ok(libc::POLLIN as u32)), (2, Ok(4))]);
    assert_eq!(taken(context.wait().unwrap()), [], "an idle context does not wait");
}

#[test]
fn strangers_do_not_reunite_and_come_back_unharmed() {
    let null = dev_null();
    let (submitter_a, completer_a) = halves(2);
    let (submitter_b, completer_b) = halves(2);
    let (mut submitter_a, completer_b) =
        submitter_a.reunite(completer_b).map(drop).expect_err("not of one context");
    add(&mut submitter_a, &null, 1);
    submitter_a.submit().unwrap();
    let mut context = submitter_a.reunite(completer_a).map_err(drop).expect("halves of one context");
    assert_eq!(all(&mut context), [(1, Ok(4))]);
    assert!(submitter_b.reunite(completer_b).is_ok());
}

#[test]
fn the_completer_is_readable_while_completions_wait() {
    let null = dev_null();
    let (mut submitter, mut completer) = halves(4);
    assert!(!readable(&completer, Duration::ZERO));
    add(&mut submitter, &null, 1);
    submitter.submit().unwrap();
    assert!(readable(&completer, LONG));
    assert_eq!(taken(completer.completions().unwrap()), [(1, Ok(4))]);
}

#[test]
fn halves_reject_vectors_with_the_vectors() {
    let null = dev_null();
    let mut byte = [0];
    let (mut submitter, _completer) = halves(1);
    add(&mut submitter, &null, 1);
    let vectors = vec![iovec(&mut byte); 2];
    let back = unsafe { submitter.add_readv(vectors, &null, 0, 2) }.map(drop).expect_err("no space");
    assert!(matches!(back.error, Error::NoSpace));
    assert_eq!(back.iovecs.len(), 2);
}
