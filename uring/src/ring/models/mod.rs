//! Every order in which a ring and a kernel can see one another's writes: `ci/loom.sh`.
//!
//! The ring is ours as it is, the queues and both halves; only its words and its entries are such that the model
//! checker sees them. Each model is run as it is, and then with each ordering of `index` in turn weaker than it is,
//! which it must not survive: an entry is read while it is written, or somebody sleeps for ever.

mod atomic;
mod kernel;

use std::mem::ManuallyDrop;

use loom::thread;

pub(super) use self::atomic::{AtomicU32, fence};
use self::atomic::{Weaker, Word, weaken};
use self::kernel::{ENTRIES, Kernel};
use super::enter::Limits;
use super::reap::Reap;
use super::wait::wait_apart;
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Completion, Sqe, WatchedCqe, WatchedSqe};

/// More requests than there are places.
const MANY: u64 = ENTRIES as u64 + 1;

/// Goes through the interleavings with up to two preemptions, in seconds; `LOOM_MAX_PREEMPTIONS` says otherwise.
fn check(model: fn(), weaker: Option<Weaker>) {
    weaken(weaker);
    let mut few = loom::model::Builder::new();
    few.preemption_bound.get_or_insert(2);
    few.check(model);
}

fn request(user_data: UserData) -> WatchedSqe {
    WatchedSqe(Sqe { user_data, ..Sqe::new(Op::NOP) })
}

/// One thread submits so many requests, and the kernel's consumes them.
fn submit(requests: u64) {
    let kernel = Kernel::new();
    let (mut submit, _reap) = kernel.halves();
    let poller = thread::spawn(move || {
        let mut consumed = Vec::new();
        kernel.poll(requests, |user_data| consumed.push(user_data));
        consumed
    });
    for user_data in 0..requests {
        while submit.push(request(user_data)).is_err() {
            submit.wait_for_room().unwrap();
        }
        assert_eq!(submit.submit().unwrap(), 1);
    }
    assert_eq!(poller.join().unwrap(), (0..requests).collect::<Vec<_>>());
    assert_eq!(submit.sq.consumed(), requests);
}

/// More than the queue has places for.
fn submissions() {
    submit(MANY);
}

/// As many as the queue has places for: nobody spins, so one who is not woken sleeps for ever.
fn wakeups() {
    submit(u64::from(ENTRIES));
}

/// The kernel posts more completions than there are places for, and one thread waits for each.
fn completions() {
    let (mut reap, poster) = posted(MANY);
    let mut taken = Vec::new();
    while taken.len() < MANY as usize {
        let completions = wait_apart(&mut reap, 1, &Limits::default()).unwrap();
        taken.extend(completions.map(|cqe| cqe.first().user_data));
    }
    assert_eq!(taken, (0..MANY).collect::<Vec<_>>());
    poster.join().unwrap();
    assert_eq!(reap.cq.taken(), MANY);
}

/// One thread takes completions one by one, without a wait.
fn single_completions() {
    let (mut reap, poster) = posted(u64::from(ENTRIES));
    drop(reap.completions().unwrap());
    for user_data in 0..u64::from(ENTRIES) {
        let cqe = loop {
            match reap.next_completion() {
                Some(cqe) => break cqe,
                None => thread::yield_now(),
            }
        };
        reap.publish();
        assert_eq!(cqe.first().user_data, user_data);
    }
    poster.join().unwrap();
}

fn posted(count: u64) -> (Reap<WatchedCqe>, thread::JoinHandle<()>) {
    let kernel = Kernel::new();
    let (_submit, reap) = kernel.halves();
    (reap, thread::spawn(move || (0..count).for_each(|user_data| kernel.post(user_data))))
}

/// One thread submits, waits, looks and takes.
fn ring() {
    let kernel = Kernel::new();
    // A model that fails has no kernel any more that would take a ring down.
    let mut ring = ManuallyDrop::new(kernel.ring());
    let poller = thread::spawn(move || kernel.poll(MANY, |user_data| kernel.post(user_data)));
    for user_data in 0..MANY {
        ring.push(request(user_data)).unwrap();
        drop(ring.wait(1).unwrap());
        assert_eq!(ring.peek().unwrap().map(|cqe| cqe.first().user_data), Some(user_data));
        assert_eq!(ring.next_completion().map(|cqe| cqe.first().user_data), Some(user_data));
        assert_eq!(ring.ready(), 0);
    }
    poller.join().unwrap();
    assert_eq!((ring.stats().submitted, ring.stats().completed), (MANY, MANY));
    assert_eq!(ring.reap.in_flight(), 0);
    // The poller is gone, so nothing could be taken down.
    drop(ManuallyDrop::into_inner(ring).into_halves());
}

/// One thread submits, and another one waits for all.
fn halves() {
    let kernel = Kernel::new();
    let (mut submit, mut reap) = kernel.halves();
    let poller = thread::spawn(move || kernel.poll(2, |user_data| kernel.post(user_data)));
    let taker = thread::spawn(move || {
        let completions = wait_apart(&mut reap, 2, &Limits::default()).unwrap();
        completions.map(|cqe| cqe.first().user_data).collect::<Vec<_>>()
    });
    for user_data in 0..2 {
        submit.push(request(user_data)).unwrap();
        submit.submit().unwrap();
    }
    poller.join().unwrap();
    assert_eq!(taker.join().unwrap(), [0, 1]);
}

/// `name: model` holds.
macro_rules! models {
    ($($name:ident: $model:ident;)*) => {$(
        #[test]
        fn $name() {
            check($model, None);
        }
    )*};
}

/// `name: model, weaker, failure`: without this ordering the model fails, and so.
macro_rules! mutants {
    ($($name:ident: $model:ident, $weaker:expr, $failure:literal;)*) => {$(
        #[test]
        #[should_panic(expected = $failure)]
        fn $name() {
            check($model, Some($weaker));
        }
    )*};
}

models! {
    every_request_reaches_a_polling_thread_that_may_sleep: submissions;
    a_polling_thread_that_sleeps_is_woken: wakeups;
    every_completion_is_taken_once: completions;
    every_completion_is_taken_one_by_one: single_completions;
    a_ring_submits_to_a_polling_thread_and_waits: ring;
    two_halves_and_a_polling_thread_lose_nothing: halves;
}

mutants! {
    a_relaxed_load_of_the_submission_head_races: submissions, Weaker::Load(Word::SqHead), "Causality violation";
    a_relaxed_store_of_the_submission_tail_races: submissions, Weaker::Store(Word::SqTail), "Causality violation";
    a_relaxed_load_of_the_completion_tail_races: completions, Weaker::Load(Word::CqTail), "Causality violation";
    a_relaxed_store_of_the_completion_head_races: completions, Weaker::Store(Word::CqHead), "Causality violation";
    no_fence_before_the_flags_lets_a_poller_sleep: wakeups, Weaker::NoFence, "deadlock";
    a_weak_fence_before_the_flags_lets_a_poller_sleep: wakeups, Weaker::AcqRelFence, "deadlock";
}
