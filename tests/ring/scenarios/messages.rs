//! Messages from ring to ring.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;

use tests::require;
use uring::op::ring::MsgRing;
use uring::{Op, Ring, Sqe, SqeFlags};

use super::common::*;

/// What a message names its ring by.
fn descriptor(ring: &Ring) -> OwnedFd {
    ring.as_fd().try_clone_to_owned().unwrap()
}

fn has_messages(ring: &Ring) -> bool {
    ring.probe().unwrap().supports(Op::MSG_RING)
}

#[test]
fn a_ring_sends_messages_to_itself() {
    let mut ring = ring(8);
    require!(has_messages(&ring), "Linux 5.18");
    let own = descriptor(&ring);
    for round in 0..4 {
        push(&mut ring, unsafe { MsgRing::new(&own, 10 + round, 5) }.user_data(round));
        assert_eq!(take_sorted(&mut ring, 2), [(round, Ok(0)), (10 + round, Ok(5))]);
    }
    nothing_is_there(&mut ring);
}

#[test]
fn a_message_ends_the_wait_of_a_ring_in_another_thread() {
    let mut from = ring(8);
    require!(has_messages(&from), "Linux 5.18");
    let plain = Ring::builder(8);
    let one_issuer = Ring::builder(8).single_issuer();
    let deferred = Ring::builder(8).single_issuer().defer_taskrun();
    for builder in [plain, one_issuer, deferred] {
        let (tell, told) = mpsc::channel();
        let waiting = std::thread::spawn(move || {
            // Made here: it is of use to this thread only.
            let mut to: Ring = match builder.build() {
                Ok(to) => to,
                Err(error) => return drop(tell.send(Err(error.to_string()))),
            };
            // A ring for one thread is disabled until that has used it.
            nops(&mut to, 0, 1);
            assert_eq!(take(&mut to, 1), [(0, Ok(0))]);
            tell.send(Ok(descriptor(&to))).unwrap();
            assert_eq!(take(&mut to, 3), [(7, Ok(0)), (8, Ok(1)), (9, Ok(2))]);
        });
        match told.recv().unwrap() {
            Ok(to) => {
                for nth in 0..3 {
                    push(&mut from, unsafe { MsgRing::new(&to, 7 + nth, nth as i32) }.user_data(nth));
                }
                assert_eq!(take_sorted(&mut from, 3), [(0, Ok(0)), (1, Ok(0)), (2, Ok(0))]);
                waiting.join().unwrap();
            }
            Err(error) => {
                waiting.join().unwrap();
                assert!(error.contains("does not know"), "{error}");
            }
        }
    }
}

#[test]
fn a_message_to_what_is_no_ring_is_refused_also_if_that_is_registered() {
    let mut ring = ring(8);
    require!(has_messages(&ring), "Linux 5.18");
    let null = std::fs::File::open("/dev/null").unwrap();
    ring.registrar().register_files(&[null.as_fd().into()]).unwrap();
    push(&mut ring, unsafe { MsgRing::new(&null, 1, 1) });
    // No ring can be registered as a file, so a message has no word for that.
    let mut registered: Sqe = unsafe { MsgRing::new(&null, 1, 1) }.flags(SqeFlags::FIXED_FILE).into();
    unsafe { registered.as_raw_mut() }.fd = 0;
    push(&mut ring, registered);
    assert_eq!(take(&mut ring, 2), [(0, Err(libc::EBADFD)); 2]);
}

#[test]
fn a_message_to_a_disabled_ring_is_refused_or_is_there_once_it_is_enabled() {
    let mut from = ring(8);
    require!(has_messages(&from), "Linux 5.18");
    let mut to: Ring = Ring::builder(8).disabled().build().unwrap();
    let named = descriptor(&to);
    push(&mut from, unsafe { MsgRing::new(&named, 7, 5) });
    let answer = take(&mut from, 1)[0].1;
    to.enable().unwrap();
    match answer {
        Ok(0) => assert_eq!(take(&mut to, 1), [(7, Ok(5))]),
        other => {
            assert_eq!(other, Err(libc::EBADFD));
            nothing_is_there(&mut to);
        }
    }
}
