//! Whole rings whose indices pass 2<sup>32</sup>: every way to submit, to wait and to take, against what the kernel
//! knows.

use std::mem::ManuallyDrop;
use std::time::Duration;

use uring_sys::{IORING_SETUP_NO_SQARRAY, IORING_SETUP_SQE_MIXED};

use super::*;
use crate::entry::{Cqe32, MixedCqe, MixedSqe, Sqe128};
use crate::error::Error;
use crate::op::ring::{Nop, Nop128};
use crate::ring::Wait;

const STEPS: u32 = 150;

/// A kind of ring.
struct Kind<S: Submission, C: Completion> {
    flags: u32,
    /// Whether each request completes once and takes one place of either queue, as those of `URingContext` do.
    counts: bool,
    request: fn(UserData) -> S,
    /// What there is to say of a completion beside its name.
    check: fn(&C),
}

/// A ring, and what has become of its requests.
struct Run<'a, S: Submission, C: Completion> {
    kind: &'a Kind<S, C>,
    kernel: Arc<Kernel>,
    /// Left alone when a test fails: what is wrong may keep it from ending.
    ring: ManuallyDrop<Ring<S, C>>,
    pushed: u64,
    taken: u64,
    refused: u32,
}

impl<S: Submission, C: Completion> Run<'_, S, C> {
    fn push(&mut self) {
        let request = (self.kind.request)(self.pushed);
        let (places, space) = (request.places(), self.ring.space() as u32);
        match self.ring.push(request) {
            Ok(()) => {
                assert!(space >= places);
                self.pushed += 1;
            }
            Err(refused) => {
                assert!(matches!(refused.error, Error::NoSpace));
                // A large entry needs one place more where the queue's end is between its two.
                assert!(space < if places == 1 { 1 } else { 3 }, "{space} places are free");
                assert_eq!(self.ring.space() as u32, space);
                self.refused += 1;
            }
        }
    }

    fn submit(&mut self) {
        let queued = self.ring.queued();
        assert_eq!(self.ring.submit().unwrap(), queued);
        assert_eq!(self.ring.queued(), 0);
    }

    fn wait(&mut self, chance: &mut Chance) {
        // In a ring of mixed ones a large completion may find no room in a queue that has some.
        let most = (self.pushed - self.taken).min(u64::from(if self.kind.counts { CQ_ENTRIES } else { 4 }));
        let wanted = chance.below(most as u32 + 1) as usize;
        let counted = self.kind.counts && chance.below(2) == 0;
        let completions = if counted { self.ring.wait_for::<true>(wanted) } else { self.ring.wait(wanted) };
        let seen: Vec<C> = completions.unwrap().collect();
        assert!(seen.len() >= if self.kind.counts { wanted } else { wanted.min(1) });
        assert_eq!(self.ring.queued(), 0);
        seen.iter().for_each(|cqe| self.take(cqe));
    }

    /// Waits for more than may come.
    fn wait_in_vain(&mut self) {
        let wait = Wait::new().timeout(Duration::ZERO);
        let seen: Vec<C> = self.ring.wait_with(CQ_ENTRIES as usize, &wait).unwrap().collect();
        seen.iter().for_each(|cqe| self.take(cqe));
    }

    /// Leaves some to the next iterator.
    fn take_some(&mut self, most: usize) {
        let seen: Vec<C> = self.ring.completions().unwrap().take(most).collect();
        seen.iter().for_each(|cqe| self.take(cqe));
    }

    fn take_one_by_one(&mut self, most: u32) {
        for _ in 0..most {
            match self.ring.next_completion() {
                Some(cqe) => self.take(&cqe),
                None => break,
            }
        }
    }

    fn peek(&mut self) {
        let taken = self.ring.stats().completed;
        let seen = self.ring.peek().unwrap().map(|cqe| cqe.first().user_data);
        assert!(seen.is_none_or(|user_data| user_data == self.taken));
        if self.kind.counts {
            assert_eq!(self.ring.stats().completed, taken);
            assert_eq!(seen.is_some(), self.ring.ready() > 0);
        }
    }

    fn take(&mut self, cqe: &C) {
        assert_eq!(cqe.first().user_data, self.taken, "completions come once each, and in their order");
        (self.kind.check)(cqe);
        self.taken += 1;
    }

    /// Compares what both sides know.
    fn compare(&self) {
        let (stats, state) = (self.ring.stats(), self.kernel.state());
        assert_eq!(stats.submitted, state.consumed);
        assert_eq!(stats.completed + self.ring.ready() as u64, state.posted);
        assert_eq!(self.ring.space() + self.ring.queued(), SQ_ENTRIES as usize);
        assert_eq!(self.ring.lost(), (0, 0));
        if self.kind.counts {
            assert_eq!(self.pushed - self.ring.queued() as u64, state.consumed);
            assert_eq!(stats.completed, self.taken);
            assert_eq!(u64::from(self.ring.reap.in_flight()), state.consumed - self.taken);
        }
    }

    fn step(&mut self, chance: &mut Chance) {
        match chance.below(10) {
            0..4 => (0..=chance.below(SQ_ENTRIES + 1)).for_each(|_| self.push()),
            4 => self.submit(),
            5 => self.wait(chance),
            6 => self.wait_in_vain(),
            7 => self.take_some(chance.below(4) as usize),
            8 => self.take_one_by_one(chance.below(4)),
            _ => {
                self.peek();
                let count = chance.below(4);
                self.kernel.complete(&mut self.kernel.state(), count);
            }
        }
    }
}

/// Runs rings that wrap after each of so many places, and drops half of them with requests in flight.
fn run<S: Submission, C: Completion>(kind: &Kind<S, C>) {
    for before in 0..=2 * CQ_ENTRIES {
        // A ring that rewinds has its front where an index is a multiple of its places.
        let rewinds = kind.flags & IORING_SETUP_SQ_REWIND != 0;
        let sq = if rewinds { 0_u32.wrapping_sub((before + 1) * SQ_ENTRIES) } else { u32::MAX - before };
        let kernel = Kernel::new(kind.flags, sq, u32::MAX - before);
        let mut ring: Ring<S, C> = kernel.ring();
        ring.reap.counts = kind.counts;
        let mut chance = Chance(u64::from(before));
        let mut run = Run { kind, kernel, ring: ManuallyDrop::new(ring), pushed: 0, taken: 0, refused: 0 };
        for _ in 0..STEPS + before {
            run.step(&mut chance);
            run.compare();
        }
        if before % 2 == 0 {
            run.submit();
            while run.taken < run.pushed {
                let seen: Vec<C> = run.ring.wait(1).unwrap().collect();
                seen.iter().for_each(|cqe| run.take(cqe));
            }
            run.compare();
        }
        assert!(run.refused > 0, "the queue was full");
        let Run { kernel, ring, .. } = run;
        drop(ManuallyDrop::into_inner(ring));
        let state = kernel.state();
        assert!(state.in_flight.is_empty() && state.held_back.is_empty(), "the drop has waited for all");
        drop(state);
        assert!(
            kernel.load(SQ_TAIL) < u32::MAX / 2 && kernel.load(CQ_HEAD) < u32::MAX / 2,
            "both have wrapped"
        );
    }
}

fn small(user_data: UserData) -> Sqe {
    Nop::new().user_data(user_data).into()
}

fn mixed(user_data: UserData) -> MixedSqe {
    if is_large(user_data) { Nop128::new().user_data(user_data).into() } else { small(user_data).into() }
}

fn extra(user_data: UserData) -> [u64; 2] {
    [!user_data, 0]
}

fn check_mixed(cqe: &MixedCqe) {
    assert_eq!(cqe.extra(), is_large(cqe.user_data()).then(|| extra(cqe.user_data())));
}

#[test]
fn a_ring_goes_on_past_2_to_the_32() {
    run::<Sqe, Cqe>(&Kind { flags: 0, counts: true, request: small, check: |_| {} });
    run::<Sqe, Cqe>(&Kind { flags: 0, counts: false, request: small, check: |_| {} });
}

#[test]
fn a_ring_of_large_entries_goes_on_past_2_to_the_32() {
    run::<Sqe128, Cqe32>(&Kind {
        flags: IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
        counts: true,
        request: |user_data| small(user_data).into(),
        check: |cqe| assert_eq!(cqe.extra(), extra(cqe.user_data())),
    });
}

#[test]
fn a_ring_of_mixed_entries_goes_on_past_2_to_the_32() {
    run::<MixedSqe, Cqe>(&Kind {
        flags: IORING_SETUP_SQE_MIXED,
        counts: false,
        request: mixed,
        check: |_| {},
    });
    run::<MixedSqe, MixedCqe>(&Kind {
        flags: IORING_SETUP_SQE_MIXED | IORING_SETUP_CQE_MIXED,
        counts: false,
        request: mixed,
        check: check_mixed,
    });
}

#[test]
fn a_ring_that_rewinds_goes_on_past_2_to_the_32() {
    let flags = IORING_SETUP_SQ_REWIND | IORING_SETUP_NO_SQARRAY;
    run::<Sqe, Cqe>(&Kind { flags, counts: false, request: small, check: |_| {} });
    run::<MixedSqe, MixedCqe>(&Kind {
        flags: flags | IORING_SETUP_SQE_MIXED | IORING_SETUP_CQE_MIXED,
        counts: false,
        request: mixed,
        check: check_mixed,
    });
}
