//! Every interleaving of what races: `RUSTFLAGS="--cfg loom" cargo test -p engine --release --features tokio --lib models`.

use std::sync::Arc as StdArc;
use std::task::{Wake, Waker};

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Notify};
use loom::thread;

use super::bell::Bell;
use super::gate::Gate;
use super::handover::Handover;
use crate::slots::Slots;
use crate::sync::{Mutex, Ordering, lock};
use crate::trace::Trace;

/// Up to three preemptions: more have found nothing, in minutes.
fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// What a task sleeps on.
struct Sleep(Notify);

impl Wake for Sleep {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

fn sleep() -> (StdArc<Sleep>, Waker) {
    let sleep = StdArc::new(Sleep(Notify::new()));
    (sleep.clone(), Waker::from(sleep))
}

/// For whoever is not expected to be woken.
fn nobody() -> Waker {
    Waker::noop().clone()
}

/// A result that only the handover guards.
struct Result {
    handover: Handover,
    value: UnsafeCell<u32>,
}

/// As a future has it that was polled once.
fn result() -> Arc<Result> {
    Arc::new(Result { handover: Handover::new(nobody()), value: UnsafeCell::new(0) })
}

fn land(result: &Result) {
    // SAFETY: loom checks that nobody else uses it.
    result.value.with_mut(|value| unsafe { *value = 7 });
    if let Some(waker) = result.handover.finish() {
        waker.wake();
    }
}

fn wait(result: &Result) -> u32 {
    let (sleep, waker) = sleep();
    while !result.handover.poll(&waker) {
        sleep.0.wait();
    }
    // SAFETY: loom checks that nobody else uses it.
    result.value.with(|value| unsafe { *value })
}

#[test]
fn a_future_that_is_polled_while_its_operation_lands_sees_the_result() {
    model(|| {
        let result = result();
        let engine = thread::spawn({
            let result = result.clone();
            move || land(&result)
        });
        assert_eq!(wait(&result), 7);
        engine.join().unwrap();
    });
}

#[test]
fn a_future_that_moves_to_another_task_wakes_that_one() {
    model(|| {
        let result = result();
        let engine = thread::spawn({
            let result = result.clone();
            move || land(&result)
        });
        let _ = result.handover.poll(&nobody());
        let task = thread::spawn({
            let result = result.clone();
            move || wait(&result)
        });
        assert_eq!(task.join().unwrap(), 7);
        engine.join().unwrap();
    });
}

#[test]
fn what_is_rung_for_is_never_slept_through() {
    model(|| {
        let desk = Arc::new((Bell::new(), Mutex::new(0)));
        let tasks = [1, 2].map(|times| {
            let desk = desk.clone();
            thread::spawn(move || {
                for _ in 0..times {
                    *lock(&desk.1) += 1;
                    desk.0.ring();
                }
            })
        });
        let (sleep, waker) = sleep();
        loop {
            desk.0.listen(&waker);
            desk.0.answer();
            if *lock(&desk.1) == 3 {
                break;
            }
            sleep.0.wait();
        }
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn what_gets_in_before_the_end_is_done_and_nothing_gets_in_after_it() {
    model(|| {
        // What is inside counts what is in flight.
        let shared = Arc::new((Gate::new(0), Bell::new()));
        let task = thread::spawn({
            let shared = shared.clone();
            move || {
                let added = shared.0.enter((), |in_flight, ()| *in_flight += 1).is_ok();
                if added {
                    shared.1.ring();
                }
                usize::from(added)
            }
        });
        let closer = thread::spawn({
            let shared = shared.clone();
            move || {
                shared.0.close();
                shared.1.ring();
            }
        });
        let (sleep, waker) = sleep();
        let mut done = 0;
        loop {
            shared.1.listen(&waker);
            shared.1.answer();
            let over = shared.0.visit(|in_flight, closing| {
                done += std::mem::take(in_flight);
                closing
            });
            if over != Some(false) {
                break;
            }
            sleep.0.wait();
        }
        assert_eq!(shared.0.take(), Some(0));
        assert_eq!(shared.0.take(), None);
        assert_eq!(shared.0.enter((), |_, ()| ()), Err(()));
        assert_eq!(task.join().unwrap(), done);
        closer.join().unwrap();
    });
}

#[test]
fn the_engine_is_ended_by_one_though_two_want_to() {
    model(|| {
        let gate = Arc::new(Gate::new(()));
        let enders: Vec<_> = (0..2)
            .map(|_| {
                let gate = gate.clone();
                thread::spawn(move || usize::from(gate.take().is_some()))
            })
            .collect();
        let entered = gate.enter((), |(), ()| ());
        let enders: usize = enders.into_iter().map(|ender| ender.join().unwrap()).sum();
        assert_eq!(enders, 1);
        assert!(gate.is_closing() && (entered.is_ok() || entered.is_err()));
    });
}

#[test]
fn whoever_has_a_permit_finds_a_place_and_an_operation_without_a_future_goes_once() {
    model(|| {
        let live = StdArc::new(());
        let permits = Arc::new(loom::sync::atomic::AtomicUsize::new(1));
        let gate = Arc::new(Gate::new(Slots::new(1)));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let (permits, gate, operation) = (permits.clone(), gate.clone(), live.clone());
                thread::spawn(move || {
                    let permit = permits.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed);
                    if permit.is_ok() {
                        let added = gate.enter(operation, |slots, operation| {
                            slots
                                .vacancy()
                                .expect("there is a permit")
                                .place(operation)
                                .commit(Trace::none());
                        });
                        assert_eq!(added, Ok(()));
                    }
                    // The future is dropped here; the place keeps the operation.
                })
            })
            .collect();
        let done = gate.visit(|slots, _| {
            let name = slots.names().next()?;
            // SAFETY: a name is one of a place that is taken.
            Some(unsafe { slots.take(name as u32 as usize) })
        });
        if let Some(Some(_operation)) = done {
            permits.fetch_add(1, Ordering::AcqRel);
        }
        for task in tasks {
            task.join().unwrap();
        }
        let left = gate.take().map_or(0, |mut slots| {
            let left = slots.taken();
            slots.drain(drop);
            left
        });
        assert_eq!(permits.load(Ordering::Relaxed) + left, 1);
        assert_eq!(StdArc::strong_count(&live), 1);
    });
}
