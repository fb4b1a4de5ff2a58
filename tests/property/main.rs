//! Random sequences of operations, on both contexts, against a model built on `pread` and `pwrite`.
//!
//! Each case makes a context, a file and its mirror, and takes a few hundred steps: operations of all sorts, good and
//! bad, are added, submitted, cancelled; completions are taken in all ways. Every operation in flight has a part of
//! the file for itself, so each result can be told exactly: it is what `pread`, `pwrite` or `poll` says of the mirror
//! when the completion is taken. After each step the context's counts are compared with the model's, at the end the
//! file with its mirror.
//!
//! `PROPERTY_CASES` (or `PROPTEST_CASES`) sets how many cases each test runs; `PROPTEST_RNG_SEED` repeats a run.
//!
//! # Safety of the tests
//!
//! Adding an operation is `unsafe`. The buffers of a case are owned by its model and its world, which outlive the
//! context and look at a buffer only when its completion has been taken; so do the files.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "one argument holds for all of them, and stands above"
)]

mod driven;
mod ending;
mod judge;
mod memory;
mod model;
mod op;
mod placing;
mod plan;
mod run;
mod strategy;
mod watchdog;
mod world;

use std::cell::{Cell, RefCell};
use std::sync::{Mutex, PoisonError};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use tests::files::{TempFile, aio_rings};
use tests::or_skip;

use crate::driven::Driven;
use crate::model::{Tally, Verdict};
use crate::plan::{Kind, Plan};
use crate::run::Run;
use crate::strategy::plan;

/// How many operations each test completes at least, if nobody wishes otherwise.
const BUFFERED: u64 = 12_000;
/// Fewer, since each waits for the disk.
const DIRECT: u64 = 4_000;
/// After so many cases the operations are counted.
const ROUND: u32 = 10;

/// Held while a case has a context of kernel AIO: the rings that the process has mapped are counted.
static AIO: Mutex<()> = Mutex::new(());

/// Runs cases until there are enough, and reports the first that fails, shrunk.
#[track_caller]
fn check<C: Driven>(kind: Kind, least: u64) {
    let wish = ["PROPERTY_CASES", "PROPTEST_CASES"].iter().find_map(|name| std::env::var(name).ok());
    let wish = wish.map(|wish| wish.parse().expect("a number of cases"));
    let config = Config {
        cases: wish.unwrap_or(ROUND),
        failure_persistence: None,
        max_shrink_iters: 5000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let tally = RefCell::new(Tally::new());
    let tries = Cell::new(1);
    loop {
        let result = TestRunner::new(config.clone()).run(&plan(kind, C::IS_URING), |plan| {
            for _ in 0..tries.get() {
                case::<C>(&plan, &mut tally.borrow_mut()).inspect_err(|_| {
                    // It shrinks from now on, and what depends on what comes first may go well once.
                    tries.set(if C::IS_URING { 5 } else { 1 });
                })?;
            }
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(reason, plan)) => panic!("{reason}\nThe smallest case found: {plan}"),
            Err(error) => panic!("{error}"),
        }
        let completed: u64 = tally.borrow().values().sum();
        if wish.is_some() || completed >= least {
            break;
        }
    }
    for ((what, errno), count) in tally.into_inner() {
        println!("{count:8} {what}{}", errno.map_or(String::new(), |errno| format!(": errno {errno}")));
    }
}

fn case<C: Driven>(plan: &Plan, tally: &mut Tally) -> Verdict {
    let _alone = (!C::IS_URING).then(|| AIO.lock().unwrap_or_else(PoisonError::into_inner));
    let rings = || if C::IS_URING { 0 } else { aio_rings() };
    prop_assert_eq!(rings(), 0, "rings of kernel AIO before a case");
    let mut run = Run::<C>::new(plan)?;
    prop_assert_eq!(rings(), usize::from(!C::IS_URING));
    run.all(plan)?;
    drop(run.context.take());
    prop_assert_eq!(rings(), 0, "rings of kernel AIO are left behind");
    for (what, count) in run.model.tally {
        *tally.entry(what).or_default() += count;
    }
    Ok(())
}

#[test]
fn any_sequence_on_uring_does_what_pread_and_pwrite_do() {
    check::<uring::URingContext>(Kind::Buffered, BUFFERED);
}

#[test]
fn any_sequence_of_direct_io_on_uring_does_what_pread_and_pwrite_do() {
    or_skip!(TempFile::new(4096).direct());
    check::<uring::URingContext>(Kind::Direct, DIRECT);
}

#[test]
fn any_sequence_on_aio_does_what_pread_and_pwrite_do() {
    check::<aio::AioContext>(Kind::Buffered, BUFFERED);
}

#[test]
fn any_sequence_of_direct_io_on_aio_does_what_pread_and_pwrite_do() {
    or_skip!(TempFile::new(4096).direct());
    check::<aio::AioContext>(Kind::Direct, DIRECT);
}
