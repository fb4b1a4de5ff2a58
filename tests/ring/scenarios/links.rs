//! Chains of requests, and requests that wait for all before them.

use std::io::Write as _;
use std::time::Duration;

use tests::files::TempFile;
use uring::op::poll::PollAdd;
use uring::op::ring::Nop;
use uring::op::rw::Read;
use uring::op::timeout::{LinkTimeout, Timeout, Timespec};
use uring::{Ring, Sqe, SqeFlags};

use super::common::*;

const LINK: SqeFlags = SqeFlags::IO_LINK;
const HARD: SqeFlags = SqeFlags::IO_HARDLINK;
const DRAIN: SqeFlags = SqeFlags::IO_DRAIN;
const NO: SqeFlags = SqeFlags::from_bits_retain(0);
const CANCELED: Result<u32, i32> = Err(libc::ECANCELED);

#[test]
fn a_chain_completes_in_its_order_and_others_beside_it() {
    let mut ring = ring(8);
    for (name, flags) in [(0, LINK), (1, NO), (2, LINK), (3, LINK), (4, NO), (5, NO)] {
        push(&mut ring, nop(name, flags));
    }
    let names: Vec<_> = take(&mut ring, 6).into_iter().map(|(name, _)| name).collect();
    let of = |chain: &[u64]| names.iter().copied().filter(|name| chain.contains(name)).collect::<Vec<_>>();
    assert_eq!((of(&[0, 1]), of(&[2, 3, 4]), of(&[5])), (vec![0, 1], vec![2, 3, 4], vec![5]));
}

#[test]
fn a_failure_cancels_the_rest_of_its_own_chain() {
    let mut ring = ring(8);
    push(&mut ring, failing(0, LINK));
    push(&mut ring, nop(1, LINK));
    push(&mut ring, nop(2, NO));
    push(&mut ring, nop(3, LINK));
    push(&mut ring, nop(4, NO));
    let enoent = Err(libc::ENOENT);
    let expected = [(0, enoent), (1, CANCELED), (2, CANCELED), (3, Ok(0)), (4, Ok(0))];
    assert_eq!(take_sorted(&mut ring, 5), expected);
}

#[test]
fn a_hard_chain_goes_on_after_a_failure_until_a_soft_link_fails() {
    let mut ring = ring(8);
    push(&mut ring, failing(0, HARD));
    push(&mut ring, nop(1, HARD));
    push(&mut ring, failing(2, LINK));
    push(&mut ring, nop(3, HARD));
    push(&mut ring, nop(4, NO));
    let enoent = Err(libc::ENOENT);
    let expected = [(0, enoent), (1, Ok(0)), (2, enoent), (3, CANCELED), (4, CANCELED)];
    assert_eq!(take(&mut ring, 5), expected);
}

#[test]
fn a_short_read_breaks_a_chain() {
    let file = TempFile::new(100);
    let mut bytes = [0; 200];
    let mut ring = ring(4);
    let mut read = |len, flags| unsafe { Read::new(file.file(), bytes.as_mut_ptr(), len, 0) }.flags(flags);
    for (len, flags, next) in [(100, LINK, Ok(0)), (200, LINK, CANCELED), (200, HARD, Ok(0))] {
        push(&mut ring, read(len, flags));
        push(&mut ring, nop(1, NO));
        assert_eq!(take(&mut ring, 2), [(0, Ok(100)), (1, next)]);
    }
}

#[test]
fn a_chain_ends_with_its_submit() {
    let mut ring = ring(4);
    push(&mut ring, failing(0, LINK));
    ring.submit().unwrap();
    push(&mut ring, nop(1, NO));
    assert_eq!(take_sorted(&mut ring, 2), [(0, Err(libc::ENOENT)), (1, Ok(0))]);
}

#[test]
fn a_linked_time_limit_needs_a_request_before_it() {
    let time = Timespec::from(Duration::from_millis(1));
    let limit = |name| unsafe { LinkTimeout::new(&raw const time) }.user_data(name);
    let mut ring = ring(8);
    // Alone, and first of a chain.
    push(&mut ring, limit(0));
    assert_eq!(take(&mut ring, 1), [(0, Err(libc::EINVAL))]);
    push(&mut ring, limit(1).flags(LINK));
    push(&mut ring, nop(2, NO));
    assert_eq!(take_sorted(&mut ring, 2), [(1, Err(libc::EINVAL)), (2, CANCELED)]);
    // The second of two has none either.
    push(&mut ring, nop(3, LINK));
    push(&mut ring, limit(4).flags(LINK));
    push(&mut ring, limit(5));
    let taken = take_sorted(&mut ring, 3);
    assert_eq!(taken[2], (5, Err(libc::EINVAL)), "{taken:?}");
}

#[test]
fn a_linked_time_limit_that_is_not_needed_is_cancelled_and_the_chain_goes_on() {
    let time = Timespec::from(LONG);
    let mut ring = ring(8);
    push(&mut ring, nop(0, LINK));
    push(&mut ring, unsafe { LinkTimeout::new(&raw const time) }.user_data(1).flags(LINK));
    push(&mut ring, nop(2, NO));
    assert_eq!(take_sorted(&mut ring, 3), [(0, Ok(0)), (1, CANCELED), (2, Ok(0))]);
}

#[test]
fn a_linked_time_limit_that_is_up_cancels_its_request_and_what_follows() {
    let (reader, _writer) = pipe();
    let time = Timespec::from(Duration::from_millis(5));
    let mut ring = ring(8);
    push(&mut ring, unsafe { PollAdd::new(&reader, libc::EPOLLIN as u32) }.user_data(0).flags(LINK));
    push(&mut ring, unsafe { LinkTimeout::new(&raw const time) }.user_data(1).flags(LINK));
    push(&mut ring, nop(2, LINK));
    push(&mut ring, nop(3, NO));
    let expected = [(0, CANCELED), (1, Err(libc::ETIME)), (2, CANCELED), (3, CANCELED)];
    assert_eq!(take_sorted(&mut ring, 4), expected);
}

#[test]
fn each_request_of_a_chain_has_its_own_time_limit() {
    let (reader, mut writer) = pipe();
    let (long, short) = (Timespec::from(LONG), Timespec::from(Duration::from_millis(5)));
    let mut ring = ring(8);
    let poll = || unsafe { PollAdd::new(&reader, libc::EPOLLIN as u32) };
    // A pipe that nobody writes to, behind one that somebody has written to.
    let (silent, _end) = pipe();
    writer.write_all(b"x").unwrap();
    push(&mut ring, poll().user_data(0).flags(LINK));
    push(&mut ring, unsafe { LinkTimeout::new(&raw const long) }.user_data(1).flags(LINK));
    push(&mut ring, unsafe { PollAdd::new(&silent, libc::EPOLLIN as u32) }.user_data(2).flags(LINK));
    push(&mut ring, unsafe { LinkTimeout::new(&raw const short) }.user_data(3));
    let ready = Ok(libc::EPOLLIN as u32);
    let expected = [(0, ready), (1, CANCELED), (2, CANCELED), (3, Err(libc::ETIME))];
    assert_eq!(take_sorted(&mut ring, 4), expected);
}

#[test]
fn a_drained_request_comes_after_all_before_it_and_before_all_after_it() {
    let (reader, mut writer) = pipe();
    let mut bytes = [[0]; 2];
    let [first, second] = &mut bytes;
    let mut ring = ring(8);
    read(&mut ring, first, &reader, 0);
    push(&mut ring, nop(1, NO));
    push(&mut ring, nop(2, DRAIN));
    push(&mut ring, nop(3, NO));
    read(&mut ring, second, &reader, 4);
    assert_eq!(take(&mut ring, 1), [(1, Ok(0))]);
    nothing_is_there(&mut ring);
    writer.write_all(b"x").unwrap();
    let mut drained = take(&mut ring, 3);
    if !drains_start_in_order() {
        drained[1..].sort_unstable();
    }
    assert_eq!(drained, [(0, Ok(1)), (2, Ok(0)), (3, Ok(0))]);
    writer.write_all(b"y").unwrap();
    assert_eq!(take(&mut ring, 1), [(4, Ok(1))]);
    assert_eq!(bytes, [*b"x", *b"y"]);
}

#[test]
fn a_drain_inside_a_chain_holds_back_the_whole_chain() {
    let (reader, mut writer) = pipe();
    for position in 0..3 {
        let mut byte = [0];
        let mut ring = ring(8);
        read(&mut ring, &mut byte, &reader, 0);
        for nth in 0..3 {
            let drain = if nth == position { DRAIN } else { NO };
            let link = if nth == 2 { NO } else { LINK };
            push(&mut ring, nop(1 + nth, drain | link));
        }
        push(&mut ring, nop(4, NO));
        ring.submit().unwrap();
        nothing_is_there(&mut ring);
        writer.write_all(b"x").unwrap();
        let names: Vec<_> = take(&mut ring, 5).into_iter().map(|(name, _)| name).collect();
        if !drains_start_in_order() {
            let chain: Vec<_> = names.iter().filter(|&&name| name != 4).collect();
            assert_eq!((chain, names[0]), (vec![&0, &1, &2, &3], 0), "drain at {position}");
            continue;
        }
        assert_eq!(names, [0, 1, 2, 3, 4], "drain at {position}");
    }
}

#[test]
fn a_thousand_drained_requests_come_one_after_the_other() {
    let mut ring = ring(1024);
    for name in 0..1000 {
        push(&mut ring, nop(name, DRAIN));
    }
    let names: Vec<_> = take(&mut ring, 1000).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_chain_of_what_a_polled_ring_does_not_do_keeps_its_names() {
    let mut ring: Ring = built!(Ring::builder(128).iopoll());
    for name in 0..100 {
        push(&mut ring, Nop::new().user_data(name).flags(LINK));
    }
    // Kernels differ in whether such a ring does nothing; each request completes all the same, in order.
    let names: Vec<_> = take(&mut ring, 100).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, (0..100).collect::<Vec<_>>());
}

#[test]
fn drained_time_limits_with_limits_of_their_own_all_come() {
    let time = Timespec::from(Duration::from_millis(10));
    let mut ring = ring(8);
    for pair in 0..3 {
        let limit = unsafe { Timeout::new(&raw const time) };
        push(&mut ring, limit.user_data(2 * pair).flags(LINK | DRAIN));
        push(&mut ring, unsafe { LinkTimeout::new(&raw const time) }.user_data(2 * pair + 1));
    }
    let taken = take_sorted(&mut ring, 6);
    assert_eq!(taken.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5], "{taken:?}");
}

/// Submits a chain one of whose requests the kernel refuses at once, perhaps behind something that holds it up.
fn refused_in_a_chain(len: u64, broken: u64, more: SqeFlags, link_last: bool) {
    let (reader, mut writer) = pipe();
    let mut byte = [0];
    let mut ring = ring(8);
    let drained = more.contains(DRAIN);
    if drained {
        let first = unsafe { Read::new(&reader, byte.as_mut_ptr(), 1, 0) };
        push(&mut ring, first.user_data(42).flags(DRAIN));
    }
    for nth in 0..len {
        let flags = if nth != len - 1 || link_last { LINK | more } else { NO };
        let request: Sqe = if nth == broken { refused(nth, flags) } else { nop(nth, flags).into() };
        push(&mut ring, request);
    }
    assert_eq!(ring.submit().unwrap() as u64, len + u64::from(drained));
    writer.write_all(b"x").unwrap();
    for (name, result) in take(&mut ring, len as usize + usize::from(drained)) {
        let expected = match name {
            42 => Ok(1),
            name if name == broken => Err(libc::EINVAL),
            _ => CANCELED,
        };
        assert_eq!(result, expected, "{name} of {len}, {broken} broken, {more:?}, link {link_last}");
    }
    nothing_is_there(&mut ring);
}

#[test]
fn a_request_that_is_refused_cancels_its_chain_before_any_of_it_starts() {
    for len in 1..4 {
        for broken in 0..len {
            for more in [NO, HARD, DRAIN, HARD | DRAIN] {
                refused_in_a_chain(len, broken, more, false);
                refused_in_a_chain(len, broken, more, true);
            }
        }
    }
}
