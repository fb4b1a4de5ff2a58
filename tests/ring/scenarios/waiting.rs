//! Waits, time limits and the work that is left for them.

use std::io::Write as _;
use std::time::{Duration, Instant};

use tests::require;
use uring::op::poll::PollAdd;
use uring::op::timeout::{Timeout, Timespec};
use uring::ring::Wait;
use uring::{Features, Ring, SqeFlags};

use super::common::*;

const SHORT: Duration = Duration::from_millis(20);

fn after(time: Duration) -> Wait {
    Wait::new().timeout(time)
}

#[test]
fn time_limits_complete_in_the_order_of_their_times() {
    let times = [300, 100, 200].map(|millis| Timespec::from(Duration::from_millis(millis)));
    let mut ring = ring(4);
    for (name, time) in times.iter().enumerate() {
        push(&mut ring, unsafe { Timeout::new(time) }.user_data(name as u64));
    }
    let etime = Err(libc::ETIME);
    assert_eq!(take(&mut ring, 3), [(1, etime), (2, etime), (0, etime)]);
}

#[test]
fn counts_of_time_limits_are_reached_in_their_order() {
    let long = Timespec::from(LONG);
    let mut ring = ring(8);
    for (name, count) in [(1, 3), (2, 1), (3, 2)] {
        push(&mut ring, unsafe { Timeout::new(&raw const long) }.user_data(name).count(count));
    }
    ring.submit().unwrap();
    // The completion of a limit counts for none, that of a request does for each.
    let mut names = Vec::new();
    for name in 10..13 {
        nops(&mut ring, name, 1);
        names.extend(take(&mut ring, 2).into_iter().map(|(name, result)| {
            assert_eq!(result, Ok(0));
            name
        }));
    }
    assert_eq!(names, [10, 2, 11, 3, 12, 1]);
}

#[test]
fn a_time_limit_that_the_kernel_cannot_count_is_refused() {
    let time = Timespec::from(SHORT);
    let mut ring = ring(4);
    for flags in [u32::MAX, 1 << 20] {
        let flags = uring::op::timeout::TimeoutFlags::from_bits_retain(flags);
        push(&mut ring, unsafe { Timeout::new(&raw const time) }.timeout_flags(flags));
        assert_eq!(take(&mut ring, 1), [(0, Err(libc::EINVAL))]);
    }
    push(&mut ring, unsafe { Timeout::new(std::ptr::without_provenance(8)) });
    assert_eq!(take(&mut ring, 1), [(0, Err(libc::EFAULT))]);
}

#[test]
fn a_timed_wait_ends_by_a_completion_or_by_its_time_also_with_a_polling_thread() {
    let polled = Ring::<uring::Sqe>::builder(8).sqpoll(Duration::from_millis(5));
    for builder in [Ring::builder(8), polled] {
        let mut ring = built!(builder);
        nops(&mut ring, 1, 1);
        let begin = Instant::now();
        assert_eq!(ring.wait_with(1, &after(LONG)).unwrap().count(), 1);
        assert!(begin.elapsed() < LONG);
        let begin = Instant::now();
        assert_eq!(ring.wait_with(1, &after(SHORT)).unwrap().count(), 0);
        assert!(begin.elapsed() >= SHORT);
        // No time at all is a look.
        assert_eq!(ring.wait_with(1, &after(Duration::ZERO)).unwrap().count(), 0);
    }
}

#[test]
fn a_timed_wait_of_one_thread_is_ended_by_what_another_submits() {
    let (mut submit, mut take) = ring(8).split().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            take.wait_with(1, &after(LONG)).unwrap().map(|cqe| cqe.user_data()).collect::<Vec<_>>()
        });
        std::thread::sleep(SHORT);
        submit.push(nop(5, SqeFlags::default())).unwrap();
        submit.submit().unwrap();
        assert_eq!(waiting.join().unwrap(), [5]);
    });
}

#[test]
fn a_minimum_wait_ends_at_once_when_all_are_there_and_is_no_more_than_the_time() {
    let mut ring = ring(8);
    require!(ring.features().contains(Features::MIN_TIMEOUT), "Linux 6.12");
    nops(&mut ring, 0, 3);
    let begin = Instant::now();
    assert_eq!(ring.wait_with(3, &Wait::new().minimum(LONG).timeout(2 * LONG)).unwrap().count(), 3);
    assert!(begin.elapsed() < LONG);
    // With nothing there it goes on to the end.
    let begin = Instant::now();
    assert_eq!(ring.wait_with(3, &Wait::new().minimum(SHORT).timeout(2 * SHORT)).unwrap().count(), 0);
    assert!(begin.elapsed() >= 2 * SHORT);
    // And the first that comes after the minimum ends it.
    let time = Timespec::from(4 * SHORT);
    push(&mut ring, unsafe { Timeout::new(&raw const time) }.user_data(9));
    let names: Vec<_> = ring
        .wait_with(3, &Wait::new().minimum(SHORT).timeout(LONG))
        .unwrap()
        .map(|cqe| cqe.user_data())
        .collect();
    assert_eq!(names, [9]);
    assert!(begin.elapsed() < LONG);
}

#[test]
fn deferred_work_is_done_in_the_order_that_a_drain_asks_for() {
    let (reader, mut writer) = pipe();
    let mut byte = [0];
    let mut ring: Ring = built!(Ring::builder(8).single_issuer().defer_taskrun());
    read(&mut ring, &mut byte, &reader, 1);
    push(&mut ring, nop(2, SqeFlags::IO_DRAIN));
    push(&mut ring, nop(3, SqeFlags::default()));
    ring.submit().unwrap();
    nothing_is_there(&mut ring);
    writer.write_all(b"x").unwrap();
    let mut drained = take(&mut ring, 3);
    if !drains_start_in_order() {
        drained[1..].sort_unstable();
    }
    assert_eq!(drained, [(1, Ok(1)), (2, Ok(0)), (3, Ok(0))]);
}

#[test]
fn deferred_work_is_done_by_a_look_and_not_before() {
    let (reader, mut writer) = pipe();
    let mut ring: Ring = built!(Ring::builder(8).single_issuer().defer_taskrun());
    push(&mut ring, unsafe { PollAdd::new(&reader, libc::EPOLLIN as u32) }.user_data(1));
    ring.submit().unwrap();
    writer.write_all(b"x").unwrap();
    std::thread::sleep(SHORT);
    assert_eq!(ring.ready(), 0, "nobody has asked for it");
    assert_eq!(ring.completions().unwrap().map(|cqe| cqe.user_data()).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_ring_with_deferred_work_outlives_the_thread_that_it_is_for() {
    let (reader, mut writer) = pipe();
    let (reader, byte) = (&reader, &mut [0]);
    let builder = Ring::<uring::Sqe>::builder(8).single_issuer().defer_taskrun();
    let mut ring = built!(builder);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            read(&mut ring, byte, reader, 1);
            ring.submit().unwrap();
            // The work comes up while the thread and the ring end.
            writer.write_all(b"x").unwrap();
            drop(ring);
        });
    });
}

#[test]
fn a_timed_wait_for_more_than_comes_does_the_deferred_work_of_what_came() {
    let (reader, mut writer) = pipe();
    let mut byte = [0];
    let mut ring: Ring = built!(Ring::builder(8).single_issuer().defer_taskrun());
    read(&mut ring, &mut byte, &reader, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(SHORT);
            writer.write_all(b"x").unwrap();
        });
        // Longer than the writer takes on a machine that is busy.
        let wait = after(Duration::from_secs(2));
        let names: Vec<_> = ring.wait_with(2, &wait).unwrap().map(|cqe| cqe.user_data()).collect();
        assert_eq!(names, [1]);
    });
    assert_eq!(&byte, b"x");
}
