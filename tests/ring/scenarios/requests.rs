//! What users of other wrappers ask for or complain of.

use std::ffi::c_void;
use std::io::Write as _;
use std::time::Duration;

use tests::files::{self, TempFile};
use tests::in_child;
use tests::signals::Storm;
use uring::op::ring::Nop;
use uring::op::rw::Read;
use uring::ring::CompletionQueue;
use uring::{Cqe, Cqe32, CqeFlags, Features, Op, RegisterOp, Ring, Sqe, Sqe128, SqeFlags};

use super::common::*;
use super::named::all_exist;

/// A request or complaint, and the tests that stand for it.
///
/// `iou` is tokio-rs/io-uring, `lu` axboe/liburing, `rx` bytecodealliance/rustix.
#[rustfmt::skip]
const REQUESTS: [(&str, &[&str]); 15] = [
    ("a safe push; times that outlive the call: iou#60, #148, #156", &[
        "ring/scenarios/safe.rs::requests_that_name_nothing_are_made_and_pushed_by_safe_code",
        "uring/rules/slots.rs::timeouts_of_one_batch_keep_their_own_times",
    ]),
    ("a drop that waits: lu#525, #733, #1572", &[
        "ring/ends.rs::a_drop_waits_for_a_read_of_a_disk",
        "uring/late.rs::drop_waits_until_the_disk_has_answered_and_nothing_is_written_after_it",
    ]),
    ("queues that cannot be swapped: iou#71, #72", &[
        "ring/scenarios/requests.rs::rings_that_are_swapped_take_everything_with_them",
        "ring/halves.rs::halves_of_different_rings_do_not_make_one",
    ]),
    ("halves that are `Send`: iou#283, #110, #7, #46", &[
        "ring/scenarios/requests.rs::halves_are_owned_and_go_to_any_thread",
        "ring/halves.rs::one_thread_submits_while_the_other_takes",
    ]),
    ("bindings that keep up: iou#333, #307, #324, #322, #169", &[
        "sys/coverage.rs::every_define_enumerator_and_struct_of_the_io_uring_headers_is_bound",
    ]),
    ("headers newer than 6.13: rx#1634", &[
        "sys/coverage.rs::every_define_enumerator_and_struct_of_the_io_uring_headers_is_bound",
    ]),
    ("codes of a newer kernel: rx#1485", &["ring/scenarios/requests.rs::codes_that_have_no_name_yet_are_codes"]),
    ("register writes: rx#1545", &["ring/scenarios/requests.rs::register_takes_memory_that_it_may_write"]),
    ("entries that can be copied, of both sizes: rx#997", &[
        "ring/scenarios/requests.rs::completions_are_plain_data_and_entries_have_both_sizes",
    ]),
    ("completions that are stuck: iou#302, #247, #152, #349, #263", &[
        "ring/scenarios/requests.rs::completions_that_overflow_beside_a_polling_thread_come_without_a_submit",
        "ring/entries.rs::completions_beyond_the_queue_are_let_in_as_room_is_made",
        "uring/cooperative.rs::polls_that_overflow_all_come",
        "uring/deferred.rs::overflow_is_let_in",
    ]),
    ("a polling thread that is not woken: iou#197, #281, lu#541, #219", &[
        "ring/scenarios/requests.rs::a_polling_thread_that_falls_asleep_overlooks_nothing",
        "ring/setup.rs::a_polling_thread_takes_requests_and_is_woken_when_it_sleeps",
    ]),
    ("fields that nobody foresaw: iou#374, #344, #293, #264, #312", &[
        "ring/scenarios/requests.rs::every_byte_of_a_request_can_be_set_and_read",
        "ring/net/send.rs::sends_and_receives_may_wait_for_readiness_first",
        "ring/devices/ublk.rs::a_device_is_controlled_by_commands_of_80_bytes",
    ]),
    ("operations and helpers that are missing: iou#190, #293, #303, #256, #290", &[
        "ring/ops/poll.rs::a_poll_gets_other_events_and_another_name",
        "ring/net/command.rs::options_are_set_and_asked_for",
        "ring/setup.rs::huge_pages_are_used_or_their_lack_is_told",
        "ring/provided/rings.rs::buffers_are_used_up_and_given_back",
    ]),
    ("waits that hide signals and times: iou#90, #206, #262, lu#1280, #1360", &[
        "ring/scenarios/requests.rs::a_wait_under_signals_comes_back_with_what_it_waited_for",
        "ring/waits.rs::a_timeout_ends_a_wait_and_what_is_there_is_handed_out",
        "uring/rules/waiting.rs::signals_neither_end_a_timed_wait_nor_start_its_time_anew",
    ]),
    ("memory that is registered: iou#219, #221, lu#365", &[
        "uring/buffers.rs::a_limit_on_pinned_memory_is_named",
        "uring/buffers.rs::dropped_contexts_leave_no_memory_pinned",
    ]),
];

#[test]
fn every_test_that_stands_for_a_request_exists() {
    all_exist(tests::test_name!(), REQUESTS.iter().flat_map(|(_, tests)| tests.iter().copied()));
}

#[test]
fn rings_that_are_swapped_take_everything_with_them() {
    let (reader, mut writer) = pipe();
    let mut byte = [0];
    let (mut one, mut other) = (ring(4), ring(8));
    read(&mut one, &mut byte, &reader, 1);
    one.submit().unwrap();
    nops(&mut other, 2, 1);
    std::mem::swap(&mut one, &mut other);
    assert_eq!((one.entries(), other.entries()), ((8, 16), (4, 8)));
    assert_eq!(take(&mut one, 1), [(2, Ok(0))]);
    writer.write_all(b"x").unwrap();
    assert_eq!(take(&mut other, 1), [(1, Ok(1))]);
}

#[test]
fn halves_are_owned_and_go_to_any_thread() {
    fn takes_all(mut completions: CompletionQueue) -> Vec<u64> {
        let mut names = Vec::new();
        while names.len() < 100 {
            names.extend(completions.wait(1).unwrap().map(|cqe| cqe.user_data()));
        }
        names
    }
    // Made by a function that has ended by then, and for ever: no scope, no reference.
    let halves = || ring(8).split().unwrap();
    let (mut submissions, completions) = halves();
    let taking = std::thread::spawn(move || takes_all(completions));
    let submitting = std::thread::spawn(move || {
        for name in 0..100 {
            while submissions.push(nop(name, SqeFlags::default())).is_err() {
                submissions.submit().unwrap();
            }
        }
        submissions.submit().unwrap();
    });
    submitting.join().unwrap();
    // Before 6.1 what has room may come before what had none.
    let mut names = taking.join().unwrap();
    names.sort_unstable();
    assert_eq!(names, (0..100).collect::<Vec<_>>());
}

#[test]
fn codes_that_have_no_name_yet_are_codes() {
    for code in 0..=u8::MAX {
        let op = Op::new(code);
        assert_eq!((op.code(), op.name().is_some()), (code, Op::ALL.contains(&op)));
        assert!(!format!("{op:?}").is_empty());
    }
    assert_eq!(format!("{:?} {:?}", Op::new(250), RegisterOp::new(9999)), "Op(250) RegisterOp(9999)");
    assert!(!ring(1).probe().unwrap().supports(Op::new(250)));
}

#[test]
fn register_takes_memory_that_it_may_write() {
    let _: unsafe fn(i32, u32, *mut c_void, u32) -> i32 = uring_sys::io_uring_register;
}

#[test]
fn completions_are_plain_data_and_entries_have_both_sizes() {
    fn is_copy<T: Copy + Send + 'static>() -> usize {
        size_of::<T>()
    }
    assert_eq!((is_copy::<Cqe>(), is_copy::<Cqe32>()), (16, 32));
    // A request is for one push, so it is not copied.
    assert_eq!((size_of::<Sqe>(), size_of::<Sqe128>()), (64, 128));
    // What was taken may be kept, also longer than the ring.
    let mut ring = ring(4);
    nops(&mut ring, 1, 3);
    let kept: Vec<Cqe> = ring.wait(3).unwrap().collect();
    drop(ring);
    assert_eq!(kept.iter().map(Cqe::user_data).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn completions_that_overflow_beside_a_polling_thread_come_without_a_submit() {
    let builder = Ring::<Sqe>::builder(8).cq_entries(8).sqpoll(Duration::from_millis(10));
    let mut ring = built!(builder);
    for name in 0..40 {
        if ring.space() == 0 {
            ring.wait_for_space().unwrap();
        }
        nops(&mut ring, name, 1);
        ring.submit().unwrap();
    }
    let mut names = Vec::new();
    while names.len() < 40 {
        names.extend(ring.completions().unwrap().map(|cqe| cqe.user_data()));
        std::thread::yield_now();
    }
    // As above: the thread may still be at work when there is room again.
    names.sort_unstable();
    assert_eq!(names, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_polling_thread_that_falls_asleep_overlooks_nothing() {
    let mut ring: Ring = built!(Ring::builder(4).sqpoll(Duration::from_millis(1)));
    for round in 0..300 {
        nops(&mut ring, round, 1);
        ring.submit().unwrap();
        assert_eq!(take(&mut ring, 1), [(round, Ok(0))]);
        // About when it goes to sleep, sooner and later.
        std::thread::sleep(Duration::from_micros(800 + round * 2));
    }
}

#[test]
fn every_byte_of_a_request_can_be_set_and_read() {
    let raw =
        |sqe: &Sqe| -> [u8; 64] { unsafe { std::ptr::from_ref(sqe.as_raw()).cast::<[u8; 64]>().read() } };
    for (place, value) in (0..64).zip(1..) {
        let mut sqe: Sqe = Nop::new().into();
        let before = raw(&sqe);
        unsafe { std::ptr::from_mut(sqe.as_raw_mut()).cast::<u8>().add(place).write(value) };
        let after = raw(&sqe);
        assert_eq!(after[place], value);
        assert!((0..64).all(|other| other == place || before[other] == after[other]));
    }
    // And it is what the kernel gets: a read that was made of bytes.
    let file = TempFile::new(16);
    let mut bytes = [0; 16];
    let read: Sqe = unsafe { Read::new(file.file(), bytes.as_mut_ptr(), 16, 0) }.into();
    let mut ring = ring(4);
    push(&mut ring, unsafe { Sqe::from_raw(std::ptr::from_ref(read.as_raw()).read()) });
    assert_eq!(take(&mut ring, 1), [(0, Ok(16))]);
    files::check(&bytes, 0);
    // Flags keep bits that have no name.
    assert_eq!(SqeFlags::from_bits_retain(0x80).bits(), 0x80);
    assert_eq!(CqeFlags::from_bits_retain(1 << 9).bits(), 1 << 9);
    assert_eq!(Features::from_bits_retain(1 << 31).bits(), 1 << 31);
}

#[test]
fn a_wait_under_signals_comes_back_with_what_it_waited_for() {
    in_child!(|| {
        let (reader, writer) = pipe();
        let mut ring = ring(4);
        let _storm = Storm::every_millisecond();
        for round in 0..20 {
            let mut byte = [0];
            read(&mut ring, &mut byte, &reader, round);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(5));
                    (&writer).write_all(b"x").unwrap();
                });
                // It submits as well, after which the kernel does not tell of a signal.
                let names: Vec<_> = ring.wait(1).unwrap().map(|cqe| cqe.user_data()).collect();
                assert_eq!(names, [round]);
            });
        }
        assert!(Storm::received() > 0, "there were signals");
    });
}
