//! Each thread can register 16 rings with the kernel, which makes an enter cheaper; contexts neither need that nor use it
//! up.

use std::os::fd::AsRawFd;
use std::sync::mpsc;

use tests::require;
use uring::URingContext;
use uring_sys::{
    IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS, io_uring_register, io_uring_rsrc_update,
};

use crate::common::*;

const SLOTS: usize = 16;

fn used(nr: usize) -> URingContext {
    let mut context = context(nr);
    nops(&mut context, 0, nr as u64);
    assert_eq!(all(&mut context).len(), nr);
    context
}

/// How many places of this thread are free, by taking them all and giving them back; any ring will do.
fn free_slots(ring: &URingContext) -> usize {
    let fd = ring.as_raw_fd();
    let call = |opcode, update: &mut io_uring_rsrc_update| unsafe {
        io_uring_register(fd, opcode, (&raw mut *update).cast(), 1) == 1
    };
    let mut taken = Vec::new();
    loop {
        let mut update = io_uring_rsrc_update {
            offset: u32::MAX,
            data: u64::from(fd.unsigned_abs()),
            ..Default::default()
        };
        if !call(IORING_REGISTER_RING_FDS, &mut update) {
            break;
        }
        taken.push(update.offset);
    }
    for &offset in &taken {
        let mut update = io_uring_rsrc_update { offset, ..Default::default() };
        assert!(call(IORING_UNREGISTER_RING_FDS, &mut update));
    }
    taken.len()
}

/// The places are a thread's, so each test has a thread of its own.
fn in_a_thread(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| scope.spawn(test).join().unwrap());
}

#[test]
fn a_context_in_use_takes_one_place_and_gives_it_back() {
    require!(kernel_is_at_least(5, 18), "no IORING_REGISTER_RING_FDS before 5.18");
    in_a_thread(|| {
        let spare = context(1);
        assert_eq!(free_slots(&spare), SLOTS);
        let first = used(4);
        assert_eq!(free_slots(&spare), SLOTS - 1);
        let second = used(4);
        assert_eq!(free_slots(&spare), SLOTS - 2);
        drop(first);
        assert_eq!(free_slots(&spare), SLOTS - 1);
        drop(second);
        assert_eq!(free_slots(&spare), SLOTS);
    });
}

#[test]
fn a_hundred_contexts_made_and_dropped_in_a_thread_leave_all_places_free() {
    require!(kernel_is_at_least(5, 18), "no IORING_REGISTER_RING_FDS before 5.18");
    in_a_thread(|| {
        let spare = context(1);
        for round in 0..100 {
            let context = used(4);
            if round % 2 == 0 {
                // Splitting and uniting registers no second time.
                let (submitter, completer) = context.split().unwrap();
                drop(submitter.reunite(completer).unwrap());
            }
        }
        assert_eq!(free_slots(&spare), SLOTS);
    });
}

#[test]
fn contexts_dropped_in_another_thread_leave_all_places_free() {
    require!(kernel_is_at_least(5, 18), "no IORING_REGISTER_RING_FDS before 5.18");
    in_a_thread(|| {
        let spare = context(1);
        let (send, receive) = mpsc::sync_channel::<URingContext>(0);
        let (dropped, wait) = mpsc::channel();
        let dropper = std::thread::spawn(move || {
            for context in receive {
                drop(context);
                dropped.send(()).unwrap();
            }
        });
        for _ in 0..100 {
            send.send(used(4)).unwrap();
            wait.recv().unwrap();
        }
        drop(send);
        dropper.join().unwrap();
        // The thread takes back what it owns when it uses its next context.
        let last = used(4);
        assert_eq!(free_slots(&spare), SLOTS - 1);
        drop(last);
        assert_eq!(free_slots(&spare), SLOTS);
    });
}

#[test]
fn more_contexts_than_places_work_side_by_side() {
    in_a_thread(|| {
        let mut contexts: Vec<_> = (0..3 * SLOTS).map(|_| used(2)).collect();
        for round in 0..3 {
            for context in &mut contexts {
                context.add_nop(round).unwrap();
                assert_eq!(one(context), (round, Ok(0)));
            }
        }
    });
}

#[test]
fn a_context_goes_from_thread_to_thread() {
    let mut context = used(4);
    for round in 0..10 {
        context = std::thread::spawn(move || {
            nops(&mut context, round, 4);
            assert_eq!(all(&mut context).len(), 4);
            // Others of this thread take the places that it had where it comes from.
            let others: Vec<_> = (0..3).map(|_| used(2)).collect();
            context.add_nop(77).unwrap();
            assert_eq!(one(&mut context), (77, Ok(0)));
            drop(others);
            context
        })
        .join()
        .unwrap();
    }
    nops(&mut context, 0, 4);
    assert_eq!(all(&mut context).len(), 4);
}

#[test]
fn threads_that_end_take_their_places_with_them() {
    let contexts: Vec<_> = (0..40).map(|_| std::thread::spawn(|| used(2)).join().unwrap()).collect();
    in_a_thread(move || {
        for mut context in contexts {
            context.add_nop(1).unwrap();
            assert_eq!(one(&mut context), (1, Ok(0)));
        }
    });
}
