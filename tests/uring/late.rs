//! On a disk that answers when the test says so: in-flight states without any timing.

use std::sync::mpsc;
use std::time::Duration;

use tests::files::{self, AlignedBuf};
use tests::late::Disk;
use tests::or_skip;
use uring::{Error, URingContext};

use crate::common::*;

const BLOCK: usize = 4096;

fn blocks(nr: usize) -> Vec<AlignedBuf> {
    (0..nr).map(|_| AlignedBuf::new(BLOCK)).collect()
}

/// Queues a read of a block into each buffer, numbered from 0.
fn read_all(context: &mut URingContext, buffers: &mut [AlignedBuf], file: &std::fs::File) {
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

fn done(names: std::ops::Range<u64>) -> Vec<Taken> {
    names.map(|name| (name, Ok(BLOCK as u32))).collect()
}

#[test]
fn submit_comes_back_while_reads_are_in_flight() {
    let mut buffers = blocks(4);
    let mut context = context(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    read_all(&mut context, &mut buffers, &file);
    assert_eq!(context.submit().unwrap(), 4);
    disk.wait_for_requests(4);
    assert_eq!((context.in_flight(), context.space(), disk.answered()), (4, 4, 0));
    assert_eq!(taken(context.completions().unwrap()), []);
    assert_eq!(taken(context.wait_timeout(Duration::from_millis(5)).unwrap()), []);
    assert!(!readable(&context, Duration::ZERO));
    disk.release();
    assert_eq!(sorted(taken(context.wait_nr(4).unwrap())), done(0..4));
    check_all(&buffers);
}

#[test]
fn the_descriptor_may_go_after_submit() {
    let mut buffers = blocks(2);
    let mut context = context(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    read_all(&mut context, &mut buffers, &file);
    context.submit().unwrap();
    drop(file);
    disk.wait_for_requests(2);
    disk.release();
    assert_eq!(take_nr(&mut context, 2), done(0..2));
    check_all(&buffers);
}

#[test]
fn drop_waits_until_the_disk_has_answered_and_nothing_is_written_after_it() {
    let mut buffers = blocks(3);
    let mut context = context(4);
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
    assert!(dropped.recv_timeout(Duration::from_millis(300)).is_err(), "dropped with reads held");
    assert_eq!(disk.answered(), 0);
    disk.release_nr(2);
    assert!(dropped.recv_timeout(Duration::from_millis(100)).is_err(), "dropped with a read held");
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
fn drop_waits_for_the_disk_also_beside_what_it_can_cancel_and_has_not_submitted() {
    let pipe = Pipe::new();
    let mut byte = [0];
    let mut buffers = blocks(3);
    let mut context = context(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    let (first, last) = buffers.split_at_mut(2);
    read_all(&mut context, first, &file);
    read(&mut context, &mut byte, &pipe.reader, 0, 10);
    poll(&mut context, &pipe.reader, libc::POLLIN, 11);
    context.submit().unwrap();
    disk.wait_for_requests(2);
    read(&mut context, &mut last[0], &file, 0, 12);
    std::thread::scope(|scope| {
        let dropper = scope.spawn(move || drop(context));
        std::thread::sleep(Duration::from_millis(150));
        assert!(!dropper.is_finished());
        disk.release();
        dropper.join().unwrap();
    });
    assert_eq!((disk.requests(), disk.answered()), (2, 2));
    pipe.fill();
    pipe.empty();
    assert_eq!(byte, [0]);
    check_all(&buffers[..2]);
    assert!(buffers[2].iter().all(|&byte| byte == 0));
}

#[test]
fn held_writes_reach_the_disk_before_drop_comes_back() {
    let data = AlignedBuf::filled(BLOCK, 1 << 30);
    let mut context = context(2);
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

#[test]
fn drain_waits_for_the_disk() {
    let mut buffers = blocks(8);
    let mut context = context(8);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    read_all(&mut context, &mut buffers, &file);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            disk.wait_for_requests(8);
            disk.release();
        });
        assert_eq!(all(&mut context), done(0..8));
    });
    check_all(&buffers);
}

#[test]
fn completions_come_one_by_one_as_the_disk_answers() {
    let mut buffers = blocks(6);
    let mut context = context(8);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    read_all(&mut context, &mut buffers, &file);
    context.submit().unwrap();
    for nr in 0..6 {
        disk.wait_for_requests(nr as usize + 1);
    }
    let mut seen = Vec::new();
    for nr in 1..=6 {
        disk.release_nr(1);
        seen.push(one(&mut context));
        assert_eq!((context.in_flight(), disk.answered()), (6 - nr, nr));
    }
    assert_eq!(sorted(seen), done(0..6));
    check_all(&buffers);
}

#[test]
fn a_refused_request_between_held_ones_completes_alone() {
    let mut buffers = blocks(4);
    let mut context = context(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    for (nr, buffer) in (0..).zip(&mut buffers) {
        match nr {
            1 => read(&mut context, buffer, closed_descriptor(), 0, nr),
            2 => unsafe { context.add_readv(too_many_iovecs(), &file, 0, nr) }.map(drop).unwrap(),
            _ => read(&mut context, buffer, &file, nr * BLOCK as u64, nr),
        }
    }
    assert_eq!(context.submit().unwrap(), 4);
    disk.wait_for_requests(2);
    assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::EBADF)), (2, Err(libc::EINVAL))]);
    assert_eq!(context.in_flight(), 2);
    disk.release();
    assert_eq!(take_nr(&mut context, 2), [0, 3].map(|nr| (nr, Ok(BLOCK as u32))));
}

#[test]
fn cancelling_a_held_read_does_not_end_it() {
    let mut buffers = blocks(1);
    let mut context = context(2);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    read_all(&mut context, &mut buffers, &file);
    context.submit().unwrap();
    disk.wait_for_requests(1);
    context.cancel(0, 1).unwrap();
    let (name, result) = one(&mut context);
    assert_eq!(name, 1);
    assert!(matches!(result, Err(libc::ENOENT | libc::EALREADY)), "a cancellation was pretended: {result:?}");
    assert_eq!((context.in_flight(), disk.answered()), (1, 0));
    disk.release();
    assert_eq!(one(&mut context), (0, Ok(BLOCK as u32)));
    check_all(&buffers);
}

#[test]
fn a_full_queue_while_cancelling_loses_neither_the_cancel_nor_its_target() {
    let pipe = Pipe::new();
    let mut buffers = blocks(4);
    let mut context = context(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    poll(&mut context, &pipe.reader, libc::POLLIN, 50);
    context.submit().unwrap();
    read_all(&mut context, &mut buffers, &file);
    assert!(matches!(context.cancel(50, 51), Err(Error::NoSpace)));
    assert_eq!((context.queued(), context.in_flight(), context.space()), (4, 1, 0));
    assert_eq!(context.submit().unwrap(), 4);
    disk.wait_for_requests(4);
    context.cancel(50, 51).unwrap();
    assert_eq!(take_nr(&mut context, 2), [(50, Err(libc::ECANCELED)), (51, Ok(0))]);
    disk.release();
    assert_eq!(take_nr(&mut context, 4), done(0..4));
    check_all(&buffers);
}

#[test]
fn an_error_of_the_disk_is_that_requests_errno() {
    let mut buffers = blocks(3);
    let mut context = context(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    for (nr, buffer) in (0..).zip(&mut buffers) {
        disk.fail_with((nr == 1).then_some(libc::EIO));
        read(&mut context, buffer, &file, nr * BLOCK as u64, nr);
        context.submit().unwrap();
        disk.wait_for_requests(nr as usize + 1);
    }
    disk.release();
    let expected = [(0, Ok(BLOCK as u32)), (1, Err(libc::EIO)), (2, Ok(BLOCK as u32))];
    assert_eq!(take_nr(&mut context, 3), expected);
}

#[test]
fn an_idle_disk_in_the_way_does_not_hold_up_other_requests() {
    let mut buffers = blocks(3);
    let null = dev_null();
    let mut context = context(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    read_all(&mut context, &mut buffers, &file);
    context.submit().unwrap();
    disk.wait_for_requests(3);
    for name in 100..200 {
        write(&mut context, b"x", &null, 0, name);
        assert_eq!(one(&mut context), (name, Ok(1)));
        assert_eq!(context.in_flight(), 3);
    }
    disk.release();
    assert_eq!(take_nr(&mut context, 3), done(0..3));
    check_all(&buffers);
}
