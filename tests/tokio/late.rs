//! Operations that are in flight for as long as the test wants.

use std::sync::Arc;

use engine::BackendKind;
use engine::tokio::AsyncEngine;
use tests::files;
use tests::late::Disk;
use tests::or_skip;
use tokio::runtime::Runtime;

use crate::common::*;

/// Runs a case on each back end and in each kind of runtime, with a disk that answers when told to.
fn late(depth: usize, case: impl AsyncFn(AsyncEngine, &Disk)) -> Result<(), String> {
    each(|kind, runtime, disk| {
        run(runtime, async {
            let engine = engine(kind, depth);
            case(engine.clone(), disk).await;
            engine.close().await.unwrap();
        });
    })
}

fn each(case: impl Fn(BackendKind, &Runtime, &Disk)) -> Result<(), String> {
    for kind in KINDS {
        for runtime in runtimes() {
            // Dropped before the runtime, also by a panic: then nothing waits for the disk for ever.
            let disk = Disk::held(64 * BLOCK)?;
            case(kind, &runtime, &disk);
        }
    }
    Ok(())
}

/// Waits until that many requests are at the disk.
async fn at_the_disk(disk: &Disk, nr: usize) {
    until(|| disk.requests() >= nr).await;
}

#[test]
fn a_dropped_future_leaves_its_buffer_until_the_kernel_is_done() {
    or_skip!(late(1, async |engine, disk| {
        let census = Census::default();
        let file = Arc::new(disk.open());
        let mut read = Box::pin(engine.read_at(file.clone(), census.buffer(), 0));
        tokio::select! {
            biased;
            _ = &mut read => unreachable!("the disk holds it"),
            () = at_the_disk(disk, 1) => {}
        }
        drop(read);
        turns().await;
        assert_eq!((census.count(), engine.available()), (1, 0));
        assert_eq!(Arc::strong_count(&file), 2, "the file, too");
        disk.release();
        until(|| census.count() == 0 && engine.available() == 1).await;
        until(|| Arc::strong_count(&file) == 1).await;
        // And the place is there for the next one.
        let read = engine.read_at(file, census.buffer(), 4096).await.unwrap();
        files::check(&read.buffer.bytes, 4096);
    }));
}

#[test]
fn a_future_that_was_dropped_while_it_waited_swallows_no_turn() {
    or_skip!(late(1, async |engine, disk| {
        let census = Census::default();
        let file = Arc::new(disk.open());
        let read = |offset: u64| {
            let (engine, file, buffer) = (engine.clone(), file.clone(), census.buffer());
            tokio::spawn(async move {
                let read = engine.read_at(file, buffer, offset).await.unwrap();
                files::check(&read.buffer.bytes, offset);
            })
        };
        let first = read(0);
        at_the_disk(disk, 1).await;
        let second = read(4096);
        turns().await;
        let third = read(8192);
        turns().await;
        assert_eq!((census.count(), engine.available()), (3, 0));
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        assert_eq!(census.count(), 2, "what has not begun is dropped at once");
        disk.release();
        first.await.unwrap();
        third.await.unwrap();
        assert_eq!((disk.requests(), census.count()), (2, 0));
    }));
}

#[test]
fn waiters_have_their_turn_in_order() {
    or_skip!(late(1, async |engine, disk| {
        let file = Arc::new(disk.open());
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut reads = Vec::new();
        for nr in 0..8_u64 {
            let (engine, file, order) = (engine.clone(), file.clone(), order.clone());
            reads.push(tokio::spawn(async move {
                let buffer = engine::AlignedBuf::new(BLOCK);
                engine.read_at(file, buffer, nr * 4096).await.unwrap();
                order.lock().unwrap().push(nr);
            }));
            // The first is at the disk, or this one has begun to wait.
            turns().await;
            at_the_disk(disk, 1).await;
        }
        disk.release();
        for read in reads {
            read.await.unwrap();
        }
        let mut sorted = order.lock().unwrap().clone();
        sorted.sort_unstable();
        if tokio::runtime::Handle::current().metrics().num_workers() == 1 {
            assert_eq!(*order.lock().unwrap(), sorted);
        }
        assert_eq!(sorted.len(), 8);
    }));
}

#[test]
fn a_spurious_poll_changes_nothing() {
    or_skip!(late(1, async |engine, disk| {
        let file = Arc::new(disk.open());
        let mut first = Box::pin(engine.read_at(file.clone(), Census::default().buffer(), 0));
        let mut second = Box::pin(engine.read_at(file.clone(), Census::default().buffer(), 4096));
        for _ in 0..5 {
            tokio::select! {
                biased;
                _ = &mut first => unreachable!("the disk holds it"),
                _ = &mut second => unreachable!("there is one place"),
                () = turns() => {}
            }
        }
        at_the_disk(disk, 1).await;
        assert_eq!((disk.requests(), engine.available()), (1, 0));
        disk.release();
        let (first, second) = tokio::join!(first, second);
        files::check(&first.unwrap().buffer.bytes, 0);
        files::check(&second.unwrap().buffer.bytes, 4096);
    }));
}

#[test]
fn a_future_that_was_polled_in_one_task_resolves_in_another() {
    or_skip!(late(1, async |engine, disk| {
        let file = Arc::new(disk.open());
        let mine = engine.clone();
        let mut read = Box::pin(async move {
            let read = mine.read_at(file, Census::default().buffer(), 4096).await.unwrap();
            files::check(&read.buffer.bytes, 4096);
        });
        tokio::select! {
            biased;
            () = &mut read => unreachable!("the disk holds it"),
            () = at_the_disk(disk, 1) => {}
        }
        let elsewhere = tokio::spawn(read);
        turns().await;
        disk.release();
        elsewhere.await.unwrap();
    }));
}

#[test]
fn tasks_go_on_while_operations_are_in_flight_and_while_the_engine_closes() {
    or_skip!(late(2, async |engine, disk| {
        let file = Arc::new(disk.open());
        let reads = [0, 4096_u64].map(|offset| {
            let (engine, file) = (engine.clone(), file.clone());
            tokio::spawn(async move { engine.read_at(file, Census::default().buffer(), offset).await })
        });
        at_the_disk(disk, 2).await;
        let closing = tokio::spawn({
            let engine = engine.clone();
            async move { engine.close().await }
        });
        // Each of these is a turn of this task, while the disk holds everything.
        turns().await;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        assert!(engine.is_closed() && !closing.is_finished());
        assert_eq!(disk.answered(), 0);
        disk.release();
        for (read, offset) in reads.into_iter().zip([0, 4096]) {
            files::check(&read.await.unwrap().unwrap().buffer.bytes, offset);
        }
        closing.await.unwrap().unwrap();
    }));
}

#[test]
fn a_close_refuses_what_waits_and_what_comes_and_gives_the_buffers_back() {
    or_skip!(late(1, async |engine, disk| {
        let census = Census::default();
        let file = Arc::new(disk.open());
        let read = |buffer| {
            let (engine, file) = (engine.clone(), file.clone());
            tokio::spawn(async move { engine.read_at(file, buffer, 0).await })
        };
        let in_flight = read(census.buffer());
        at_the_disk(disk, 1).await;
        let waiting = read(census.buffer());
        turns().await;
        let closing = tokio::spawn({
            let engine = engine.clone();
            async move { engine.close().await }
        });
        for refused in [waiting.await.unwrap(), read(census.buffer()).await.unwrap()] {
            let failed = refused.unwrap_err();
            assert_eq!(failed.error.kind(), std::io::ErrorKind::BrokenPipe);
            assert_eq!(failed.buffer.bytes.len(), BLOCK);
        }
        assert_eq!((census.count(), disk.answered()), (1, 0));
        disk.release();
        files::check(&in_flight.await.unwrap().unwrap().buffer.bytes, 0);
        closing.await.unwrap().unwrap();
    }));
}

#[test]
fn a_runtime_that_goes_leaves_what_is_in_flight_to_be_done() {
    or_skip!(each(|kind, runtime, disk| {
        let census = Census::default();
        let file = Arc::new(disk.open());
        let alone = runtime.metrics().num_workers() == 1;
        let own = if alone { current_thread() } else { multi_thread() };
        let home = &multi_thread();
        let engine = own.block_on(async { engine(kind, 2) });
        // One future in the runtime that goes, one in another.
        let (mine, buffer, same) = (engine.clone(), census.buffer(), file.clone());
        own.spawn(async move { mine.read_at(same, buffer, 4096).await.map(drop) });
        let elsewhere = home.spawn({
            let (engine, file, buffer) = (engine.clone(), file.clone(), census.buffer());
            async move { engine.read_at(file, buffer, 8192).await }
        });
        run(&own, at_the_disk(disk, 2));
        drop(own);
        assert_eq!(census.count(), 2, "the kernel is not done with either");
        assert!(engine.is_closed());
        disk.release();
        run(home, async {
            files::check(&elsewhere.await.unwrap().unwrap().buffer.bytes, 8192);
            engine.close().await.unwrap();
            let refused = engine.read_at(file, census.buffer(), 0).await.unwrap_err();
            assert_eq!(refused.error.kind(), std::io::ErrorKind::BrokenPipe);
        });
        assert_eq!(census.count(), 0);
    }));
}

#[test]
fn the_last_handle_that_goes_ends_the_engine_when_all_is_done() {
    or_skip!(each(|kind, runtime, disk| {
        let census = Census::default();
        run(runtime, async {
            let engine = engine(kind, 1);
            let read = tokio::spawn({
                let (engine, file, buffer) = (engine.clone(), disk.open(), census.buffer());
                async move { engine.read_at(file, buffer, 0).await.map(drop) }
            });
            at_the_disk(disk, 1).await;
            drop(engine);
            read.abort();
            assert!(read.await.unwrap_err().is_cancelled());
            turns().await;
            assert_eq!(census.count(), 1);
            disk.release();
            until(|| census.count() == 0).await;
        });
    }));
}

#[test]
fn an_error_of_the_disk_comes_with_the_buffer_and_a_positive_errno() {
    or_skip!(late(1, async |engine, disk| {
        let census = Census::default();
        disk.fail_with(Some(libc::EIO));
        disk.release();
        let failed = engine.read_at(disk.open(), census.buffer(), 0).await.unwrap_err();
        assert_eq!(failed.error.raw_os_error(), Some(libc::EIO));
        assert_eq!((failed.transferred, census.count(), engine.available()), (0, 1, 1));
    }));
}

#[test]
fn an_operation_outlives_the_thread_that_has_submitted_it() {
    for kind in KINDS {
        let runtime = current_thread();
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let engine = runtime.block_on(async { engine(kind, 1) });
        let read = runtime.spawn({
            let (engine, file) = (engine.clone(), disk.open());
            async move { engine.read_at(file, Census::default().buffer(), 4096).await.unwrap() }
        });
        std::thread::scope(|scope| {
            scope.spawn(|| run(&runtime, at_the_disk(&disk, 1)));
        });
        disk.release();
        files::check(&run(&runtime, read).unwrap().buffer.bytes, 4096);
    }
}

#[test]
fn a_driver_that_is_gone_before_its_first_turn_loses_nothing() {
    for kind in KINDS {
        let (own, home) = (current_thread(), multi_thread());
        let file = tests::files::TempFile::new(BLOCK);
        let engine = {
            let _in_it = own.enter();
            engine(kind, 1)
        };
        // Added to an engine whose driver has never run and never will.
        let read = home.spawn({
            let (engine, file) = (engine.clone(), file.open(0));
            async move { engine.read_at(file, Census::default().buffer(), 0).await }
        });
        run(&home, until(|| engine.available() == 0));
        drop(own);
        files::check(&run(&home, read).unwrap().unwrap().buffer.bytes, 0);
        run(&home, engine.close()).unwrap();
    }
}
