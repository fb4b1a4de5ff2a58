//! Waits whose limits are registered.

use std::thread;
use std::time::{Duration, Instant};

use tests::signals::Storm;
use tests::{in_child, require};
use uring::ring::{Clock, RegisteredWait, Wait};
use uring::{Cqe, Error, Ring, Sqe, ring};

use crate::common::{LONG, nops, take};

/// Shorter than any patience, longer than a clock's tick.
pub(super) const SHORT: Duration = Duration::from_millis(20);

type Builder = ring::Builder<'static, Sqe, Cqe>;

fn is_new_enough() -> bool {
    tests::kernel::is_at_least(6, 13)
}

/// A ring of 8 entries with registered waits.
#[track_caller]
pub(super) fn waits(nr: u16) -> (Ring, Vec<RegisteredWait>) {
    with(Ring::builder(8), nr)
}

#[track_caller]
fn with(builder: Builder, nr: u16) -> (Ring, Vec<RegisteredWait>) {
    let mut ring = builder.disabled().build().unwrap();
    let waits = ring.registrar().register_waits(nr).unwrap();
    assert_eq!(waits.len(), usize::from(nr));
    ring.enable().unwrap();
    (ring, waits)
}

fn now(clock: libc::clockid_t) -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut now) }, 0);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn set(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = unsafe { std::mem::zeroed() };
    for &signal in signals {
        assert_eq!(unsafe { libc::sigaddset(&raw mut set, signal) }, 0);
    }
    set
}

/// Waits for `nr` completions, which do not come, and says how long that took.
#[track_caller]
fn wait_out(ring: &mut Ring, nr: usize, wait: &RegisteredWait) -> Duration {
    let begin = Instant::now();
    assert_eq!(ring.wait_registered(nr, wait).unwrap().count(), 0);
    begin.elapsed()
}

#[test]
fn each_has_a_timeout_of_its_own() {
    require!(is_new_enough(), "Linux 6.13");
    let (mut ring, mut waits) = waits(u16::MAX);
    // In another page each, the last one at the end of all.
    for (index, factor) in [(0, 3), (700, 1), (65_534, 2)] {
        waits[index].set(&Wait::new().timeout(factor * SHORT));
    }
    for (index, factor) in [(700, 1), (0, 3), (65_534, 2), (700, 1)] {
        let enters = ring.stats().enters;
        let took = wait_out(&mut ring, 1, &waits[index]);
        assert!(took >= factor * SHORT && took < LONG / 2, "wait {index} took {took:?}");
        assert_eq!(ring.stats().enters, enters + 1);
    }
}

#[test]
fn a_timeout_hands_out_what_is_there() {
    require!(is_new_enough(), "Linux 6.13");
    let (mut ring, mut waits) = waits(1);
    waits[0].set(&Wait::new().timeout(SHORT));
    nops(&mut ring, 0, 2);
    let begin = Instant::now();
    let names: Vec<_> = ring.wait_registered(3, &waits[0]).unwrap().map(|cqe| cqe.user_data()).collect();
    assert!(begin.elapsed() >= SHORT);
    assert_eq!(names, [0, 1]);
}

#[test]
fn one_that_was_not_set_has_no_limits() {
    require!(is_new_enough(), "Linux 6.13");
    let (mut ring, mut waits) = waits(2);
    waits[1].set(&Wait::new().timeout(SHORT));
    // As it was at first, and as it is again.
    waits[1].set(&Wait::new());
    for wait in &waits {
        nops(&mut ring, 0, 2);
        assert_eq!(ring.wait_registered(2, wait).unwrap().count(), 2);
    }
}

#[test]
fn an_absolute_time_ends_a_wait_by_the_clock_that_the_ring_has() {
    require!(is_new_enough(), "Linux 6.13");
    let (mut ring, mut waits) = waits(1);
    for (clock, id) in [(Clock::Monotonic, libc::CLOCK_MONOTONIC), (Clock::Boottime, libc::CLOCK_BOOTTIME)] {
        ring.registrar().register_clock(clock).unwrap();
        waits[0].set(&Wait::new().deadline(now(id) + SHORT));
        let took = wait_out(&mut ring, 1, &waits[0]);
        assert!(took >= SHORT / 2 && took < LONG / 2, "it took {took:?}");
        // The time has passed.
        wait_out(&mut ring, 1, &waits[0]);
    }
}

#[test]
fn a_minimum_wait_ends_with_the_first_completion_once_it_is_over() {
    require!(is_new_enough(), "Linux 6.13");
    let (mut ring, mut waits) = waits(1);
    waits[0].set(&Wait::new().minimum(SHORT).timeout(LONG));
    nops(&mut ring, 0, 1);
    let begin = Instant::now();
    assert_eq!(ring.wait_registered(4, &waits[0]).unwrap().count(), 1);
    assert!(begin.elapsed() >= SHORT / 2, "it waited for more");
    assert!(begin.elapsed() < LONG / 2, "and not to the end");
}

#[test]
fn a_time_limit_ends_a_minimum_wait_that_is_longer() {
    require!(is_new_enough(), "Linux 6.13");
    let (mut ring, mut waits) = waits(1);
    let wait = Wait::new().minimum(LONG);
    for wait in [wait.timeout(SHORT), wait.deadline(now(libc::CLOCK_MONOTONIC) + SHORT)] {
        waits[0].set(&wait);
        assert!(wait_out(&mut ring, 1, &waits[0]) < LONG / 2, "{wait:?}");
    }
}

#[test]
fn a_signal_ends_a_wait_whose_mask_lets_it_in_and_no_other() {
    require!(is_new_enough(), "Linux 6.13");
    in_child!(|| {
        // Its handler.
        drop(Storm::every_millisecond());
        let alarm = set(&[libc::SIGALRM]);
        unsafe {
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const alarm, std::ptr::null_mut()), 0);
            // Pending, and let in by a wait alone.
            assert_eq!(libc::pthread_kill(libc::pthread_self(), libc::SIGALRM), 0);
        }
        let (mut ring, mut waits) = waits(3);
        waits[0].set(&Wait::new().timeout(SHORT));
        waits[1].set(&Wait::new().timeout(SHORT).sigmask(alarm));
        waits[2].set(&Wait::new().timeout(LONG).sigmask(set(&[libc::SIGUSR1])));
        let received = Storm::received();
        // It is blocked, by the thread's mask or by that of the wait.
        assert!(wait_out(&mut ring, 1, &waits[0]) >= SHORT);
        assert!(wait_out(&mut ring, 1, &waits[1]) >= SHORT);
        assert_eq!(Storm::received(), received);
        let error = ring.wait_registered(1, &waits[2]).map(drop).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINTR), "{error}");
        assert_eq!(Storm::received(), received + 1);
        // And the mask of the thread is as it was.
        unsafe { assert_eq!(libc::pthread_kill(libc::pthread_self(), libc::SIGALRM), 0) };
        assert!(wait_out(&mut ring, 1, &waits[0]) >= SHORT);
        assert_eq!(Storm::received(), received + 1);
    });
}

#[test]
fn signals_neither_shorten_nor_prolong_a_wait() {
    require!(is_new_enough(), "Linux 6.13");
    in_child!(|| {
        let (mut ring, mut waits) = waits(1);
        waits[0].set(&Wait::new().timeout(5 * SHORT));
        let _storm = Storm::every(SHORT / 4);
        let received = Storm::received();
        // A wait that began anew after each signal would not end.
        let took = wait_out(&mut ring, 1, &waits[0]);
        assert!(took >= 5 * SHORT && took < LONG / 2, "it took {took:?}");
        assert!(Storm::received() > received);
    });
}

#[test]
fn the_half_that_takes_completions_waits_while_the_other_sets_the_next() {
    require!(is_new_enough(), "Linux 6.13");
    let (ring, mut waits) = waits(2);
    let (mut submissions, mut completions) = ring.split().unwrap();
    let (first, second) = waits.split_at_mut(1);
    first[0].set(&Wait::new().timeout(LONG));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            assert_eq!(completions.wait_registered(1, &first[0]).unwrap().count(), 1);
        });
        // Not that of the wait.
        for _ in 0..1000 {
            second[0].set(&Wait::new().timeout(SHORT));
        }
        thread::sleep(SHORT);
        submissions.push(uring::op::ring::Nop::new()).unwrap();
        submissions.submit().unwrap();
        waiter.join().unwrap();
    });
    let begin = Instant::now();
    assert_eq!(completions.wait_registered(1, &waits[1]).unwrap().count(), 0);
    assert!(begin.elapsed() >= SHORT);
}

#[test]
fn a_wait_of_another_ring_is_refused() {
    require!(is_new_enough(), "Linux 6.13");
    let (gone, orphans) = waits(1);
    drop(gone);
    let (mut ring, own) = waits(1);
    let (_other, others) = waits(1);
    let mut without = crate::common::ring(4);
    let (_submissions, mut half) = crate::common::ring(4).split().unwrap();
    let refused = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
        assert!(error.to_string().contains("another ring"), "{error}");
    };
    nops(&mut ring, 3, 1);
    for wait in [&orphans[0], &others[0]] {
        refused(ring.wait_registered(1, wait).map(drop));
        refused(without.wait_registered(1, wait).map(drop));
        refused(half.wait_registered(1, wait).map(drop));
    }
    // What was pushed is there.
    assert_eq!(ring.queued(), 1);
    assert_eq!(ring.wait_registered(1, &own[0]).unwrap().count(), 1);
}

#[test]
fn rings_of_all_kinds_have_registered_waits() {
    require!(is_new_enough(), "Linux 6.13");
    let kinds: [fn() -> Builder; 4] = [
        || Ring::builder(8).sqpoll(Duration::from_millis(10)),
        || Ring::builder(8).single_issuer().defer_taskrun(),
        || Ring::builder(8).no_mmap().registered_fd_only(),
        || Ring::builder(8).coop_taskrun(),
    ];
    for kind in kinds {
        let (mut ring, mut waits) = with(kind(), 3);
        let limit = Wait::new().timeout(SHORT);
        waits[2].set(&limit);
        assert!(wait_out(&mut ring, 1, &waits[2]) >= SHORT);
        nops(&mut ring, 5, 3);
        waits[2].set(&limit.timeout(LONG));
        assert_eq!(ring.wait_registered(3, &waits[2]).unwrap().count(), 3);
        nops(&mut ring, 8, 1);
        assert_eq!(take(&mut ring, 1), [(8, Ok(0))]);
    }
}
