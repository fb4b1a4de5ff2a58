//! A ring in two halves.

use std::os::fd::AsRawFd;

use tests::kernel::is_at_least;
use tests::require;
use uring::op::ring::Nop;
use uring::ring::Wait;
use uring::{Cqe32, Ring, Sqe128};

use crate::common::{LONG, pipe, read, ring, take};

#[test]
fn one_thread_submits_while_the_other_takes() {
    const NR: u64 = 1000;
    let (mut submissions, mut completions) = ring(8).split().unwrap();
    let taker = std::thread::spawn(move || {
        let mut names = Vec::new();
        while names.len() < NR as usize {
            let wait = Wait::new().timeout(LONG);
            let before = names.len();
            names.extend(completions.wait_with(1, &wait).unwrap().map(|cqe| cqe.user_data()));
            assert!(names.len() > before, "only {} came", names.len());
        }
        (names, completions)
    });
    for name in 0..NR {
        while let Err(refused) = submissions.push(Nop::new().user_data(name)) {
            assert!(matches!(refused.error, uring::Error::NoSpace));
            submissions.submit().unwrap();
        }
    }
    submissions.submit().unwrap();
    let (mut names, completions) = taker.join().unwrap();
    // Linux 5.10 lets completions that found no room in after newer ones.
    names.sort_unstable();
    assert_eq!(names, (0..NR).collect::<Vec<_>>());
    let mut whole = submissions.reunite(completions).unwrap();
    whole.push(Nop::new().user_data(7)).unwrap();
    assert_eq!(take(&mut whole, 1), [(7, Ok(0))]);
}

#[test]
fn what_was_taken_without_an_iterator_is_given_back_at_once() {
    let mut whole = ring(4);
    whole.push(Nop::new()).unwrap();
    whole.submit().unwrap();
    let (_submissions, mut completions) = whole.split().unwrap();
    assert!(completions.next_completion().is_some());
    let mut fds = [libc::pollfd { fd: completions.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    assert_eq!(unsafe { libc::poll(fds.as_mut_ptr(), 1, 0) }, 0, "nothing is there any more");
}

#[test]
fn halves_of_different_rings_do_not_make_one() {
    let (first, _others) = ring(1).split().unwrap();
    let (_other, second) = ring(1).split().unwrap();
    assert!(!first.is_half_of(&second));
    assert!(first.reunite(second).is_err());
}

#[test]
fn the_second_half_to_go_ends_what_is_in_flight() {
    for submissions_first in [true, false] {
        let (reader, mut writer) = pipe();
        let mut byte = [0];
        let mut ring = ring(4);
        read(&mut ring, &mut byte, &reader, 1);
        ring.submit().unwrap();
        let (submissions, completions) = ring.split().unwrap();
        if submissions_first {
            drop(submissions);
            drop(completions);
        } else {
            drop(completions);
            drop(submissions);
        }
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        let mut left = [0];
        std::io::Read::read_exact(&mut { reader }, &mut left).unwrap();
        assert_eq!((byte, &left), ([0], b"x"), "the read was cancelled");
    }
}

#[test]
fn a_ring_for_one_thread_is_not_split() {
    require!(is_at_least(6, 0), "Linux 6.0");
    let ring: Ring = Ring::builder(4).single_issuer().build().unwrap();
    let error = ring.split().map(drop).unwrap_err();
    assert!(error.to_string().contains("single_issuer"), "{error}");
    let large: Ring<Sqe128, Cqe32> = Ring::new(4).unwrap();
    drop(large.split().unwrap());
}
