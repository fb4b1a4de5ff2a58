//! What each operation does, and what becomes of it in a crowd.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use engine::operation::{Read, Write};
use engine::tokio::SyncLevel;
use engine::{BackendKind, RwFlags};
use tests::files::{self, TempFile};

use crate::common::*;

#[test]
fn a_short_file_gives_its_bytes_and_their_count() {
    let file = TempFile::new(3);
    everywhere(1, |engine| {
        let file = file.open(0);
        async move {
            let read = engine.read_at(file, vec![0; 512], 0).await.unwrap();
            assert_eq!((read.count, read.buffer.len()), (3, 3));
            files::check(&read.buffer, 0);
            // A buffer without a length of its own, and the file once more.
            let read = engine.read_at(read.file, vec![0; 512].into_boxed_slice(), 1).await.unwrap();
            assert_eq!((read.count, read.buffer.len()), (2, 512));
        }
    });
}

#[test]
fn a_buffer_that_moves_with_its_future_is_filled_where_it_ends_up() {
    let file = TempFile::new(BLOCK);
    everywhere(4, |engine| {
        let file = Arc::new(file.open(0));
        async move {
            let mut reads = Vec::new();
            for offset in 0..4 {
                // Moved to a vector, which moves it again as it grows, and each into a task.
                let (engine, file) = (engine.clone(), file.clone());
                reads.push(async move {
                    engine.read_at(file, vec![0; 512].into_boxed_slice(), offset).await.unwrap().buffer
                });
            }
            for (read, offset) in reads.into_iter().zip(0..) {
                files::check(&tokio::spawn(read).await.unwrap(), offset);
            }
        }
    });
}

#[test]
fn an_appending_write_appends() {
    everywhere(1, |engine| async move {
        let file = TempFile::new(10);
        let write = Write::new(file.open(0), files::content(10, 5), 0).flags(RwFlags::APPEND);
        let written = engine.run(write).await;
        assert_eq!((written.result.unwrap(), written.transferred), (5, 5));
        assert_eq!(files::pread(file.file(), 0, 100), files::content(0, 15));
    });
}

#[test]
fn flags_reach_the_kernel_and_unknown_ones_give_the_buffer_back() {
    everywhere(1, |engine| async move {
        let file = TempFile::new(10);
        let flags = RwFlags::from_bits_retain(1 << 30);
        let refused = engine.run(Read::new(file.open(0), vec![0; 4], 0).flags(flags)).await;
        assert_eq!(refused.result.unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP));
        assert_eq!(refused.operation.buffer.capacity(), 4);
        for level in [SyncLevel::None, SyncLevel::Data, SyncLevel::Full] {
            let written = engine.write_at_sync(file.open(0), vec![1; 8], 0, level).await.unwrap();
            assert_eq!(written.count, 8);
        }
    });
}

#[test]
fn sync_levels_are_the_kernels_words() {
    let bits = [SyncLevel::None, SyncLevel::Data, SyncLevel::Full].map(|level| level.flags().bits());
    assert_eq!(bits, [0, libc::RWF_DSYNC, libc::RWF_SYNC]);
}

#[test]
fn vectors_are_read_and_written_in_order() {
    everywhere(1, |engine| async move {
        let file = TempFile::new(100);
        let parts = vec![files::content(100, 7), vec![], files::content(107, 13)];
        let written = engine.write_vectored_at(file.open(0), parts, 100).await.unwrap();
        assert_eq!((written.count, written.buffer.len()), (20, 3));
        let parts = vec![Vec::with_capacity(50), Vec::with_capacity(100)];
        let read = engine.read_vectored_at(file.open(0), parts, 0).await.unwrap();
        assert_eq!((read.count, read.buffer[0].len(), read.buffer[1].len()), (120, 50, 70));
        files::check(&read.buffer.concat(), 0);
    });
}

#[test]
fn syncs_and_allocations_succeed_on_files_and_give_back_what_they_fail_on() {
    everywhere(2, |engine| async move {
        let file = TempFile::new(10);
        let open = engine.sync(file.open(0)).await.unwrap();
        let open = engine.data_sync(open).await.unwrap();
        let open = engine.fallocate(open, 0, 0, 8192).await.unwrap();
        assert_eq!(open.metadata().unwrap().len(), 8192);
        let open = engine.write_zeroes(open, 2, 4, false).await.unwrap();
        assert_eq!(files::pread(&open, 2, 4), [0; 4]);
        let open = engine.discard(open, 0, 4096).await.unwrap();
        assert_eq!(files::pread(&open, 0, 4096), [0; 4096]);
        let (reader, writer) = io::pipe().unwrap();
        let failed = engine.sync(reader).await.unwrap_err();
        assert_eq!(failed.error.raw_os_error(), Some(libc::EINVAL));
        let failed = engine.fallocate(writer, 0, 0, 1).await.unwrap_err();
        assert_eq!(failed.error.raw_os_error(), Some(libc::ESPIPE));
        assert!(failed.file.as_fd().try_clone_to_owned().is_ok());
    });
}

#[test]
fn helpers_threads_wake_the_engine_each_time() {
    // What a ring cannot do is done by threads of which the engine hears through the ring.
    everywhere(8, |engine| async move {
        let file = Arc::new(TempFile::new(64 * BLOCK));
        let mut tasks = Vec::new();
        for task in 0..8_u64 {
            let (engine, open) = (engine.clone(), Arc::new(file.open(0)));
            tasks.push(tokio::spawn(async move {
                for round in 0..40 {
                    let offset = (task * 8 + round % 8) * 4096;
                    engine.write_zeroes(open.clone(), offset, 100, false).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn failures_return_the_slot() {
    let file = TempFile::new(BLOCK);
    everywhere(2, |engine| {
        let write_only = Arc::new(File::options().write(true).open(file.path()).unwrap());
        let file = file.open(0);
        async move {
            for _ in 0..20 {
                let failed = engine.read_at(write_only.clone(), vec![0; 8], 0).await.unwrap_err();
                assert_eq!(failed.error.raw_os_error(), Some(libc::EBADF));
            }
            assert_eq!(engine.available(), 2);
            assert_eq!(engine.read_at(file, vec![0; 8], 0).await.unwrap().count, 8);
        }
    });
}

#[test]
fn a_poll_resolves_when_there_is_something_and_ends_when_nobody_waits() {
    everywhere(1, |engine| async move {
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Arc::new(OwnedFd::from(reader));
        for _ in 0..3 {
            let waiting = engine.poll(reader.clone(), libc::POLLIN);
            assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
            until(|| engine.available() == 1).await;
        }
        assert_eq!(Arc::strong_count(&reader), 1);
        let mut waiting = Box::pin(engine.poll(reader.clone(), libc::POLLIN));
        tokio::select! {
            biased;
            _ = &mut waiting => unreachable!("the pipe is empty"),
            () = turns() => {}
        }
        writer.write_all(b"x").unwrap();
        assert_eq!(waiting.await.unwrap().1 & libc::POLLIN, libc::POLLIN);
    });
}

#[test]
fn a_close_ends_polls() {
    everywhere(2, |engine| async move {
        let (reader, _writer) = io::pipe().unwrap();
        let polling = tokio::spawn({
            let engine = engine.clone();
            async move { engine.poll(reader, libc::POLLIN).await }
        });
        until(|| engine.available() == 1).await;
        engine.close().await.unwrap();
        let failed = polling.await.unwrap().unwrap_err();
        assert_eq!(failed.error.raw_os_error(), Some(libc::ECANCELED));
        engine.close().await.unwrap();
    });
}

#[test]
fn a_storm_of_given_up_operations_leaves_every_slot_and_no_buffer() {
    let file = TempFile::new(64 * BLOCK);
    everywhere(5, |engine| {
        let direct = file.direct().unwrap_or_else(|_| file.open(0));
        let file = Arc::new(direct);
        async move {
            let census = Census::default();
            let tasks: Vec<_> = (0..20_u64)
                .map(|task| {
                    let (engine, file, census) = (engine.clone(), file.clone(), census.clone());
                    tokio::spawn(async move {
                        for round in 0..100_u64 {
                            let offset = (task + round) % 64 * 4096;
                            let read = engine.read_at(file.clone(), census.buffer(), offset);
                            let turns = (task + round) % 4;
                            tokio::select! {
                                biased;
                                read = read => files::check(&read.unwrap().buffer.bytes, offset),
                                () = async { for _ in 0..turns { tokio::task::yield_now().await } } => {}
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            until(|| engine.available() == 5 && census.count() == 0).await;
            let (reads, nr) = (engine.stats().unwrap(), engine.capacity());
            assert_eq!((reads.submitted, nr), (reads.completed, 5));
            assert_eq!(engine.read_at(file, census.buffer(), 0).await.unwrap().count, BLOCK);
        }
    });
}

#[test]
fn one_engine_serves_two_runtimes() {
    let file = TempFile::new(64 * BLOCK);
    for kind in KINDS {
        let (home, away) = (current_thread(), multi_thread());
        let engine = home.block_on(async { engine(kind, 3) });
        let file = Arc::new(file.open(0));
        let reads = |start: u64| {
            let (engine, file) = (engine.clone(), file.clone());
            async move {
                for nr in start..start + 200 {
                    let offset = nr % 64 * 4096;
                    let read = engine.read_at(file.clone(), vec![0; 4096], offset).await.unwrap();
                    files::check(&read.buffer, offset);
                }
            }
        };
        let away: Vec<_> = (0..4).map(|nr| away.spawn(reads(nr * 16))).collect();
        run(&home, async {
            reads(7).await;
            for task in away {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn registered_files_and_buffers_serve_futures_and_a_closed_engine_has_none() {
    let file = TempFile::new(8 * BLOCK);
    everywhere(4, |engine| {
        let open = file.open(0);
        async move {
            let registered = engine.register_file(open).unwrap();
            assert!(registered.is_registered() || engine.backend() != BackendKind::Uring);
            let pool = engine.buffer_pool(2, BLOCK).unwrap();
            let buffer = pool.take().unwrap();
            let read = engine.read_at(registered, buffer, 4096).await.unwrap();
            assert_eq!(read.count, BLOCK);
            files::check(&read.buffer, 4096);
            engine.close().await.unwrap();
            assert!(engine.buffer_pool(1, 1).is_err() && engine.stats().is_none());
        }
    });
}

#[test]
fn engines_that_are_closed_leave_no_context() {
    tests::in_child!(|| {
        for runtime in runtimes() {
            run(&runtime, async {
                for _ in 0..3 {
                    let engine = engine(BackendKind::Aio, 4);
                    assert_eq!(files::aio_rings(), 1);
                    engine.close().await.unwrap();
                    assert_eq!(files::aio_rings(), 0);
                }
                drop(engine(BackendKind::Aio, 4));
                until(|| files::aio_rings() == 0).await;
            });
        }
    });
}
