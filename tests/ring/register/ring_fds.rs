//! Each thread has 16 places for descriptors of rings, which make an enter cheaper: a ring in use takes one and gives it
//! back, whatever else it is.

use std::os::fd::{AsFd, AsRawFd};

use tests::require;
use uring::op::ring::Nop;
use uring::{Op, RegisterOp, Restrictions, Ring};
use uring_sys::{
    IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS, io_uring_register, io_uring_rsrc_update,
};

use super::common::*;

const SLOTS: usize = 16;

/// How many places of this thread are free, by taking them all and giving them back; any ring will do.
fn free_slots(spare: &Ring) -> usize {
    let fd = spare.as_raw_fd();
    let call = |opcode, update: &mut io_uring_rsrc_update| unsafe {
        io_uring_register(fd, opcode, (&raw mut *update).cast(), 1) == 1
    };
    let mut taken = Vec::new();
    loop {
        let data = u64::from(fd.unsigned_abs());
        let mut update = io_uring_rsrc_update { offset: u32::MAX, data, ..Default::default() };
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
fn in_a_thread(test: impl FnOnce(&Ring) + Send) {
    std::thread::scope(|scope| scope.spawn(|| test(&ring(1))).join().unwrap());
}

fn used(mut ring: Ring) -> Ring {
    assert_eq!(run(&mut ring, Nop::new()), Ok(0));
    ring
}

#[test]
fn a_ring_in_use_takes_one_place_whatever_it_is_told() {
    require!(kernel_is_at_least(5, 18), "Linux 5.18");
    in_a_thread(|spare| {
        assert_eq!(free_slots(spare), SLOTS);
        let zero = std::fs::File::open("/dev/zero").unwrap();
        let ring = used(ring(4));
        for _ in 0..100 {
            let registrar = ring.registrar();
            registrar.register_files(&[zero.as_fd().into()]).unwrap();
            drop(registrar.register_owned_buffers(vec![vec![0; 10]]).unwrap());
            registrar.unregister_files().unwrap();
        }
        assert_eq!(free_slots(spare), SLOTS - 1);
        drop(ring);
        assert_eq!(free_slots(spare), SLOTS);
    });
}

#[test]
fn a_hundred_rings_of_each_kind_leave_all_places_free() {
    require!(kernel_is_at_least(6, 6), "Linux 6.6, where each kind is");
    in_a_thread(|spare| {
        let restrictions = || Restrictions::new().allow_op(Op::NOP);
        let without = || Ring::builder(4).no_mmap().registered_fd_only();
        for _ in 0..100 {
            drop(used(ring(4)));
            drop(used(Ring::builder(4).restrictions(restrictions()).build().unwrap()));
            drop(used(without().build().unwrap()));
            drop(used(without().restrictions(restrictions()).build().unwrap()));
            drop(used(Ring::builder(4).single_issuer().defer_taskrun().build().unwrap()));
            let (submissions, completions) = used(ring(4)).split().unwrap();
            std::thread::spawn(|| drop(completions)).join().unwrap();
            drop(submissions);
            let owner = used(ring(4)).registrar().register_owned_buffers(vec![vec![0; 10]]).unwrap();
            drop(owner);
        }
        assert_eq!(free_slots(spare), SLOTS);
    });
}

#[test]
fn a_ring_that_is_restricted_after_it_took_a_place_gives_it_back() {
    require!(kernel_is_at_least(5, 18), "Linux 5.18");
    in_a_thread(|spare| {
        let restrictions = Restrictions::new().allow_op(Op::NOP).allow_register(RegisterOp::REGISTER_FILES);
        for _ in 0..100 {
            let mut ring: Ring = Ring::builder(4).disabled().build().unwrap();
            nops(&mut ring, 0, 1);
            // Refused, since the ring is disabled; it takes a place all the same.
            assert!(ring.submit().is_err());
            ring.registrar().register_restrictions(&restrictions).unwrap();
            ring.enable().unwrap();
            assert_eq!(take(&mut ring, 1), [(0, Ok(0))]);
        }
        assert_eq!(free_slots(spare), SLOTS);
    });
}
