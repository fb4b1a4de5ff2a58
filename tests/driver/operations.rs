//! Each kind of operation does what it says.

use std::fs::File;
use std::sync::Arc;

use engine::operation::{Allocate, Discard, Poll, ReadVectored, WriteVectored, WriteZeroes};
use tests::files::{self, check, pread};

use crate::common::*;
use crate::each_backend;

#[test]
fn reads_writes_and_syncs_are_what_pread_and_pwrite_are() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(16 * BLOCK);
        let driver = driver(&options(kind, 4));
        let results = Results::new();
        for block in 0..16 {
            driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
        }
        for (block, outcome) in results.take(16) {
            assert_eq!((outcome.result.unwrap(), outcome.transferred), (BLOCK, BLOCK));
            let buffer = outcome.operation.into_buffer().unwrap();
            assert_eq!(buffer[..], pread(temporary.file(), (block * BLOCK) as u64, BLOCK)[..]);
        }
        for block in 0..16 {
            let written = write(&file, BLOCK, block * BLOCK, 1_000_000 + (block * BLOCK) as u64);
            driver.submit(written, results.tagged(block)).unwrap();
        }
        for (_, outcome) in results.take(16) {
            assert_eq!(outcome.result.unwrap(), BLOCK);
        }
        driver.submit(Sync::all(file.clone()), results.tagged(0)).unwrap();
        driver.submit(Sync::data(file.clone()), results.tagged(1)).unwrap();
        for (_, outcome) in results.take(2) {
            assert_eq!(outcome.result.unwrap(), 0);
        }
        check(&pread(temporary.file(), 0, 16 * BLOCK), 1_000_000);
        assert_eq!(driver.backend(), kind);
        shut_down(driver);
    }
}

#[test]
fn vectors_allocations_discards_zeroes_and_polls_come_back_with_what_they_are_about() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(8 * BLOCK);
        let driver = driver(&options(kind, 4));
        let results = Results::new();
        let done = |operation: Operations<Arc<File>, AlignedBuf>| {
            driver.submit(operation, results.tagged(0)).unwrap();
            results.next().1
        };
        let buffers = || (0..3).map(|_| AlignedBuf::new(100)).collect::<Vec<_>>();
        let outcome = done(ReadVectored::new(file.clone(), buffers(), 50).into());
        assert_eq!(outcome.result.unwrap(), 300);
        let Operations::ReadVectored(vectored) = outcome.operation else { panic!("another operation") };
        for (nr, buffer) in vectored.buffers().iter().enumerate() {
            check(buffer, 50 + 100 * nr as u64);
        }
        let outcome = done(WriteVectored::new(file.clone(), buffers(), 50).into());
        assert_eq!(outcome.result.unwrap(), 300);
        assert_eq!(pread(temporary.file(), 50, 300), [0; 300]);
        assert_eq!(done(Allocate::new(file.clone(), 0, 9 * BLOCK as u64).into()).result.unwrap(), 0);
        assert_eq!(temporary.file().metadata().unwrap().len(), 9 * BLOCK as u64);
        let zeroes = WriteZeroes { file: file.clone(), offset: 4096, len: 8192, unmap: false };
        assert_eq!(done(zeroes.into()).result.unwrap(), 0);
        assert_eq!(pread(temporary.file(), 4096, 8192), [0; 8192]);
        let discard = Discard { file: file.clone(), offset: 16384, len: 4096 };
        match done(discard.into()).result {
            Ok(_) => assert_eq!(pread(temporary.file(), 16384, 4096), [0; 4096]),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP)),
        }
        check(&pread(temporary.file(), 20480, 4096), 20480);
        let (reader, writer) = tests::fork::pipe();
        let poll = Poll { file: Arc::new(File::from(writer)), events: libc::POLLOUT };
        let mask = done(poll.into()).result.unwrap();
        assert_ne!(mask & libc::POLLOUT as usize, 0);
        drop(reader);
        shut_down(driver);
    }
}

#[test]
fn many_threads_may_submit_at_once_to_several_io_threads() {
    for kind in each_backend!() {
        let files: Vec<_> = (0..4).map(|_| temporary(64 * BLOCK)).collect();
        let driver = driver(&options(kind, 8).threads(3).workers(2).merge(64 * BLOCK));
        let results = Results::new();
        std::thread::scope(|scope| {
            for (nr, (_, file)) in files.iter().enumerate() {
                let (driver, results) = (driver.clone(), results.sender_only());
                scope.spawn(move || {
                    for block in 0..64 {
                        let callback = results.tagged(nr * 64 + block);
                        driver.submit(read(file, BLOCK, block * BLOCK), callback).unwrap();
                    }
                });
            }
        });
        shut_down(driver);
        for (tag, outcome) in results.all_once(4 * 64).into_iter().enumerate() {
            assert_eq!(outcome.result.unwrap(), BLOCK);
            files::check(&outcome.operation.into_buffer().unwrap(), (tag % 64 * BLOCK) as u64);
        }
    }
}
