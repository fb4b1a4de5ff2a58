//! Random operations, faults and cancellations on all back ends, against a model.
//!
//! Each case makes an engine and a file, and takes a few hundred steps: operations of all sorts, with good and bad
//! descriptors, are added, cancelled, and taken in all ways; scopes run in between; the engine is dropped as it is and made
//! anew. Between engine and back end stands another one that shortens requests, refuses them, answers them with
//! errors or says that they have failed, delays completions and mixes them up, by a script that follows from a seed. No two operations
//! that change the same bytes are in flight at once, so what each comes to can be told exactly: from the script, from what
//! the back end has said, and from the model of the file. At the end nothing is left: neither places, nor buffers,
//! descriptors, threads or rings of kernel AIO.
//!
//! Each test runs cases until its share of [`LEAST`] operations is through. `ENGINE_PROPERTY_SECONDS=3600` has all of them
//! together run for that long instead, each for its share, with new seeds all the time. `PROPERTY_CASES` (or
//! `PROPTEST_CASES`) sets how many cases each test runs; `PROPTEST_RNG_SEED` repeats a run. A case that fails is shrunk and
//! printed with its seed.

mod ending;
mod faulty;
mod fold;
mod judge;
mod memory;
mod model;
mod plan;
mod run;
mod scoped;
mod script;
mod shorter;
mod strategy;
mod subject;
mod watchdog;
mod wording;
mod world;

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use tests::files::{TempFile, aio_rings};
use tests::or_skip;

use crate::model::Verdict;
use crate::plan::{Kind, Plan};
use crate::run::Run;
use crate::strategy::plan;
use crate::subject::{FaultyAio, FaultyThreads, FaultyUring, Plain, Subject};
use crate::watchdog::Watchdog;

/// How many operations all tests together complete at least, if nobody wishes otherwise.
const LEAST: u64 = 100_000;
/// After so many cases the operations are counted.
const ROUND: u32 = 10;

/// Held while a case runs: descriptors, threads and rings are counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn number(names: &[&str]) -> Option<u64> {
    let wish = names.iter().find_map(|name| std::env::var(name).ok());
    wish.map(|wish| wish.parse().expect("a number"))
}

/// Runs cases until there are enough for a share in percent, and reports the first that fails, shrunk.
#[track_caller]
fn check<S: Subject>(kind: Kind, share: u64) {
    let cases = number(&["PROPERTY_CASES", "PROPTEST_CASES"]);
    let seconds = number(&["ENGINE_PROPERTY_SECONDS"]);
    let config = Config {
        cases: cases.map_or(ROUND, |cases| cases as u32),
        failure_persistence: None,
        max_shrink_iters: 5000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let (spent, operations, tries) = (Cell::new(Duration::ZERO), Cell::new(0), Cell::new(1));
    loop {
        let result = TestRunner::new(config.clone()).run(&plan(kind), |plan| {
            for _ in 0..tries.get() {
                // It shrinks after the first one that fails, and what depends on what comes first may go well once.
                let (count, time) = case::<S>(&plan).inspect_err(|_| tries.set(3))?;
                operations.set(operations.get() + count);
                spent.set(spent.get() + time);
            }
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(reason, plan)) => panic!("{reason}\nThe smallest case found: {plan}"),
            Err(error) => panic!("{error}"),
        }
        let enough = match seconds {
            Some(seconds) => spent.get() >= Duration::from_secs(seconds) * share as u32 / 100,
            None => cases.is_some() || operations.get() >= LEAST * share / 100,
        };
        if enough {
            break;
        }
    }
    let name = std::any::type_name::<S>().rsplit("::").next().expect("a name");
    // Not through the capture of the harness: it is to be seen in a run that passes.
    let _ = writeln!(
        std::io::stderr(),
        "{} operations, {kind:?}, {name}, in {:.1} s",
        operations.get(),
        spent.get().as_secs_f64()
    );
}

/// Looks whether there is direct I/O, and not while descriptors are counted.
fn has_direct_io() -> Result<(), String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    TempFile::new(4096).direct().map(drop)
}

/// What a case is to leave as it was.
fn census() -> (usize, usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").expect("/proc/self/fd").count();
    (descriptors, engine_threads(), aio_rings())
}

/// Threads of an engine. Those that were joined may be there for a moment.
fn engine_threads() -> usize {
    let count = || {
        let tasks = fs::read_dir("/proc/self/task").expect("/proc/self/task");
        let name = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        tasks.filter_map(Result::ok).filter(|task| name(task).starts_with("engine ")).count()
    };
    let begin = Instant::now();
    while count() > 0 && begin.elapsed() < Duration::from_secs(10) {
        std::thread::yield_now();
    }
    count()
}

/// Runs a case and returns how many operations it had, and how long they took.
fn case<S: Subject>(plan: &Plan) -> Verdict<(u64, Duration)> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (watchdog, begin) = (Watchdog::new(plan), Instant::now());
    let before = census();
    let mut run = Run::<S>::new(plan)?;
    for (nth, step) in plan.steps.iter().enumerate() {
        watchdog.step.store(nth, std::sync::atomic::Ordering::Relaxed);
        run.step(step)?;
    }
    run.finish(plan.drain)?;
    let operations = run.state.accepted;
    drop(run);
    prop_assert_eq!(census(), before, "descriptors, threads, rings of kernel AIO");
    Ok((operations, begin.elapsed()))
}

#[test]
fn every_operation_on_a_faulty_uring_ends_once_and_as_the_model_says() {
    check::<FaultyUring>(Kind::Buffered, 25);
}

#[test]
fn every_operation_of_direct_io_on_a_faulty_uring_ends_once_and_as_the_model_says() {
    or_skip!(has_direct_io());
    check::<FaultyUring>(Kind::Direct, 5);
}

#[test]
fn every_operation_on_a_faulty_aio_ends_once_and_as_the_model_says() {
    check::<FaultyAio>(Kind::Buffered, 20);
}

#[test]
fn every_operation_of_direct_io_on_a_faulty_aio_ends_once_and_as_the_model_says() {
    or_skip!(has_direct_io());
    check::<FaultyAio>(Kind::Direct, 5);
}

#[test]
fn every_operation_on_faulty_threads_ends_once_and_as_the_model_says() {
    check::<FaultyThreads>(Kind::Buffered, 20);
}

#[test]
fn every_operation_on_any_back_end_ends_once_and_as_the_model_says() {
    check::<Plain>(Kind::Buffered, 20);
}

#[test]
fn every_operation_of_direct_io_on_any_back_end_ends_once_and_as_the_model_says() {
    or_skip!(has_direct_io());
    check::<Plain>(Kind::Direct, 5);
}
