use std::time::{Duration, Instant};

use tests::kernel::is_at_least;
use tests::require;
use uring::ring::{Clock, Wait};

use crate::common::ring;

fn now(clock: libc::clockid_t) -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut now) }, 0);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[test]
fn a_wait_ends_at_a_time_of_the_clock_that_was_registered() {
    require!(is_at_least(6, 12), "Linux 6.12");
    let mut ring = ring(4);
    for (clock, id) in [(Clock::Boottime, libc::CLOCK_BOOTTIME), (Clock::Monotonic, libc::CLOCK_MONOTONIC)] {
        ring.registrar().register_clock(clock).unwrap();
        let (start, deadline) = (Instant::now(), now(id) + Duration::from_millis(30));
        assert_eq!(ring.wait_with(1, &Wait::new().deadline(deadline)).unwrap().count(), 0);
        assert!(start.elapsed() >= Duration::from_millis(30), "{:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

#[test]
fn an_older_kernel_says_that_it_has_one_clock() {
    if !is_at_least(6, 12) {
        let error = ring(4).registrar().register_clock(Clock::Boottime).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert!(error.to_string().contains("6.12"), "{error}");
    }
}
