//! A kernel of anonymous memory, for what the real one cannot be brought to: indices that wrap.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use uring_sys::{io_cqring_offsets, io_sqring_offsets, io_uring_params};

use super::core::Maps;
use super::cq::Cq;
use super::mapping::Mapping;
use super::sq::Sq;
use crate::codes::Op;
use crate::entry::{Cqe, MixedSqe, Sqe, Sqe128, SqeFlags, Submission};
use crate::error::Error;
use crate::fork::Gate;
use crate::op::ring::{Nop, Nop128};

const ENTRIES: u32 = 4;
const SQ_HEAD: u32 = 0;
const SQ_TAIL: u32 = 4;
const CQ_HEAD: u32 = 8;
const CQ_TAIL: u32 = 12;
const CQES: u32 = 64;

/// Consumes entries and posts a completion for each, as the real one does for a NOP.
struct Kernel {
    maps: Maps,
    gate: Gate,
}

impl Kernel {
    /// A ring whose indices start at `start`.
    fn new(start: u32) -> Self {
        Self::of(start, ENTRIES)
    }

    /// As [`new`](Self::new), with other sizes.
    fn of(start: u32, entries: u32) -> Self {
        let params = io_uring_params {
            sq_entries: entries,
            cq_entries: entries,
            sq_off: io_sqring_offsets { head: SQ_HEAD, tail: SQ_TAIL, ..Default::default() },
            cq_off: io_cqring_offsets { head: CQ_HEAD, tail: CQ_TAIL, cqes: CQES, ..Default::default() },
            ..Default::default()
        };
        let maps = Maps { rings: Mapping::anonymous(4096), sqes: Mapping::anonymous(4096), params };
        let kernel = Self { maps, gate: Gate::new().unwrap() };
        for index in [SQ_HEAD, SQ_TAIL, CQ_HEAD, CQ_TAIL] {
            kernel.index(index).store(start, Ordering::Relaxed);
        }
        kernel
    }

    fn queues<S: Submission>(&self) -> (Sq<S>, Cq<Cqe>) {
        // SAFETY: the offsets are those that this kernel uses, and each test keeps it to its end.
        let sq = unsafe { Sq::new(&self.maps, &self.gate) };
        // SAFETY: as above.
        let cq = unsafe { Cq::new(&self.maps) };
        (sq, cq)
    }

    fn index(&self, offset: u32) -> &AtomicU32 {
        let word: NonNull<AtomicU32> = self.maps.rings.at(offset).cast();
        // SAFETY: inside the mapping, aligned, and an atomic to all.
        unsafe { word.as_ref() }
    }

    /// Consumes up to `count` entries.
    fn enter(&self, count: u32) {
        let tail = self.index(SQ_TAIL).load(Ordering::Acquire);
        for _ in 0..count {
            let head = self.index(SQ_HEAD).load(Ordering::Relaxed);
            if head == tail {
                break;
            }
            let sqes: NonNull<Sqe> = self.maps.sqes.at(0).cast();
            // SAFETY: masked, so inside the mapping.
            let sqe = unsafe { sqes.add((head % self.maps.params.sq_entries) as usize) };
            // SAFETY: the queue has written the entry before it published the tail.
            let user_data = unsafe { sqe.as_ref() }.user_data;
            let posted = self.index(CQ_TAIL).load(Ordering::Relaxed);
            let cqes: NonNull<Cqe> = self.maps.rings.at(CQES).cast();
            // SAFETY: masked, so inside the mapping.
            let cqe = unsafe { cqes.add((posted % self.maps.params.cq_entries) as usize) };
            // SAFETY: the tests never let more completions wait than there are places.
            unsafe { cqe.write(Cqe { user_data, res: 0, flags: 0 }) };
            self.index(CQ_TAIL).store(posted.wrapping_add(1), Ordering::Release);
            self.index(SQ_HEAD).store(head.wrapping_add(1), Ordering::Release);
        }
    }
}

fn add<S: Submission>(sq: &mut Sq<S>, user_data: u64) -> Result<(), Error> {
    let position = sq.vacancy()?;
    // SAFETY: `position` is fresh from `vacancy`.
    unsafe { sq.push(position, S::small(Sqe { user_data, ..Sqe::new(Op::NOP) })) };
    Ok(())
}

#[test]
fn indices_that_pass_2_to_the_32_lose_and_double_nothing() {
    for before in 0..=2 * ENTRIES {
        let kernel = Kernel::new(u32::MAX - before);
        let (mut sq, mut cq) = kernel.queues::<Sqe>();
        let (mut added, mut taken) = (0, 0);
        for round in 0..4 * ENTRIES {
            while sq.queued() < ENTRIES {
                add(&mut sq, added).unwrap();
                added += 1;
            }
            assert!(matches!(add(&mut sq, u64::MAX), Err(Error::NoSpace)));
            // Short submits of every size.
            assert_eq!(sq.publish(), ENTRIES);
            let consumed = 1 + round % ENTRIES;
            kernel.enter(consumed);
            assert_eq!(sq.queued(), ENTRIES - consumed);
            assert_eq!(cq.ready(), consumed);
            for _ in 0..consumed {
                // SAFETY: `ready` has just said so.
                assert_eq!(unsafe { cq.take() }.user_data, taken);
                taken += 1;
            }
            cq.publish();
            assert_eq!(cq.ready(), 0);
        }
        assert_eq!(sq.consumed(), taken);
        assert_eq!(cq.taken(), taken);
        assert!(kernel.index(SQ_HEAD).load(Ordering::Relaxed) < u32::MAX / 2, "the indices have wrapped");
    }
}

#[test]
fn discarded_entries_leave_room_for_as_many_across_the_wrap() {
    let kernel = Kernel::new(u32::MAX - 1);
    let (mut sq, _cq) = kernel.queues::<Sqe>();
    for round in 0..3 {
        for user_data in 0..u64::from(ENTRIES) {
            add(&mut sq, user_data).unwrap();
        }
        assert_eq!(sq.unpublished().collect::<Vec<_>>(), [0, 1, 2, 3]);
        sq.publish();
        assert_eq!(sq.unpublished().count(), 0);
        kernel.enter(round);
        sq.discard();
        assert_eq!(sq.queued(), 0);
    }
    assert_eq!(sq.consumed(), 3);
}

#[test]
fn queues_that_move_take_along_what_waits_across_the_wrap() {
    for before in 0..=2 * ENTRIES {
        for entries in [ENTRIES / 2, ENTRIES, 4 * ENTRIES] {
            let kernel = Kernel::new(u32::MAX - before);
            let (mut sq, mut cq) = kernel.queues::<Sqe>();
            for user_data in 0..5 {
                add(&mut sq, user_data).unwrap();
                sq.publish();
                kernel.enter(1);
                if user_data < 3 {
                    // SAFETY: it was posted.
                    assert_eq!(unsafe { cq.take() }.user_data, user_data);
                    cq.publish();
                }
            }
            add(&mut sq, 5).unwrap();
            add(&mut sq, 6).unwrap();
            assert_eq!((sq.queued(), cq.ready()), (2, 2));
            sq.publish();
            sq.withdraw();

            // As the real one does: it takes over the indices, and of the entries nothing.
            let next = Kernel::of(0, entries);
            for index in [SQ_HEAD, SQ_TAIL, CQ_HEAD, CQ_TAIL] {
                let value = kernel.index(index).load(Ordering::Relaxed);
                next.index(index).store(value, Ordering::Relaxed);
            }
            // SAFETY: both kernels stay to the end, and there is room for two of each.
            unsafe { sq.move_to(&next.maps, &next.gate) };
            // SAFETY: as above.
            unsafe { cq.move_to(&next.maps) };
            assert_eq!((sq.queued(), cq.ready(), sq.entries(), cq.entries()), (2, 2, entries, entries));
            assert_eq!((sq.consumed(), cq.taken()), (5, 3));
            assert_eq!(sq.room(), entries - 2);
            // What was there, and a queue more.
            let (mut added, mut taken) = (7, 3);
            for _ in 0..entries + 2 {
                // SAFETY: a completion is there, at first and after each round.
                assert_eq!(unsafe { cq.take() }.user_data, taken);
                taken += 1;
                cq.publish();
                sq.publish();
                next.enter(1);
                add(&mut sq, added).unwrap();
                added += 1;
            }
            assert_eq!((sq.consumed(), cq.taken()), (u64::from(entries) + 7, u64::from(entries) + 5));
        }
    }
}

#[test]
fn a_chain_goes_on_behind_the_filler_at_the_end_of_a_queue() {
    let kernel = Kernel::new(0);
    let (mut sq, _cq) = kernel.queues::<MixedSqe>();
    let linked = SqeFlags::IO_LINK;
    let large = |flags| MixedSqe::from(Nop128::new().flags(flags));
    sq.push_double(large(linked)).unwrap();
    assert_eq!(sq.link(), linked.bits());
    sq.publish();
    kernel.enter(2);
    assert_eq!(sq.link(), 0, "it is consumed");
    let position = sq.vacancy().unwrap();
    // SAFETY: fresh from `vacancy`.
    unsafe { sq.push(position, Nop::new().flags(linked).into()) };
    sq.push_double(large(SqeFlags::empty())).unwrap();
    assert_eq!(sq.link(), 0);
    let filler: NonNull<Sqe> = kernel.maps.sqes.at((ENTRIES - 1) * size_of::<Sqe>() as u32).cast();
    // SAFETY: inside of the mapping, and written by the queue.
    let filler = unsafe { filler.read() };
    assert_eq!((filler.op(), filler.flags()), (Op::NOP, linked | SqeFlags::CQE_SKIP_SUCCESS));
}

#[test]
fn a_large_entry_of_a_mixed_queue_is_none_whose_second_half_would_be_another() {
    let kernel = Kernel::new(0);
    let (mut sq, _cq) = kernel.queues::<MixedSqe>();
    let (error, entry) = sq.push_double(MixedSqe::Large(Sqe128::from(Nop::new()))).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    assert!(matches!(entry, MixedSqe::Large(_)));
    assert_eq!(sq.queued(), 0);
}
