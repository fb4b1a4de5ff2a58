//! On a disk that answers when the test says so: in-flight states without any timing.

use std::sync::mpsc;
use std::time::Duration;

use aio::AioContext;
use tests::files::{self, AlignedBuf};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;

const BLOCK: usize = 4096;

fn blocks(nr: usize) -> Vec<AlignedBuf> {
    (0..nr).map(|_| AlignedBuf::new(BLOCK)).collect()
}

/// Queues a read of a block into each buffer, numbered from 0.
fn read_all(context: &mut AioContext, buffers: &mut [AlignedBuf], file: &std::fs::File) {
    for (nr, buffer) in (0..).zip(buffers) {
        read(context, buffer, file, nr * BLOCK as u64, nr);
    }
}

#[track_caller]
fn check_all(buffers: &[AlignedBuf]) {
    for (nr, buffer) in (0..).zip(buffers) {
        files::check(buffer, nr * BLOCK as u64);
    }
}

fn done(nr: u64) -> Vec<Taken> {
    (0..nr).map(|nr| (nr, Ok(BLOCK as u32))).collect()
}

#[test]
fn submit_comes_back_while_reads_are_in_flight() {
    let mut buffers = blocks(4);
    for mut context in both_ways(4) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        read_all(&mut context, &mut buffers, &file);
        assert_eq!(context.submit().unwrap(), 4);
        disk.wait_for_requests(4);
        assert_eq!((context.in_flight(), context.space(), disk.answered()), (4, 0, 0));
        assert_eq!(taken(context.completions().unwrap()), []);
        assert_eq!(taken(context.wait_timeout(Duration::from_millis(5)).unwrap()), []);
        disk.release();
        assert_eq!(take_nr(&mut context, 4), done(4));
        check_all(&buffers);
    }
}

#[test]
fn drop_waits_until_the_disk_has_answered() {
    let mut buffers = blocks(3);
    for mut context in both_ways(4) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        read_all(&mut context, &mut buffers, &file);
        context.submit().unwrap();
        disk.wait_for_requests(3);
        let (sender, dropped) = mpsc::channel();
        let dropper = std::thread::spawn(move || {
            drop(context);
            sender.send(()).unwrap();
        });
        // Not a measurement: a drop that does not wait is caught here if it is quick, and always by what follows.
        assert!(dropped.recv_timeout(Duration::from_millis(100)).is_err(), "dropped with reads held");
        assert_eq!(disk.answered(), 0);
        disk.release();
        dropper.join().unwrap();
        assert_eq!(disk.answered(), 3);
        check_all(&buffers);
        for buffer in &mut buffers {
            buffer.fill(0xee);
        }
        drop((file, disk));
        assert!(buffers.iter().all(|buffer| buffer.iter().all(|&byte| byte == 0xee)));
    }
}

#[test]
fn drop_with_a_read_500_ms_late_leaves_no_late_byte() {
    let mut buffers = blocks(2);
    let mut context = context(2);
    let disk = or_skip!(Disk::new(16 * BLOCK));
    let file = disk.open();
    read_all(&mut context, &mut buffers, &file);
    context.submit().unwrap();
    drop(context);
    assert_eq!(disk.answered(), 2);
    check_all(&buffers);
}

#[test]
fn drain_waits_for_the_disk() {
    let mut buffers = blocks(8);
    for mut context in both_ways(8) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        read_all(&mut context, &mut buffers, &file);
        context.submit().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                disk.wait_for_requests(8);
                disk.release();
            });
            assert_eq!(all(&mut context), done(8));
        });
        check_all(&buffers);
    }
}

#[test]
fn completions_come_one_by_one_as_the_disk_answers() {
    let mut buffers = blocks(6);
    for mut context in both_ways(6) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        read_all(&mut context, &mut buffers, &file);
        for nr in 0..6 {
            disk.release_nr(1);
            assert_eq!(one(&mut context), (nr, Ok(BLOCK as u32)));
            assert_eq!((context.in_flight(), context.space()), (5 - nr as usize, nr as usize + 1));
        }
        check_all(&buffers);
    }
}

#[test]
fn a_refused_operation_between_held_ones_completes_alone() {
    let mut buffers = blocks(4);
    for mut context in both_ways(4) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        for (nr, buffer) in (0..).zip(&mut buffers) {
            match nr {
                1 => read(&mut context, buffer, closed_descriptor(), 0, nr),
                _ => read(&mut context, buffer, &file, nr * BLOCK as u64, nr),
            }
        }
        context.submit().unwrap();
        disk.wait_for_requests(3);
        assert_eq!(one(&mut context), (1, Err(libc::EBADF)));
        assert_eq!(context.in_flight(), 3);
        disk.release();
        assert_eq!(take_nr(&mut context, 3), [0, 2, 3].map(|nr| (nr, Ok(BLOCK as u32))));
    }
}

#[test]
fn a_failed_submit_leaves_what_is_in_flight_alone() {
    tests::in_child!(|| {
        let mut buffers = blocks(4);
        let mut context = context(4);
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        let (first, second) = buffers.split_at_mut(2);
        read_all(&mut context, first, &file);
        context.submit().unwrap();
        disk.wait_for_requests(2);
        let fail = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let verdict = {
            let fail = std::sync::Arc::clone(&fail);
            move |_: &_| match fail.load(std::sync::atomic::Ordering::SeqCst) {
                true => tests::seccomp::Verdict::Fail(libc::EAGAIN),
                false => tests::seccomp::Verdict::Pass,
            }
        };
        let _supervisor = or_skip!(tests::seccomp::supervise(&[libc::SYS_io_submit], verdict));
        for (nr, buffer) in (2..).zip(second) {
            read(&mut context, buffer, &file, nr * BLOCK as u64, nr);
        }
        // EAGAIN with operations in flight: take completions first. The two stay queued.
        assert_eq!(context.submit().unwrap(), 0);
        assert_eq!((context.queued(), context.in_flight(), context.space()), (2, 2, 0));
        disk.release();
        assert_eq!(take_nr(&mut context, 2), done(2));
        assert_eq!(context.queued(), 2);
        fail.store(false, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(take_nr(&mut context, 2), [2, 3].map(|nr| (nr, Ok(BLOCK as u32))));
        check_all(&buffers);
    });
}

#[test]
fn a_read_in_flight_cannot_be_cancelled_and_its_buffer_stays_busy() {
    let mut buffers = blocks(1);
    for mut context in both_ways(2) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        buffers[0].fill(0);
        read_all(&mut context, &mut buffers, &file);
        context.submit().unwrap();
        disk.wait_for_requests(1);
        context.cancel(0, 1).unwrap();
        let (user_data, result) = one(&mut context);
        assert_eq!(user_data, 1);
        assert!(result.is_err(), "no cancellation was pretended: {result:?}");
        assert_eq!(context.in_flight(), 1);
        disk.release();
        assert_eq!(one(&mut context), (0, Ok(BLOCK as u32)));
        check_all(&buffers);
    }
}

#[test]
fn a_full_queue_while_cancelling_loses_nothing() {
    let pipe = Pipe::new();
    let mut buffers = blocks(3);
    for mut context in both_ways(4) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        read_all(&mut context, &mut buffers, &file);
        poll(&mut context, &pipe.reader, libc::POLLIN, 50);
        assert_eq!(context.submit().unwrap(), 4);
        disk.wait_for_requests(3);
        assert!(matches!(context.cancel(50, 51), Err(aio::Error::NoSpace)));
        assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 4, 0));
        disk.release_nr(1);
        assert_eq!(one(&mut context), (0, Ok(BLOCK as u32)));
        // Now there is room for one.
        context.cancel(50, 51).unwrap();
        assert!(matches!(context.cancel(50, 52), Err(aio::Error::NoSpace)));
        assert_eq!(take_nr(&mut context, 2), [(50, Err(libc::ECANCELED)), (51, Ok(0))]);
        disk.release();
        assert_eq!(take_nr(&mut context, 2), [1, 2].map(|nr| (nr, Ok(BLOCK as u32))));
        check_all(&buffers);
    }
}

#[test]
fn held_writes_reach_the_disk_before_drop_comes_back() {
    let data = AlignedBuf::filled(BLOCK, 1 << 30);
    for mut context in both_ways(2) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        write(&mut context, &data, &file, BLOCK as u64, 1);
        context.submit().unwrap();
        disk.wait_for_requests(1);
        files::check(&disk.stored(0, 16 * BLOCK), 0);
        std::thread::scope(|scope| {
            let dropper = scope.spawn(move || drop(context));
            disk.release();
            dropper.join().unwrap();
        });
        files::check(&disk.stored(BLOCK, BLOCK), 1 << 30);
    }
}

#[test]
fn an_error_of_the_disk_is_that_operations_errno() {
    let mut buffers = blocks(3);
    for (errno, mut context) in [libc::EIO, libc::ENOSPC].into_iter().zip(both_ways(4)) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        for (nr, buffer) in (0..).zip(&mut buffers) {
            disk.fail_with((nr == 1).then_some(errno));
            read(&mut context, buffer, &file, nr * BLOCK as u64, nr);
            context.submit().unwrap();
            disk.wait_for_requests(nr as usize + 1);
        }
        disk.release();
        let expected = [(0, Ok(BLOCK as u32)), (1, Err(errno)), (2, Ok(BLOCK as u32))];
        assert_eq!(take_nr(&mut context, 3), expected);
    }
}

#[test]
fn more_operations_than_the_disk_has_answered_fill_the_context() {
    let mut buffers = blocks(16);
    let null = dev_null();
    for mut context in both_ways(16) {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        read_all(&mut context, &mut buffers, &file);
        context.submit().unwrap();
        disk.wait_for_requests(16);
        let refused = unsafe { context.add_write(b"x".as_ptr(), 1, &null, 0, 99) }.map(drop);
        assert!(matches!(refused, Err(aio::Error::NoSpace)));
        disk.release_nr(4);
        assert_eq!(context.wait_nr(4).unwrap().count(), 4);
        for nr in 0..4 {
            write(&mut context, b"x", &null, 0, 100 + nr);
        }
        assert_eq!(take_nr(&mut context, 4), [100, 101, 102, 103].map(|nr| (nr, Ok(1))));
        disk.release();
        assert_eq!(take_nr(&mut context, 12).len(), 12);
        check_all(&buffers);
    }
}
