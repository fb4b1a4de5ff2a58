//! What went wrong in the driver that this one succeeds: each defect is a test.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use engine::driver::DriverOptions;
use engine::operation::Allocate;
use tests::files::{check, content, pread};
use tests::late::Disk;
use tests::signals::Storm;
use tests::{in_child, limits, or_skip};

use crate::common::*;
use crate::each_backend;

/// It went on at the wrong place for the wrong length, past the end of the buffer.
#[test]
fn a_read_that_is_cut_short_goes_on_where_it_stopped_and_stays_within_its_buffer() {
    // The kernel gives the text out piece by piece.
    let expected = std::fs::read("/proc/crypto").unwrap_or_default();
    tests::require!(expected.len() > 2 * BLOCK, "/proc/crypto is short here");
    let len = expected.len() - 77;
    for kind in each_backend!() {
        let driver: Driver<File, engine::Slice<AlignedBuf>> = options(kind, 2).build().unwrap();
        let mut buffer = AlignedBuf::new(len + 2 * BLOCK);
        buffer.fill(0xee);
        let (sender, receiver) = std::sync::mpsc::channel();
        let slice = engine::IoBuf::slice(buffer, BLOCK..BLOCK + len);
        let read = Read::new(File::open("/proc/crypto").unwrap(), slice, 0);
        driver.submit(read, Box::new(move |outcome| sender.send(outcome).unwrap())).unwrap();
        let outcome = receiver.recv_timeout(PATIENCE).unwrap();
        assert_eq!(outcome.result.unwrap(), len);
        let buffer = outcome.operation.into_buffer().unwrap().into_inner();
        assert!(buffer[BLOCK..BLOCK + len] == expected[..len], "another text by {kind}");
        assert!(buffer[..BLOCK].iter().chain(&buffer[BLOCK + len..]).all(|&byte| byte == 0xee));
    }
}

/// `io_submit` said `EBADF` for the second, and the others were never heard of again.
#[test]
fn a_bad_descriptor_in_the_middle_of_a_batch_leaves_the_others_alone() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(4 * BLOCK);
        let read_only = Arc::new(File::open(temporary.path()).unwrap());
        for merge in [0, 1 << 20] {
            let driver = driver(&options(kind, 8).merge(merge));
            let results = Results::new();
            let plug = Plug::new(&driver);
            for (block, file) in [&file, &read_only, &file, &file].into_iter().enumerate() {
                driver.submit(write(file, BLOCK, block * BLOCK, 9_000_000), results.tagged(block)).unwrap();
            }
            drop(plug);
            shut_down(driver);
            let errnos: Vec<_> = results.all_once(4).iter().map(|outcome| errno(&outcome.result)).collect();
            assert_eq!(errnos, [None, Some(libc::EBADF), None, None], "{kind}");
            check(&pread(temporary.file(), 0, BLOCK), 9_000_000);
            check(&pread(temporary.file(), BLOCK as u64, BLOCK), BLOCK as u64);
            check(&pread(temporary.file(), 3 * BLOCK as u64, BLOCK), 9_000_000);
        }
    }
}

/// It was thrown away, unless it came first.
#[test]
fn an_fsync_or_fallocate_behind_another_operation_is_carried_out() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(BLOCK);
        let driver = driver(&options(kind, 8));
        let results = Results::new();
        let plug = Plug::new(&driver);
        driver.submit(read(&file, BLOCK, 0), results.tagged(0)).unwrap();
        driver.submit(Sync::all(file.clone()), results.tagged(1)).unwrap();
        driver.submit(read(&file, BLOCK, 0), results.tagged(2)).unwrap();
        driver.submit(Allocate::new(file.clone(), 0, 5 * BLOCK as u64), results.tagged(3)).unwrap();
        drop(plug);
        shut_down(driver);
        let counts: Vec<_> = results.all_once(4).into_iter().map(|outcome| outcome.result.unwrap()).collect();
        assert_eq!(counts, [BLOCK, 0, BLOCK, 0]);
        assert_eq!(temporary.file().metadata().unwrap().len(), 5 * BLOCK as u64);
    }
}

/// 126 of 140 were lost over twenty rounds: the thread that reaped ended before the disk had answered.
#[test]
fn no_callback_is_lost_when_the_end_comes_with_reads_in_flight() {
    const ROUNDS: usize = 20;
    const READS: usize = 140;
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(READS * BLOCK));
        let file = Arc::new(disk.open());
        let mut before = 0;
        for round in 0..ROUNDS {
            disk.hold();
            let driver = driver(&options(kind, 32).queue(READS));
            let results = Results::new();
            for block in 0..READS {
                driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
            }
            disk.wait_for_requests(before + 1);
            before += READS;
            std::thread::scope(|scope| {
                let ended = scope.spawn(move || in_time(move || driver.shutdown()));
                assert_eq!(results.there().len(), 0);
                disk.release();
                ended.join().unwrap().unwrap();
            });
            for (block, outcome) in results.all_once(READS).into_iter().enumerate() {
                assert_eq!(outcome.result.unwrap(), BLOCK, "{kind}, round {round}");
                check(&outcome.operation.into_buffer().unwrap(), (block * BLOCK) as u64);
            }
        }
    }
}

/// A timer is the process's; only who receives its signals is fixed.
struct Sent(#[expect(dead_code, reason = "kept until it is dropped")] Storm);

// SAFETY: the timer's name is valid in each thread of the process.
unsafe impl Send for Sent {}

/// A signal was an error, a pause and a line of log; during the submission, the end of the batch.
#[test]
fn a_storm_of_signals_loses_nothing_also_on_the_io_thread() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(64 * BLOCK);
        let driver = driver(&options(kind, 4));
        let results = Results::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        let storm_here = Box::new(move |_| {
            // SAFETY: plain C data, of which all zeroes is a value.
            let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
            // SAFETY: `set` is a local for the call to write.
            unsafe { libc::sigemptyset(&raw mut set) };
            // SAFETY: as above, and `SIGALRM` is a signal.
            unsafe { libc::sigaddset(&raw mut set, libc::SIGALRM) };
            // SAFETY: the set is made above; the one before is not asked for.
            unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
            // The timer is the thread's: it goes on after the callback, until it is dropped.
            sender.send(Sent(Storm::every_millisecond())).unwrap();
        });
        driver.submit(Sync::all(file.clone()), storm_here).unwrap();
        let storm = receiver.recv_timeout(PATIENCE).unwrap();
        let storms = (Storm::every_millisecond(), storm);
        let before = Storm::received();
        let mut submitted = 0;
        while Storm::received() < before + 50 || submitted < 500 {
            let callback = results.tagged(submitted);
            driver.submit(read(&file, BLOCK, submitted % 64 * BLOCK), callback).unwrap();
            submitted += 1;
        }
        drop(storms);
        shut_down(driver);
        for (nr, outcome) in results.all_once(submitted).into_iter().enumerate() {
            assert_eq!(outcome.result.unwrap(), BLOCK);
            check(&outcome.operation.into_buffer().unwrap(), (nr % 64 * BLOCK) as u64);
        }
    }
}

/// Two threads had the same slots, and an allocation would have been sent to the kernel as an `fsync`.
#[test]
fn an_allocation_allocates_and_a_sync_leaves_the_length_alone() {
    for kind in each_backend!() {
        let (temporary, file) = temporary(100);
        let driver = driver(&options(kind, 4));
        let results = Results::new();
        let len = || temporary.file().metadata().unwrap().len();
        driver.submit(Sync::all(file.clone()), results.tagged(0)).unwrap();
        assert_eq!((results.next().1.result.unwrap(), len()), (0, 100));
        driver.submit(Sync::data(file.clone()), results.tagged(0)).unwrap();
        assert_eq!((results.next().1.result.unwrap(), len()), (0, 100));
        driver.submit(Allocate::new(file.clone(), 50, 1000), results.tagged(0)).unwrap();
        assert_eq!((results.next().1.result.unwrap(), len()), (0, 1050));
    }
}

/// Errors were printed on standard output.
#[test]
fn errors_are_told_to_the_callback_and_to_nobody_else() {
    in_child!(|| {
        let mut log = tempfile::tempfile().unwrap();
        let kinds = each_backend!();
        for stream in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            // SAFETY: both are open descriptors.
            unsafe { libc::dup2(log.as_raw_fd(), stream) };
        }
        for kind in kinds {
            let (_temporary, file) = temporary(BLOCK);
            let driver = driver(&options(kind, 4));
            let results = Results::new();
            let write_only = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
            driver.submit(read(&Arc::new(write_only), BLOCK, 0), results.tagged(0)).unwrap();
            driver.submit(read(&file, BLOCK, 0), results.tagged(1)).unwrap();
            shut_down(driver);
            let errnos: Vec<_> = results.all_once(2).iter().map(|outcome| errno(&outcome.result)).collect();
            assert_eq!(errnos, [Some(libc::EBADF), None]);
        }
        let mut text = String::new();
        std::io::Seek::rewind(&mut log).unwrap();
        log.read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
    });
}

/// A depth over 65535 cut the numbers of slots short.
#[test]
fn a_depth_out_of_range_is_refused_in_words() {
    for kind in each_backend!() {
        for depth in [0, 32768, 65537, usize::MAX] {
            let options = DriverOptions::new(Options::new(depth).only(kind));
            let error = options.build::<Arc<File>, AlignedBuf, Boxed<_, _>>().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&depth.to_string()), "{error}");
        }
    }
}

/// A context was left behind if `/dev/null` could not be opened.
#[test]
fn a_driver_that_cannot_be_made_leaves_nothing_behind() {
    let count = |path| std::fs::read_dir(path).unwrap().count();
    in_child!(|| {
        for kind in each_backend!() {
            let state = || (count("/proc/self/fd"), tests::files::aio_rings());
            let threads = || count("/proc/self/task");
            let before = (state(), threads());
            let mut refused = 0;
            for most in 3.. {
                limits::set(libc::RLIMIT_NOFILE, most);
                let options = options(kind, 4).threads(2).workers(1);
                let made = options.build::<Arc<File>, AlignedBuf, Boxed<_, _>>();
                limits::set(libc::RLIMIT_NOFILE, 1024);
                match made {
                    Ok(driver) => {
                        shut_down(driver);
                        break;
                    }
                    Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{kind}: {error}"),
                }
                refused += 1;
                assert_eq!(state(), before.0, "{kind} with {most} descriptors");
                // One that was joined may be seen a moment longer.
                while threads() > before.1 {
                    std::thread::yield_now();
                }
            }
            assert!(refused > 2, "{kind} was refused {refused} times");
        }
    });
}

/// Such a read was the sign to end.
#[test]
fn a_read_of_nothing_is_a_read_of_nothing() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(BLOCK);
        let driver = driver(&options(kind, 4).merge(1 << 20));
        let results = Results::new();
        let null = Arc::new(File::open("/dev/null").unwrap());
        let plug = Plug::new(&driver);
        driver.submit(read(&null, 0, 0), results.tagged(0)).unwrap();
        driver.submit(read(&file, 0, 0), results.tagged(1)).unwrap();
        driver.submit(read(&file, BLOCK, 0), results.tagged(2)).unwrap();
        driver.submit(read(&file, 0, BLOCK), results.tagged(3)).unwrap();
        drop(plug);
        let counts: Vec<_> =
            results.take(4).into_iter().map(|(_, outcome)| outcome.result.unwrap()).collect();
        assert_eq!(counts, [0, 0, BLOCK, 0]);
    }
}

/// It was called back for on a thread of its own, whatever worker had been asked for.
#[test]
fn the_callback_of_an_fsync_is_called_where_all_others_are() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(BLOCK);
        for (workers, expected) in [(0, "driver I/O"), (2, "driver callback")] {
            let driver = driver(&options(kind, 4).workers(workers));
            let (sender, receiver) = std::sync::mpsc::channel();
            let name = |sender: &std::sync::mpsc::Sender<_>| {
                let sender = sender.clone();
                Box::new(move |_: Over| {
                    sender.send(std::thread::current().name().map(str::to_owned)).unwrap();
                })
            };
            driver.submit(Sync::all(file.clone()), name(&sender)).unwrap();
            driver.submit(Allocate::new(file.clone(), 0, 9), name(&sender)).unwrap();
            driver.submit(read(&file, BLOCK, 0), name(&sender)).unwrap();
            for _ in 0..3 {
                assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().as_deref(), Some(expected));
            }
        }
    }
}

/// With a full submission queue it span for ever, and what was in flight had no bound.
#[test]
fn far_more_operations_than_there_is_room_for_all_get_through_within_the_depth() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(64 * BLOCK));
        let file = Arc::new(disk.open());
        let driver = driver(&options(kind, 3).queue(64));
        let results = Results::new();
        for block in 0..64 {
            driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
        }
        disk.wait_for_requests(3);
        for done in 1..=20 {
            disk.release_nr(1);
            let _ = results.next();
            assert!(disk.requests() <= 3 + done, "more in flight than the depth");
        }
        disk.release();
        shut_down(driver);
        assert_eq!(results.there().len(), 44);
    }
}

/// The length of the new event was held against the limit, not that of all together.
#[test]
fn a_merged_request_stays_within_the_limit_as_a_whole() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(16 * BLOCK);
        let driver = driver(&options(kind, 16).merge(3 * BLOCK + 100));
        let results = Results::new();
        let plug = Plug::new(&driver);
        let before = driver.stats();
        for block in 0..7 {
            driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
        }
        // One alone may be longer.
        driver.submit(read(&file, 5 * BLOCK, 7 * BLOCK), results.tagged(7)).unwrap();
        drop(plug);
        for (_, outcome) in results.take(8) {
            outcome.result.unwrap();
        }
        let stats = driver.stats();
        assert_eq!((stats.requests - before.requests, stats.merged), (4, 6));
    }
}

/// All that failed together were told the offset of the first.
#[test]
fn operations_that_failed_together_each_come_back_with_their_own_offset_and_buffer() {
    for kind in each_backend!() {
        let (temporary, _) = temporary(BLOCK);
        let read_only = Arc::new(File::open(temporary.path()).unwrap());
        let driver = driver(&options(kind, 8).merge(1 << 20));
        let results = Results::new();
        let plug = Plug::new(&driver);
        for block in 0..4 {
            let write = write(&read_only, BLOCK, block * BLOCK, block as u64 * 1_000_000);
            driver.submit(write, results.tagged(block)).unwrap();
        }
        drop(plug);
        for (block, outcome) in results.take(4) {
            assert_eq!(errno(&outcome.result), Some(libc::EBADF));
            let Operations::Write(write) = outcome.operation else { panic!("another operation") };
            assert_eq!(write.offset, (block * BLOCK) as u64);
            assert_eq!(write.buffer[..], content(block as u64 * 1_000_000, BLOCK)[..]);
        }
        assert_eq!((driver.stats().merged, driver.stats().reruns), (4, 4));
    }
}
