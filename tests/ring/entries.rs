//! Entries and completions of all sizes.

use tests::kernel::is_at_least;
use tests::require;
use uring::op::ring::{MsgRing, Nop};
use uring::{Cqe32, CqeFlags, Error, MixedCqe, MixedSqe, Ring, Sqe, Sqe128, SqeFlags};

use crate::common::{nops, ring, take};

#[test]
fn a_ring_takes_as_many_requests_as_it_has_places_and_gives_the_next_one_back() {
    let mut ring = ring(10);
    assert_eq!(ring.entries(), (16, 32));
    nops(&mut ring, 0, 16);
    assert_eq!((ring.space(), ring.queued()), (0, 16));
    let refused = ring.push(Nop::new().user_data(99)).unwrap_err();
    assert!(matches!(refused.error, Error::NoSpace));
    assert_eq!(refused.entry.user_data(), 99);
    let expected: Vec<_> = (0..16).map(|name| (name, Ok(0))).collect();
    assert_eq!(take(&mut ring, 16), expected);
    ring.push(refused.entry).unwrap();
    assert_eq!(take(&mut ring, 1), [(99, Ok(0))]);
    assert_eq!(ring.lost(), (0, 0));
}

#[test]
fn the_next_completion_is_there_whether_or_not_an_iterator_was_before_it() {
    let mut ring = ring(4);
    assert!(ring.next_completion().is_none());
    nops(&mut ring, 0, 3);
    ring.submit().unwrap();
    assert_eq!(ring.peek().unwrap().map(|cqe| cqe.user_data()), Some(0));
    let names: Vec<_> = std::iter::from_fn(|| ring.next_completion()).map(|cqe| cqe.user_data()).collect();
    assert_eq!(names, [0, 1, 2]);
}

#[test]
fn a_filled_place_keeps_nothing_of_the_request_before() {
    require!(is_at_least(5, 17), "Linux 5.17");
    let mut ring = ring(1);
    for _ in 0..3 {
        ring.push(Nop::new().user_data(1).flags(SqeFlags::CQE_SKIP_SUCCESS)).unwrap();
        ring.submit().unwrap();
        ring.push(Nop::new().user_data(2)).unwrap();
        assert_eq!(take(&mut ring, 1), [(2, Ok(0))], "the second one is not silent");
    }
}

#[test]
fn large_entries_and_large_completions_go_through() {
    require!(is_at_least(5, 19), "Linux 5.19");
    let mut ring: Ring<Sqe128, Cqe32> = Ring::new(4).unwrap();
    for round in 0..5 {
        nops(&mut ring, round * 4, 4);
        let names: Vec<_> =
            ring.wait(4).unwrap().map(|cqe| (cqe.user_data(), cqe.raw_result(), cqe.extra())).collect();
        let expected: Vec<_> = (0..4).map(|nth| (round * 4 + nth, 0, [0, 0])).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn completions_of_both_sizes_come_out_whole_and_without_fillers() {
    let ring = Ring::<Sqe, MixedCqe>::new(4);
    let mut ring = tests::or_skip!(ring);
    for round in 0..40u64 {
        // An odd number of places a round: large ones come to lie across the end in some of them.
        let large = round % 3 != 0;
        let nop = unsafe { large_nop(Nop::new().user_data(round).into(), large) };
        ring.push(nop).unwrap();
        let cqes: Vec<_> = ring.wait(1).unwrap().collect();
        let cqes = if cqes.is_empty() { ring.wait(1).unwrap().collect() } else { cqes };
        assert_eq!(cqes.len(), 1, "round {round}");
        assert_eq!((cqes[0].user_data(), cqes[0].raw_result()), (round, 0));
        assert_eq!(cqes[0].flags().contains(CqeFlags::LARGE), large, "round {round}");
        assert_eq!(cqes[0].extra().is_some(), large);
    }
}

/// Has a request that does nothing complete with 32 bytes.
unsafe fn large_nop(mut sqe: Sqe, large: bool) -> Sqe {
    if large {
        unsafe { sqe.as_raw_mut().__bindgen_anon_3.nop_flags = uring_sys::IORING_NOP_CQE32 };
    }
    sqe
}

#[test]
fn entries_of_both_sizes_lie_side_by_side() {
    let ring = Ring::<MixedSqe>::new(4);
    let mut ring = match ring {
        Ok(ring) => ring,
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            // Before 6.19. The text says what is missing.
            assert!(error.to_string().contains("SQE_MIXED"), "{error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    for round in 0..20 {
        ring.push(Nop::new().user_data(round)).unwrap();
        let large = Sqe128::from(Nop::new().user_data(100 + round));
        let mut large = large;
        unsafe { large.as_raw_mut().0.opcode = uring_sys::IORING_OP_NOP128 as u8 };
        ring.push(MixedSqe::Large(large)).unwrap();
        assert_eq!(take(&mut ring, 2), [(round, Ok(0)), (100 + round, Ok(0))]);
    }
}

#[test]
fn a_peeked_completion_stays() {
    let mut ring = ring(4);
    assert!(ring.peek().unwrap().is_none());
    nops(&mut ring, 5, 2);
    ring.submit().unwrap();
    assert_eq!(ring.peek().unwrap().unwrap().user_data(), 5);
    assert_eq!(ring.peek().unwrap().unwrap().user_data(), 5);
    assert_eq!(ring.ready(), 2);
    assert_eq!(take(&mut ring, 2), [(5, Ok(0)), (6, Ok(0))]);
    assert!(ring.peek().unwrap().is_none());
}

#[test]
fn a_message_that_poses_as_a_filler_is_handed_out() {
    let (mut from, mut to) = (ring(4), ring(4));
    require!(is_at_least(6, 3), "Linux 6.3");
    let mut message: Sqe = unsafe { MsgRing::new(&to, 5, 6) }.pass_flags(CqeFlags::empty()).into();
    // The word of the flags.
    unsafe { message.as_raw_mut() }.__bindgen_anon_5.file_index = CqeFlags::SKIP.bits();
    from.push(message).unwrap();
    assert_eq!(take(&mut from, 1), [(0, Ok(0))]);
    assert_eq!(to.peek().unwrap().map(|cqe| cqe.user_data()), Some(5));
    assert_eq!(take(&mut to, 1), [(5, Ok(6))]);
}

#[test]
fn a_message_is_one_completion_of_the_size_that_the_ring_has() {
    let mut from = ring(4);
    require!(is_at_least(6, 3), "Linux 6.3");
    let mut to: Ring = Ring::builder(2).cq_entries(2).build().unwrap();
    // More than there is room for, so that some are held back.
    for name in 0..10 {
        let flags = CqeFlags::LARGE | CqeFlags::SKIP | CqeFlags::MORE;
        from.push(unsafe { MsgRing::new(&to, name, 7) }.pass_flags(flags)).unwrap();
        assert_eq!(take(&mut from, 1), [(0, Ok(0))]);
    }
    for name in 0..10 {
        let message = to.wait(1).unwrap().next().unwrap();
        assert_eq!((message.user_data(), message.flags()), (name, CqeFlags::MORE));
    }
    assert_eq!(to.completions().unwrap().count(), 0);
}

#[test]
fn completions_beyond_the_queue_are_let_in_as_room_is_made() {
    let mut ring: Ring = Ring::builder(8).cq_entries(8).build().unwrap();
    for round in 0..4 {
        nops(&mut ring, round * 8, 8);
        ring.submit().unwrap();
    }
    let mut names = Vec::new();
    while names.len() < 32 {
        let before = names.len();
        names.extend(ring.completions().unwrap().map(|cqe| cqe.user_data()));
        assert!(names.len() > before, "only {names:?} came");
    }
    assert_eq!(names, (0..32).collect::<Vec<_>>());
    assert_eq!(ring.lost().0, 0);
}
