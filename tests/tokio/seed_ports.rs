//! What the tests of the crate say that this began with, in our words.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use engine::AlignedBuf;
use engine::tokio::{AsyncEngine, SyncLevel};
use tests::files::{self, TempFile};
use tests::or_skip;

use crate::common::*;

const PAIR: usize = 2 * BLOCK;
const FILE: usize = 512 * 1024;

fn pattern(key: u8) -> Vec<u8> {
    (0..PAIR).map(|at| if at % 2 == 0 { key } else { (at / 2) as u8 }).collect()
}

fn fill(buffer: &mut AlignedBuf, key: u8) {
    buffer.set_len(PAIR);
    buffer.copy_from_slice(&pattern(key));
}

#[test]
fn an_engine_is_made_and_dropped() {
    for kind in KINDS {
        for runtime in runtimes() {
            run(&runtime, async { drop(engine(kind, 10)) });
        }
    }
}

#[test]
fn a_direct_read_has_what_the_file_has() {
    let file = TempFile::new(FILE);
    let direct = Arc::new(or_skip!(file.direct()));
    everywhere(10, |engine| {
        let direct = direct.clone();
        async move {
            let read = engine.read_at(direct, AlignedBuf::new(PAIR), 0).await.unwrap();
            assert_eq!(read.count, PAIR);
            files::check(&read.buffer, 0);
        }
    });
}

#[test]
fn a_direct_write_reaches_the_file() {
    let file = TempFile::new(FILE);
    let direct = Arc::new(or_skip!(file.direct()));
    everywhere(2, |engine| {
        let (direct, file) = (direct.clone(), file.file());
        async move {
            let mut buffer = AlignedBuf::new(PAIR);
            fill(&mut buffer, 65);
            let written = engine.write_at(direct, buffer, 16384).await.unwrap();
            assert_eq!(written.count, PAIR);
            assert_eq!(files::pread(file, 16384, PAIR), pattern(65));
        }
    });
}

#[test]
fn writes_of_every_sync_level_reach_the_file() {
    let file = TempFile::new(FILE);
    let direct = Arc::new(or_skip!(file.direct()));
    everywhere(2, |engine| {
        let (direct, file) = (direct.clone(), file.file());
        async move {
            for (key, level) in (65..).zip([SyncLevel::None, SyncLevel::Data, SyncLevel::Full]) {
                let mut buffer = AlignedBuf::new(PAIR);
                fill(&mut buffer, key);
                let offset = u64::from(key - 64) * 16384;
                engine.write_at_sync(direct.clone(), buffer, offset, level).await.unwrap();
                assert_eq!(files::pread(file, offset, PAIR), pattern(key));
            }
        }
    });
}

#[test]
fn a_read_of_a_file_that_is_open_for_writing_only_gives_the_buffer_back() {
    let file = TempFile::new(BLOCK);
    everywhere(10, |engine| {
        let path = file.path().to_owned();
        async move {
            let write_only: OwnedFd = File::options().write(true).open(path).unwrap().into();
            let failed = engine.read_at(write_only, vec![7_u8; 64].into_boxed_slice(), 0).await.unwrap_err();
            assert_eq!(failed.error.raw_os_error(), Some(libc::EBADF));
            assert_eq!((&*failed.buffer, failed.transferred), ([7_u8; 64].as_slice(), 0));
            assert!(failed.file.as_fd().try_clone_to_owned().is_ok());
            assert_eq!(io::Error::from(failed).kind(), io::Error::from_raw_os_error(libc::EBADF).kind());
        }
    });
}

#[test]
fn fifty_waves_of_a_hundred_reads_over_seven_slots_leave_seven() {
    let file = TempFile::new(FILE);
    let direct = Arc::new(or_skip!(file.direct()));
    everywhere(7, |engine| {
        let direct = direct.clone();
        async move {
            for _ in 0..50 {
                let reads: Vec<_> = (0..100_u64)
                    .map(|nr| {
                        let (engine, direct) = (engine.clone(), direct.clone());
                        tokio::spawn(async move {
                            let offset = nr * PAIR as u64 % FILE as u64;
                            let read = engine.read_at(direct, AlignedBuf::new(PAIR), offset).await.unwrap();
                            files::check(&read.buffer, offset);
                            read.count
                        })
                    })
                    .collect();
                for read in reads {
                    assert_eq!(read.await.unwrap(), PAIR);
                }
                assert_eq!(engine.available(), 7);
            }
        }
    });
}

/// Reads two blocks, writes a pattern over each, and reads both again.
async fn chain(engine: AsyncEngine, file: Arc<File>, first: u64, second: u64, keys: [u8; 2]) {
    let mut buffer = AlignedBuf::new(PAIR);
    for (offset, key) in [first, second].into_iter().zip(keys) {
        buffer = engine.read_at(file.clone(), buffer, offset).await.unwrap().buffer;
        files::check(&buffer, offset);
        fill(&mut buffer, key);
        buffer = engine.write_at(file.clone(), buffer, offset).await.unwrap().buffer;
    }
    for (offset, key) in [first, second].into_iter().zip(keys) {
        buffer = engine.read_at(file.clone(), buffer, offset).await.unwrap().buffer;
        assert_eq!(&*buffer, pattern(key));
    }
}

#[test]
fn three_chains_of_reads_and_writes_do_not_mix() {
    for kind in KINDS {
        for runtime in runtimes() {
            let file = TempFile::new(FILE);
            let direct = Arc::new(or_skip!(file.direct()));
            run(&runtime, async {
                let engine = engine(kind, 7);
                let chains = [(8192, 0, [0, 1]), (16384, 24576, [2, 3]), (40960, 32768, [5, 6])];
                let chains = chains.map(|(first, second, keys)| {
                    tokio::spawn(chain(engine.clone(), direct.clone(), first, second, keys))
                });
                for chain in chains {
                    chain.await.unwrap();
                }
            });
        }
    }
}

#[test]
fn a_direct_read_past_the_end_has_nothing() {
    let file = TempFile::new(FILE);
    let direct = Arc::new(or_skip!(file.direct()));
    everywhere(1, |engine| {
        let direct = direct.clone();
        async move {
            let read = engine.read_at(direct, AlignedBuf::new(PAIR), 2 * FILE as u64).await.unwrap();
            assert_eq!(read.count, 0);
        }
    });
}
