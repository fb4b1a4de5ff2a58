//! Waiting, within limits.

use std::time::{Duration, Instant};

use tests::require;
use uring::Features;
use uring::ring::Wait;

use crate::common::{LONG, nops, pipe, read, ring, take};

/// Shorter than any patience, longer than a clock's tick.
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_timeout_ends_a_wait_and_what_is_there_is_handed_out() {
    let mut ring = ring(4);
    nops(&mut ring, 0, 2);
    let begin = Instant::now();
    let names: Vec<_> =
        ring.wait_with(3, &Wait::new().timeout(SHORT)).unwrap().map(|cqe| cqe.user_data()).collect();
    assert!(begin.elapsed() >= SHORT);
    assert_eq!(names, [0, 1]);
}

#[test]
fn an_absolute_time_ends_a_wait() {
    let mut ring = ring(4);
    require!(ring.features().contains(Features::MIN_TIMEOUT), "before 6.12");
    let now = monotonic();
    let begin = Instant::now();
    assert_eq!(ring.wait_with(1, &Wait::new().deadline(now + SHORT)).unwrap().count(), 0);
    assert!(begin.elapsed() >= SHORT);
    // A time that has passed.
    assert_eq!(ring.wait_with(1, &Wait::new().deadline(now)).unwrap().count(), 0);
}

#[test]
fn a_minimum_wait_ends_with_the_first_completion_once_it_is_over() {
    let mut ring = ring(4);
    require!(ring.features().contains(Features::MIN_TIMEOUT), "before 6.12");
    nops(&mut ring, 0, 1);
    let wait = Wait::new().minimum(SHORT).timeout(LONG);
    let begin = Instant::now();
    assert_eq!(ring.wait_with(4, &wait).unwrap().count(), 1);
    assert!(begin.elapsed() >= SHORT / 2, "it waited for more");
    assert!(begin.elapsed() < LONG / 2, "and not to the end");
}

#[test]
fn a_time_limit_ends_a_minimum_wait_that_is_longer() {
    let mut ring = ring(4);
    require!(ring.features().contains(Features::MIN_TIMEOUT), "before 6.12");
    nops(&mut ring, 0, 1);
    for minimum in [LONG, Duration::MAX] {
        let wait = Wait::new().minimum(minimum);
        for wait in [wait.timeout(SHORT), wait.deadline(monotonic() + SHORT)] {
            let begin = Instant::now();
            drop(ring.wait_with(4, &wait).unwrap());
            assert!(begin.elapsed() < LONG / 2, "{wait:?}");
        }
    }
    assert_eq!(ring.completions().unwrap().count(), 1);
}

#[test]
fn limits_that_a_kernel_does_not_have_are_refused() {
    let mut ring = ring(4);
    if ring.features().contains(Features::MIN_TIMEOUT) {
        return;
    }
    for wait in [Wait::new().minimum(SHORT), Wait::new().deadline(SHORT)] {
        let error = ring.wait_with(1, &wait).map(drop).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        assert!(error.to_string().contains("6.12"), "{error}");
    }
}

#[test]
fn a_signal_ends_a_wait_with_a_mask_and_no_other() {
    tests::in_child!(|| {
        extern "C" fn ignore(_: libc::c_int) {}
        let handler = ignore as extern "C" fn(libc::c_int);
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
            let mut blocked: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&raw mut blocked, libc::SIGUSR1);
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut()), 0);
            // Pending, and let in by the wait alone.
            assert_eq!(libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1), 0);
        }
        let mut ring = ring(4);
        let open: libc::sigset_t = unsafe { std::mem::zeroed() };
        let error = ring.wait_with(1, &Wait::new().sigmask(open).timeout(LONG)).map(drop).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINTR), "{error}");
        // The mask is as it was, and a wait without one goes on.
        let thread = unsafe { libc::pthread_self() };
        unsafe {
            let mut blocked: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&raw mut blocked, libc::SIGUSR1);
            assert_eq!(libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const blocked, std::ptr::null_mut()), 0);
        }
        let sender = std::thread::spawn(move || {
            for _ in 0..10 {
                std::thread::sleep(Duration::from_millis(2));
                assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
            }
        });
        let begin = Instant::now();
        let wait = Wait::new().timeout(Duration::from_millis(100));
        assert_eq!(ring.wait_with(1, &wait).unwrap().count(), 0);
        assert!(begin.elapsed() >= Duration::from_millis(100), "signals do not shorten a wait");
        sender.join().unwrap();
    });
}

#[test]
fn a_wait_for_more_than_is_there_waits_for_the_rest() {
    let (reader, mut writer) = pipe();
    let mut byte = [0];
    let mut ring = ring(4);
    read(&mut ring, &mut byte, &reader, 1);
    nops(&mut ring, 0, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(SHORT);
            std::io::Write::write_all(&mut writer, b"x").unwrap();
        });
        assert_eq!(take(&mut ring, 2), [(0, Ok(0)), (1, Ok(1))]);
    });
    assert_eq!(&byte, b"x");
}

#[test]
fn waiting_need_not_count_as_waiting_for_a_disk() {
    let mut ring = ring(4);
    if ring.features().contains(Features::NO_IOWAIT) {
        ring.set_iowait(false).unwrap();
        nops(&mut ring, 0, 1);
        assert_eq!(take(&mut ring, 1), [(0, Ok(0))]);
        ring.set_iowait(true).unwrap();
    } else {
        assert_eq!(ring.set_iowait(false).unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP));
    }
    nops(&mut ring, 1, 1);
    assert_eq!(take(&mut ring, 1), [(1, Ok(0))]);
}

fn monotonic() -> Duration {
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) }, 0);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
