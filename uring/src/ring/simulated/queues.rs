//! The two queues alone.

use uring_sys::IORING_SETUP_SQE_MIXED;

use super::*;
use crate::entry::{MixedSqe, Sqe128};
use crate::error::Error;
use crate::op::ring::{Nop, Nop128};
use crate::ring::cq::Cq;
use crate::ring::sq::Sq;

impl Kernel {
    fn queues<S: Submission>(&self, gate: &Gate) -> (Sq<S>, Cq<Cqe>) {
        // SAFETY: the offsets are those that this kernel uses, and each test keeps it and the gate to its end.
        let sq = unsafe { Sq::new(&self.maps, gate) };
        // SAFETY: as above.
        let cq = unsafe { Cq::new(&self.maps) };
        (sq, cq)
    }

    /// Consumes so many entries, and completes them.
    fn carry_out(&self, count: u32) {
        let mut state = self.state();
        self.consume(&mut state, count);
        self.complete(&mut state, count);
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
    for before in 0..=2 * SQ_ENTRIES {
        let start = u32::MAX - before;
        let (kernel, gate) = (Kernel::new(0, start, start), Gate::new().unwrap());
        let (mut sq, mut cq) = kernel.queues::<Sqe>(&gate);
        let (mut added, mut taken) = (0, 0);
        for round in 0..4 * SQ_ENTRIES {
            for _ in sq.queued()..SQ_ENTRIES {
                add(&mut sq, added).unwrap();
                added += 1;
            }
            assert!(matches!(add(&mut sq, u64::MAX), Err(Error::NoSpace)));
            // Short submits of every size.
            assert_eq!(sq.publish(), SQ_ENTRIES);
            let consumed = 1 + round % SQ_ENTRIES;
            kernel.carry_out(consumed);
            assert_eq!(sq.queued(), SQ_ENTRIES - consumed);
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
        assert!(kernel.load(SQ_HEAD) < u32::MAX / 2, "the indices have wrapped");
    }
}

#[test]
fn discarded_entries_leave_room_for_as_many_across_the_wrap() {
    let (kernel, gate) = (Kernel::new(0, u32::MAX - 1, u32::MAX - 1), Gate::new().unwrap());
    let (mut sq, _cq) = kernel.queues::<Sqe>(&gate);
    for round in 0..3 {
        for user_data in 0..u64::from(SQ_ENTRIES) {
            add(&mut sq, user_data).unwrap();
        }
        assert_eq!(sq.unpublished().collect::<Vec<_>>(), [0, 1, 2, 3]);
        sq.publish();
        assert_eq!(sq.unpublished().count(), 0);
        kernel.carry_out(round);
        sq.discard();
        assert_eq!(sq.queued(), 0);
    }
    assert_eq!(sq.consumed(), 3);
}

#[test]
fn queues_that_move_take_along_what_waits_across_the_wrap() {
    for before in 0..=2 * SQ_ENTRIES {
        for entries in [SQ_ENTRIES / 2, SQ_ENTRIES, 4 * SQ_ENTRIES] {
            let start = u32::MAX - before;
            let (kernel, gate) = (Kernel::new(0, start, start), Gate::new().unwrap());
            let (mut sq, mut cq) = kernel.queues::<Sqe>(&gate);
            for user_data in 0..5 {
                add(&mut sq, user_data).unwrap();
                sq.publish();
                kernel.carry_out(1);
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
            let next = Kernel::sized(0, (entries, 0), (entries, 0));
            for index in [SQ_HEAD, SQ_TAIL, CQ_HEAD, CQ_TAIL] {
                next.word(index).store(kernel.load(index), Ordering::Relaxed);
            }
            // SAFETY: both kernels and the gate stay to the end, and there is room for two of each.
            unsafe { sq.move_to(&next.maps, &gate) };
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
                next.carry_out(1);
                add(&mut sq, added).unwrap();
                added += 1;
            }
            assert_eq!((sq.consumed(), cq.taken()), (u64::from(entries) + 7, u64::from(entries) + 5));
        }
    }
}

#[test]
fn a_chain_goes_on_behind_the_filler_at_the_end_of_a_queue() {
    let (kernel, gate) = (Kernel::new(IORING_SETUP_SQE_MIXED, 0, 0), Gate::new().unwrap());
    let (mut sq, _cq) = kernel.queues::<MixedSqe>(&gate);
    let linked = SqeFlags::IO_LINK;
    let large = |flags| MixedSqe::from(Nop128::new().flags(flags));
    sq.push_double(large(linked)).unwrap();
    assert_eq!(sq.link(), linked.bits());
    sq.publish();
    kernel.carry_out(2);
    assert_eq!(sq.link(), 0, "it is consumed");
    let position = sq.vacancy().unwrap();
    // SAFETY: fresh from `vacancy`.
    unsafe { sq.push(position, Nop::new().flags(linked).into()) };
    sq.push_double(large(SqeFlags::empty())).unwrap();
    assert_eq!(sq.link(), 0);
    let filler: NonNull<Sqe> = kernel.maps.sqes.at((SQ_ENTRIES - 1) * size_of::<Sqe>() as u32).cast();
    // SAFETY: inside of the mapping, and written by the queue.
    let filler = unsafe { filler.read() };
    assert_eq!((filler.op(), filler.flags()), (Op::NOP, linked | SqeFlags::CQE_SKIP_SUCCESS));
}

#[test]
fn a_large_entry_of_a_mixed_queue_is_none_whose_second_half_would_be_another() {
    let (kernel, gate) = (Kernel::new(IORING_SETUP_SQE_MIXED, 0, 0), Gate::new().unwrap());
    let (mut sq, _cq) = kernel.queues::<MixedSqe>(&gate);
    let (error, entry) = sq.push_double(MixedSqe::Large(Sqe128::from(Nop::new()))).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    assert!(matches!(entry, MixedSqe::Large(_)));
    assert_eq!(sq.queued(), 0);
}
