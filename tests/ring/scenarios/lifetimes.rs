//! Threads, processes and rings that end before one another.

use std::fs::File;
use std::os::fd::FromRawFd;
use std::time::Duration;

use tests::files::{self, TempFile};
use tests::in_child;
use uring::op::poll::PollAdd;
use uring::op::rw::{Read, Write};
use uring::{Features, Ring, Sqe, SqeFlags};

use super::common::*;

/// A timer that is never up.
fn timer() -> File {
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
    assert!(fd >= 0);
    unsafe { File::from_raw_fd(fd) }
}

fn submits_and_ends(builder: &uring::ring::Builder<'_>, times: usize) {
    for _ in 0..times {
        let timers = [timer(), timer()];
        let mut counts = [[0xee; 8]; 2];
        let mut ring = builder.clone().build().unwrap();
        std::thread::scope(|scope| {
            let (ring, counts) = (&mut ring, &mut counts);
            let submitting = scope.spawn(|| {
                for (timer, count) in timers.iter().zip(counts) {
                    read(ring, count, timer, 0);
                }
                ring.submit().unwrap()
            });
            assert_eq!(submitting.join().unwrap(), 2);
        });
        drop(ring);
        assert_eq!(counts, [[0xee; 8]; 2]);
    }
}

#[test]
fn reads_of_a_thread_that_has_ended_do_not_keep_the_ring() {
    submits_and_ends(&Ring::builder(8), 100);
    submits_and_ends(&Ring::builder(8).iopoll(), 100);
    let ring: Ring = ring(8);
    if ring.features().contains(Features::SQPOLL_NONFIXED) {
        submits_and_ends(&Ring::builder(8).sqpoll(Duration::from_millis(10)), 20);
    }
}

#[test]
fn writes_of_a_thread_that_has_ended_are_done() {
    const LEN: usize = 4096;
    let temp = TempFile::empty();
    let data = files::content(0, 8 * LEN);
    let mut ring = ring(8);
    std::thread::scope(|scope| {
        let ring = &mut ring;
        scope.spawn(|| {
            for (nr, block) in data.chunks(LEN).enumerate() {
                let write = unsafe { Write::new(temp.file(), block.as_ptr(), LEN, (nr * LEN) as u64) };
                let flags = if nr % 2 == 0 { SqeFlags::ASYNC } else { SqeFlags::default() };
                push(ring, write.user_data(nr as u64).flags(flags));
            }
            assert_eq!(ring.submit().unwrap(), 8);
        });
    });
    for (_, result) in take(&mut ring, 8) {
        // A worker of a thread that ends may be told to leave its request undone.
        assert!(matches!(result, Ok(4096) | Err(libc::ECANCELED | libc::EINTR)), "{result:?}");
    }
    drop(ring);
    for (nr, block) in files::pread(temp.file(), 0, 8 * LEN).chunks(LEN).enumerate() {
        assert!(block == &data[nr * LEN..][..LEN] || block.iter().all(|byte| *byte == 0), "block {nr}");
    }
}

#[test]
fn a_process_that_cleans_up_nothing_ends() {
    in_child!(|| {
        let (reader, writer) = pipe();
        let plain = Ring::<Sqe>::builder(16);
        for builder in [plain.clone(), plain.sqpoll(Duration::from_millis(10))] {
            for _ in 0..4 {
                let reader = reader.try_clone().unwrap();
                let builder = builder.clone();
                let made = std::thread::spawn(move || {
                    let mut ring = builder.build().unwrap();
                    let byte = Box::leak(Box::new([0]));
                    read(&mut ring, byte, &reader, 1);
                    let later = unsafe { Read::new(&reader, byte.as_mut_ptr(), 1, 0) };
                    push(&mut ring, later.flags(SqeFlags::ASYNC));
                    push(&mut ring, unsafe { PollAdd::new(&reader, libc::EPOLLIN as u32) });
                    ring.submit().unwrap();
                    std::mem::forget((ring, reader));
                });
                made.join().unwrap();
            }
        }
        std::mem::forget((reader, writer));
        // The child process ends here, with all of that in flight; that it does is seen by its parent.
    });
}

#[test]
fn rings_are_made_and_dropped_in_many_threads_at_once() {
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                for round in 0..100 {
                    let mut ring = ring(0xa4);
                    if round % 10 == 0 {
                        nops(&mut ring, round, 1);
                        ring.submit().unwrap();
                    }
                }
            });
        }
    });
}
