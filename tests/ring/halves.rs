//! A ring in two halves.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use tests::kernel::is_at_least;
use tests::require;
use uring::op::ring::Nop;
use uring::ring::Wait;
use uring::{Cqe32, Ring, Sqe128, SqeFlags};

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
    // Linux before 6.1 lets completions that found no room in after newer ones.
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
fn a_ring_whose_end_only_its_release_tells_ends_in_whatever_thread_its_last_half_goes() {
    require!(is_at_least(5, 18), "Linux 5.18");
    for submissions_last in [true, false] {
        let mut whole = ring(4);
        // Registers the descriptor with this thread, which goes on.
        whole.push(Nop::new().flags(SqeFlags::CQE_SKIP_SUCCESS)).unwrap();
        whole.submit().unwrap();
        let (submissions, completions) = whole.split().unwrap();
        let begin = Instant::now();
        if submissions_last {
            drop(completions);
            std::thread::spawn(move || drop(submissions)).join().unwrap();
        } else {
            drop(submissions);
            std::thread::spawn(move || drop(completions)).join().unwrap();
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "the release was waited for in vain");
    }
}

#[test]
fn half_a_ring_works_on_in_the_thread_that_the_other_half_has_left() {
    let mut whole = ring(4);
    whole.push(Nop::new().user_data(1)).unwrap();
    assert_eq!(take(&mut whole, 1), [(1, Ok(0))]);
    let (mut submissions, mut completions) = whole.split().unwrap();
    submissions.push(Nop::new().user_data(2)).unwrap();
    submissions.submit().unwrap();
    drop(submissions);
    // Takes the place that was given back.
    let mut other = ring(4);
    other.push(Nop::new().user_data(3)).unwrap();
    assert_eq!(take(&mut other, 1), [(3, Ok(0))]);
    let names: Vec<_> = completions.wait(1).unwrap().map(|cqe| cqe.user_data()).collect();
    assert_eq!(names, [2]);
    drop(completions);
    other.push(Nop::new().user_data(4)).unwrap();
    assert_eq!(take(&mut other, 1), [(4, Ok(0))]);
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
