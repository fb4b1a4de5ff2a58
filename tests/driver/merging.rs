//! Neighbours become one request, and nobody can tell but by the count.

use std::fs::File;
use std::sync::Arc;

use engine::RwFlags;
use tests::files::{check, pread};

use crate::common::*;
use crate::each_backend;

/// Requests that the operations took, which were queued together.
fn requests(driver: &Files, results: &Results, operations: Vec<Operations<Arc<File>, AlignedBuf>>) -> u64 {
    let count = operations.len();
    let plug = Plug::new(driver);
    let before = driver.stats().requests;
    for (tag, operation) in operations.into_iter().enumerate() {
        driver.submit(operation, results.tagged(tag)).unwrap();
    }
    drop(plug);
    for (_, outcome) in results.take(count) {
        outcome.result.unwrap();
    }
    driver.stats().requests - before
}

#[test]
fn adjoining_reads_are_one_request_and_fill_each_buffer() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(100_000);
        let driver = driver(&options(kind, 32).merge(1 << 20));
        let results = Results::new();
        let plug = Plug::new(&driver);
        let before = driver.stats();
        let mut start = 17;
        let lens = [1, 4096, 3, 10_000, 512, 7];
        let mut addresses = Vec::new();
        for (tag, len) in lens.into_iter().enumerate() {
            let read = read(&file, len, start);
            addresses.push(read.buffer.as_ptr().addr());
            driver.submit(read, results.tagged(tag)).unwrap();
            start += len;
        }
        drop(plug);
        start = 17;
        for (tag, outcome) in results.take(lens.len()) {
            assert_eq!((outcome.result.unwrap(), outcome.transferred), (lens[tag], lens[tag]));
            let buffer = outcome.operation.into_buffer().unwrap();
            assert_eq!((buffer.len(), buffer.as_ptr().addr()), (lens[tag], addresses[tag]));
            check(&buffer, start as u64);
            start += lens[tag];
        }
        let stats = driver.stats();
        assert_eq!((stats.requests - before.requests, stats.merged, stats.reruns), (1, 6, 0));
    }
}

#[test]
fn adjoining_writes_are_one_request_and_reach_the_file() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(100_000);
        let driver = driver(&options(kind, 32).merge(1 << 20));
        let results = Results::new();
        let writes = (0..20).map(|nr| write(&file, 1000, 500 + nr * 1000, 7_000_000 + nr as u64 * 1000));
        let writes = writes.map(Operations::from).collect();
        assert_eq!(requests(&driver, &results, writes), 1);
        check(&pread(temporary.file(), 500, 20_000), 7_000_000);
        check(&pread(temporary.file(), 0, 500), 0);
        check(&pread(temporary.file(), 20_500, 79_500), 20_500);
    }
}

#[test]
fn the_end_of_the_file_gives_short_counts_as_to_operations_alone() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(2 * BLOCK + 100);
        let direct = temporary.direct().ok().map(Arc::new);
        for file in [Some(file), direct].into_iter().flatten() {
            let driver = driver(&options(kind, 8).merge(1 << 20));
            let results = Results::new();
            let plug = Plug::new(&driver);
            for block in 0..5 {
                driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
            }
            drop(plug);
            let counts: Vec<_> = results
                .take(5)
                .into_iter()
                .map(|(block, outcome)| {
                    let count = outcome.result.unwrap();
                    let buffer = outcome.operation.into_buffer().unwrap();
                    assert_eq!((buffer.len(), outcome.transferred), (count, count));
                    check(&buffer, (block * BLOCK) as u64);
                    count
                })
                .collect();
            assert_eq!(counts, [BLOCK, BLOCK, 100, 0, 0], "{kind}");
            assert_eq!(driver.stats().merged, 5);
        }
    }
}

#[test]
fn a_vector_takes_as_many_buffers_as_the_kernel_does() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(2000);
        let driver = driver(&options(kind, 4).merge(1 << 20).queue(2000));
        let results = Results::new();
        let reads = (0..2000).map(|at| read(&file, 1, at).into()).collect();
        assert_eq!(requests(&driver, &results, reads), 2);
    }
}

#[test]
fn what_does_not_adjoin_or_is_not_alike_is_not_merged() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(16 * BLOCK);
        let again = Arc::new(temporary.open(0));
        let driver = driver(&options(kind, 16).merge(1 << 20));
        let results = Results::new();
        let read = |file: &Arc<File>, block: usize| read(file, BLOCK, block * BLOCK);
        let written = |block: usize| write(&file, BLOCK, block * BLOCK, (block * BLOCK) as u64);
        let pairs: [[Operations<_, _>; 2]; 7] = [
            [read(&file, 0).into(), read(&file, 2).into()],
            [read(&file, 1).into(), read(&file, 0).into()],
            [read(&file, 1).into(), read(&file, 1).into()],
            [read(&file, 0).into(), read(&again, 1).into()],
            [read(&file, 0).into(), written(1).into()],
            [written(0).into(), written(1).flags(RwFlags::DSYNC).into()],
            [read(&file, 0).into(), Sync::all(file.clone()).into()],
        ];
        for (nr, pair) in pairs.into_iter().enumerate() {
            assert_eq!(requests(&driver, &results, pair.into()), 2, "pair {nr}");
        }
        assert_eq!(driver.stats().merged, 0);
        let alike = [written(0).flags(RwFlags::DSYNC).into(), written(1).flags(RwFlags::DSYNC).into()];
        assert_eq!(requests(&driver, &results, alike.into()), 1);
    }
}

#[test]
fn nothing_is_merged_unless_it_is_asked_for() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(16 * BLOCK);
        let driver = driver(&options(kind, 16));
        let reads = (0..4).map(|block| read(&file, BLOCK, block * BLOCK).into()).collect();
        assert_eq!(requests(&driver, &Results::new(), reads), 4);
    }
}

/// Their offsets say nothing: a short read of the first would be the end of the second.
#[test]
fn reads_of_a_pipe_and_writes_to_the_end_of_a_file_are_not_merged() {
    for kind in each_backend!() {
        let (reader, writer) = tests::fork::pipe();
        std::io::Write::write_all(&mut File::from(writer), b"abcdef").unwrap();
        let pipe = Arc::new(File::from(reader));
        let driver = driver(&options(kind, 16).merge(1 << 20));
        let results = Results::new();
        let reads = vec![read(&pipe, 4, 0).into(), read(&pipe, 4, 4).into()];
        assert_eq!(requests(&driver, &results, reads), 2);
        let (temporary, _) = temporary(100);
        let append = Arc::new(temporary.open(libc::O_APPEND));
        let writes = vec![write(&append, 10, 0, 0).into(), write(&append, 10, 10, 0).into()];
        assert_eq!(requests(&driver, &results, writes), 2);
        assert_eq!(temporary.file().metadata().unwrap().len(), 120);
    }
}

/// Reads and writes of random places and lengths, half of them adjoining, as `pread` and `pwrite` do them.
#[test]
fn a_random_mix_leaves_what_pwrite_leaves_and_reads_what_pread_reads() {
    const LEN: usize = 1 << 18;
    for kind in each_backend!() {
        let (temporary, file) = temporary(LEN);
        let driver = driver(&options(kind, 16).merge(20_000));
        let mut expected = tests::files::content(0, LEN);
        let mut seed = 7_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for round in 0..30 {
            let results = Results::new();
            let writes = random(2) == 0;
            let plug = Plug::new(&driver);
            let mut start = random(1000);
            let mut count = 0;
            let mut places = Vec::new();
            while start < LEN - 20_000 {
                let len = 1 + random(8000);
                if writes {
                    let content = 1_000_000 * (round + 1) as u64 + start as u64;
                    driver.submit(write(&file, len, start, content), results.tagged(count)).unwrap();
                    tests::files::fill(&mut expected[start..start + len], content);
                } else {
                    driver.submit(read(&file, len, start), results.tagged(count)).unwrap();
                }
                places.push((start, len));
                count += 1;
                if count % 16 == 0 {
                    break;
                }
                start += len + random(2) * random(9000);
            }
            drop(plug);
            for (tag, outcome) in results.take(count) {
                let (start, len) = places[tag];
                assert_eq!(outcome.result.unwrap(), len);
                let buffer = outcome.operation.into_buffer().unwrap();
                assert!(buffer[..] == expected[start..start + len], "{kind}, round {round}, at {start}");
            }
        }
        assert!(pread(temporary.file(), 0, LEN) == expected);
        assert!(driver.stats().merged > 50, "{:?}", driver.stats());
    }
}
