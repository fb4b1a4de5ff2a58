//! A half that submits and a half that takes completions, in two threads or in one.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use tests::files::{self, TempFile};
use uring::{Completer, Error, Submitter, URingContext};

use crate::common::*;

fn halves(nr: usize) -> (Submitter, Completer) {
    context(nr).split().unwrap()
}

#[test]
fn contexts_and_halves_can_be_sent() {
    fn sent<T: Send>() {}
    sent::<URingContext>();
    sent::<Submitter>();
    sent::<Completer>();
}

#[test]
fn requests_go_in_at_one_half_and_come_out_at_the_other() {
    const REQUESTS: u64 = 20_000;
    const DEPTH: u64 = 32;
    let file = TempFile::new(65536);
    let mut buffers = vec![[0_u8; 16]; DEPTH as usize];
    let places: Vec<_> = buffers.iter_mut().map(|buffer| buffer.as_mut_ptr().expose_provenance()).collect();
    let (mut submitter, mut completer) = halves(16);
    // The names that may be used: each is in flight at most once, so that buffers are not shared.
    let (free, vacancies) = mpsc::channel();
    (0..DEPTH).for_each(|name| free.send(name).unwrap());
    let offset = |name, nr| (name * 1000 + nr) % 60_000;
    std::thread::scope(|scope| {
        let places = &places;
        let file = &file;
        scope.spawn(move || {
            for nr in 0..REQUESTS {
                let name = vacancies.recv().unwrap();
                let place = std::ptr::with_exposed_provenance_mut::<u8>(places[name as usize]);
                let halves =
                    [0, 8].map(|at| libc::iovec { iov_base: place.wrapping_add(at).cast(), iov_len: 8 });
                // The offset comes back in the name, for the check.
                let user_data = name << 32 | offset(name, nr);
                loop {
                    match unsafe {
                        submitter.add_readv_iter(halves, file.file(), offset(name, nr), user_data)
                    } {
                        Ok(_) => break,
                        Err(Error::NoSpace) => drop(submitter.submit().unwrap()),
                        Err(error) => panic!("add_readv_iter: {error}"),
                    }
                }
                if nr % 3 == 0 || nr + DEPTH > REQUESTS || submitter.queued() == DEPTH as usize / 2 {
                    submitter.submit().unwrap();
                }
            }
            while submitter.queued() > 0 {
                submitter.submit().unwrap();
            }
        });
        let mut completed = 0;
        while completed < REQUESTS {
            for (user_data, result) in completer.wait_timeout(LONG).unwrap() {
                assert_eq!(result.unwrap(), 16);
                let (name, offset) = (user_data >> 32, user_data & 0xffff_ffff);
                let place = std::ptr::with_exposed_provenance::<u8>(places[name as usize]);
                files::check(unsafe { std::slice::from_raw_parts(place, 16) }, offset);
                completed += 1;
                // The submitter may be done by now.
                let _ = free.send(name);
            }
        }
        assert_eq!(completer.wait().unwrap().count(), 0);
    });
}

#[test]
fn an_idle_wait_sleeps_until_something_is_submitted() {
    let (mut submitter, mut completer) = halves(4);
    for round in 0..50 {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| taken(completer.wait().unwrap()));
            if round % 2 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
            submitter.add_nop(round).unwrap();
            assert_eq!(submitter.submit().unwrap(), 1);
            assert_eq!(waiter.join().unwrap(), [(round, Ok(0))]);
        });
    }
}

#[test]
fn a_timed_wait_of_the_completer_runs_out_idle_and_busy() {
    let pipe = Pipe::new();
    let (mut submitter, mut completer) = halves(4);
    let timeout = Duration::from_millis(20);
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(taken(completer.wait_timeout(timeout).unwrap()), []);
        assert!(start.elapsed() >= timeout);
        assert_eq!(taken(completer.wait_timeout(Duration::ZERO).unwrap()), []);
        assert_eq!(taken(completer.completions().unwrap()), []);
        // The second time with something in flight.
        unsafe { submitter.add_poll_fd(&pipe.reader, libc::POLLIN, 1) }.unwrap();
        submitter.submit().unwrap();
    }
    pipe.fill();
    assert_eq!(names(completer.wait_nr(2).unwrap()), [1, 1]);
}

#[test]
fn the_completer_submits_nothing() {
    let (mut submitter, mut completer) = halves(4);
    submitter.add_nop(1).unwrap();
    assert_eq!(taken(completer.completions().unwrap()), []);
    assert_eq!(taken(completer.wait_timeout(Duration::from_millis(1)).unwrap()), []);
    assert_eq!((submitter.queued(), completer.in_flight()), (1, 0));
    submitter.submit().unwrap();
    assert_eq!(names(completer.wait().unwrap()), [1]);
}

#[test]
fn what_was_queued_and_in_flight_before_the_split_is_not_lost() {
    let pipe = Pipe::new();
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    context.submit().unwrap();
    nops(&mut context, 2, 2);
    let (mut submitter, mut completer) = context.split().unwrap();
    assert_eq!((submitter.queued(), submitter.space(), completer.in_flight()), (2, 2, 1));
    assert_eq!(submitter.submit().unwrap(), 2);
    assert_eq!(names(completer.wait_nr(2).unwrap()), [2, 3]);
    submitter.add_nop(4).unwrap();
    let mut context = submitter.reunite(completer).unwrap();
    assert_eq!((context.queued(), context.in_flight()), (1, 1));
    pipe.fill();
    assert_eq!(all(&mut context), [(1, Ok(libc::POLLIN as u32)), (4, Ok(0))]);
}

#[test]
fn halves_of_two_contexts_do_not_unite() {
    let (first, second) = (halves(4), halves(4));
    let (mut submitter, completer) = first.0.reunite(second.1).map(drop).unwrap_err();
    submitter.add_nop(1).unwrap();
    submitter.submit().unwrap();
    // Each finds its own.
    let mut first = submitter.reunite(first.1).unwrap();
    assert_eq!(one(&mut first), (1, Ok(0)));
    let mut second = second.0.reunite(completer).unwrap();
    assert_eq!(all(&mut second), []);
}

#[test]
fn split_and_reunion_can_be_repeated() {
    let mut context = context(4);
    for round in 0..100 {
        let (mut submitter, mut completer) = context.split().unwrap();
        submitter.add_nop(round).unwrap();
        submitter.submit().unwrap();
        assert_eq!(names(completer.wait().unwrap()), [round]);
        context = submitter.reunite(completer).unwrap();
        context.add_nop(round).unwrap();
        assert_eq!(one(&mut context), (round, Ok(0)));
    }
}

#[test]
fn an_overflow_comes_out_at_the_completer() {
    let context = build(URingContext::builder(16).cq_entries(16));
    let (mut submitter, mut completer) = context.split().unwrap();
    for name in 0..160 {
        while submitter.space() == 0 {
            // Where the kernel takes no more, completions make room.
            if submitter.submit().unwrap() == 0 {
                break;
            }
        }
        if submitter.add_nop(name).is_err() {
            break;
        }
    }
    submitter.submit().unwrap();
    let submitted = submitter.stats().submitted;
    assert!(submitted >= 32 && completer.in_flight() as u64 == submitted);
    assert_eq!(names(completer.wait().unwrap()), (0..submitted).collect::<Vec<_>>());
    assert_eq!(completer.in_flight(), 0);
}

#[test]
fn the_completer_is_readable_while_completions_wait() {
    let (mut submitter, mut completer) = halves(4);
    assert!(!readable(&completer, Duration::ZERO));
    submitter.add_nop(1).unwrap();
    submitter.submit().unwrap();
    assert!(readable(&completer, LONG));
    assert_eq!(names(completer.completions().unwrap()), [1]);
    assert!(!readable(&completer, Duration::ZERO));
}
