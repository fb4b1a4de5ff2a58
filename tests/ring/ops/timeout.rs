//! Time limits. Nothing here looks at how long they took, which a busy machine decides.

use std::mem;
use std::ptr;
use std::time::Duration;

use tests::require;
use uring::op::ring::Nop;
use uring::op::rw::Read;
use uring::op::timeout::{LinkTimeout, Timeout, TimeoutFlags, TimeoutRemove, TimeoutUpdate, Timespec};
use uring::{CqeFlags, SqeFlags};

use super::common::{kernel_is_at_least, next, pipe, push, ring, run, take};

const ETIME: Result<u32, i32> = Err(libc::ETIME);
const CANCELED: Result<u32, i32> = Err(libc::ECANCELED);

fn soon() -> Timespec {
    Duration::from_millis(1).into()
}

fn never() -> Timespec {
    Duration::from_secs(3600).into()
}

/// The time of a clock, and a little more.
fn soon_by(clock: libc::clockid_t) -> Timespec {
    let mut now: libc::timespec = unsafe { mem::zeroed() };
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut now) }, 0);
    Timespec::from(Duration::new(now.tv_sec as u64, now.tv_nsec as u32) + Duration::from_millis(1))
}

#[test]
fn a_time_limit_is_up_by_every_clock() {
    let mut ring = ring();
    let clocks = [
        (TimeoutFlags::empty(), libc::CLOCK_MONOTONIC),
        (TimeoutFlags::BOOTTIME, libc::CLOCK_BOOTTIME),
        (TimeoutFlags::REALTIME, libc::CLOCK_REALTIME),
    ];
    let nr = if kernel_is_at_least(5, 15) { 3 } else { 1 };
    for (flags, clock) in &clocks[..nr] {
        let time = soon();
        let timeout = unsafe { Timeout::new(&raw const time) };
        assert_eq!(run(&mut ring, timeout.timeout_flags(*flags)), ETIME);
        let time = soon_by(*clock);
        let timeout = unsafe { Timeout::new(&raw const time) };
        assert_eq!(run(&mut ring, timeout.timeout_flags(*flags | TimeoutFlags::ABS)), ETIME);
    }
    let time = soon();
    let both = unsafe { Timeout::new(&raw const time) }
        .timeout_flags(TimeoutFlags::BOOTTIME | TimeoutFlags::REALTIME);
    assert_eq!(run(&mut ring, both), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, unsafe { Timeout::new(ptr::null()) }), Err(libc::EFAULT));
}

#[test]
fn a_time_limit_ends_after_so_many_completions() {
    let time = never();
    let mut ring = ring();
    push(&mut ring, unsafe { Timeout::new(&raw const time) }.count(2).user_data(1));
    push(&mut ring, Nop::new().user_data(2));
    push(&mut ring, Nop::new().user_data(3));
    assert_eq!(take(&mut ring, 3), [(1, Ok(0)), (2, Ok(0)), (3, Ok(0))]);
}

#[test]
fn a_multishot_time_limit_starts_as_often_as_it_is_told() {
    let time = soon();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 4), "Linux 6.4");
    let timeout = unsafe { Timeout::new(&raw const time) }.timeout_flags(TimeoutFlags::MULTISHOT).count(3);
    push(&mut ring, timeout);
    for more in [true, true, false] {
        let (_, result, flags) = next(&mut ring);
        assert_eq!((result, flags.contains(CqeFlags::MORE)), (ETIME, more));
    }
    assert_eq!(ring.completions().unwrap().count(), 0);
}

#[test]
fn a_time_that_is_up_breaks_a_chain_unless_it_is_a_success() {
    let time = soon();
    let mut ring = ring();
    let first = |flags| {
        let timeout = unsafe { Timeout::new(&raw const time) }.timeout_flags(flags);
        timeout.flags(SqeFlags::IO_LINK).user_data(1)
    };
    push(&mut ring, first(TimeoutFlags::empty()));
    push(&mut ring, Nop::new().user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, ETIME), (2, CANCELED)]);
    require!(kernel_is_at_least(5, 16), "Linux 5.16");
    push(&mut ring, first(TimeoutFlags::ETIME_SUCCESS));
    push(&mut ring, Nop::new().user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, ETIME), (2, Ok(0))]);
}

#[test]
fn a_time_limit_is_removed_and_changed() {
    let (time, sooner) = (never(), soon());
    let mut ring = ring();
    push(&mut ring, unsafe { Timeout::new(&raw const time) }.user_data(1));
    push(&mut ring, TimeoutRemove::new(1).user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, CANCELED), (2, Ok(0))]);
    assert_eq!(run(&mut ring, TimeoutRemove::new(1)), Err(libc::ENOENT));

    require!(kernel_is_at_least(5, 11), "Linux 5.11");
    push(&mut ring, unsafe { Timeout::new(&raw const time) }.user_data(1));
    push(&mut ring, unsafe { TimeoutUpdate::new(1, &raw const sooner) }.user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, ETIME), (2, Ok(0))]);
    let update = unsafe { TimeoutUpdate::new(1, &raw const sooner) };
    assert_eq!(run(&mut ring, update), Err(libc::ENOENT));

    let absolute = soon_by(libc::CLOCK_MONOTONIC);
    push(&mut ring, unsafe { Timeout::new(&raw const time) }.user_data(1));
    let update = unsafe { TimeoutUpdate::new(1, &raw const absolute) };
    push(&mut ring, update.timeout_flags(TimeoutFlags::ABS).user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, ETIME), (2, Ok(0))]);
}

#[test]
fn a_linked_time_limit_cancels_what_takes_longer() {
    let (reader, _writer) = pipe();
    let (time, long) = (soon(), never());
    let mut byte = 0_u8;
    let mut ring = ring();
    let read = unsafe { Read::new(&reader, &raw mut byte, 1, u64::MAX) };
    push(&mut ring, read.flags(SqeFlags::IO_LINK).user_data(1));
    push(&mut ring, unsafe { LinkTimeout::new(&raw const time) }.user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, CANCELED), (2, ETIME)]);

    push(&mut ring, Nop::new().flags(SqeFlags::IO_LINK).user_data(1));
    push(&mut ring, unsafe { LinkTimeout::new(&raw const long) }.user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, Ok(0)), (2, CANCELED)]);
    let alone = unsafe { LinkTimeout::new(&raw const time) };
    assert_eq!(run(&mut ring, alone), Err(libc::EINVAL), "nothing is before it");
}

#[test]
fn a_linked_time_limit_is_changed() {
    let (reader, _writer) = pipe();
    let (time, sooner) = (never(), soon());
    let mut byte = 0_u8;
    let mut ring = ring();
    require!(kernel_is_at_least(5, 15), "Linux 5.15");
    let read = unsafe { Read::new(&reader, &raw mut byte, 1, u64::MAX) };
    push(&mut ring, read.flags(SqeFlags::IO_LINK).user_data(1));
    push(&mut ring, unsafe { LinkTimeout::new(&raw const time) }.user_data(2));
    push(&mut ring, unsafe { TimeoutUpdate::new(2, &raw const sooner) }.link().user_data(3));
    assert_eq!(take(&mut ring, 3), [(1, CANCELED), (2, ETIME), (3, Ok(0))]);
}

#[test]
fn a_time_in_the_request_is_taken_or_refused_by_the_kernels_age() {
    let time = never();
    let mut ring = ring();
    let expected = if kernel_is_at_least(7, 1) { ETIME } else { Err(libc::EINVAL) };
    assert_eq!(run(&mut ring, Timeout::immediate(Duration::from_millis(1))), expected);
    if expected == ETIME {
        push(&mut ring, unsafe { Timeout::new(&raw const time) }.user_data(1));
        push(&mut ring, TimeoutUpdate::immediate(1, Duration::from_millis(1)).user_data(2));
        assert_eq!(take(&mut ring, 2), [(1, ETIME), (2, Ok(0))]);
        push(&mut ring, Timeout::immediate(Duration::MAX).user_data(3));
        push(&mut ring, TimeoutRemove::new(3).user_data(4));
        assert_eq!(take(&mut ring, 2), [(3, Err(libc::ECANCELED)), (4, Ok(0))]);
    } else {
        let update = TimeoutUpdate::immediate(1, Duration::from_millis(1));
        assert_eq!(run(&mut ring, update), expected);
        assert_eq!(run(&mut ring, LinkTimeout::immediate(Duration::from_millis(1))), expected);
    }
}
