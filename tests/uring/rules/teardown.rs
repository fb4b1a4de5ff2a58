//! After a drop the kernel uses no memory of the caller. (The same on a late disk: `late`.)

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use tests::files::{self, AlignedBuf, TempFile};
use tests::or_skip;

use crate::common::*;

#[test]
fn a_read_of_an_empty_pipe_is_gone_after_drop_and_takes_no_data() {
    let pipe = Pipe::new();
    let mut buffer = vec![0xee; 64];
    for vectored in [false, true] {
        let mut context = context(8);
        if vectored {
            unsafe { context.add_readv_iter(buffer.chunks_mut(16).map(iovec), &pipe.reader, 0, 1) }.unwrap();
        } else {
            read(&mut context, &mut buffer, &pipe.reader, 0, 1);
        }
        context.submit().unwrap();
        drop(context);
        pipe.fill();
        // The byte is still in the pipe, so nobody has taken it.
        assert!(readable(&pipe.reader, LONG));
        pipe.empty();
        assert!(buffer.iter().all(|&byte| byte == 0xee));
    }
}

#[test]
fn polls_and_timeouts_do_not_hold_up_a_drop() {
    let pipe = Pipe::new();
    let mut context = context(64);
    for name in 0..32 {
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
        context.add_timeout(Duration::MAX, name).unwrap();
    }
    context.submit().unwrap();
    drop(context);
}

#[test]
fn more_requests_in_flight_than_entries_are_cancelled_by_a_drop() {
    let pipe = Pipe::new();
    let mut buffers = vec![vec![0; 8]; 200];
    let mut context = context(4);
    for (name, buffer) in (0..).zip(&mut buffers) {
        if context.space() == 0 {
            assert_eq!(context.submit().unwrap(), 4);
        }
        // Several share a name.
        read(&mut context, buffer, &pipe.reader, 0, name % 50);
    }
    context.submit().unwrap();
    assert_eq!(context.in_flight(), 200);
    drop(context);
    pipe.fill();
    pipe.empty();
    assert!(buffers.concat().iter().all(|&byte| byte == 0));
}

#[test]
fn what_was_only_queued_is_never_done() {
    let file = TempFile::new(4096);
    let mut context = context(4);
    write(&mut context, &[0; 4096], file.file(), 0, 1);
    drop(context);
    files::check(&files::pread(file.file(), 0, 4096), 0);
}

#[test]
fn large_direct_reads_are_over_when_drop_comes_back() {
    const SIZE: usize = 8 << 20;
    let file = TempFile::new(SIZE);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..2).map(|_| AlignedBuf::new(SIZE)).collect();
    for _ in 0..10 {
        let mut context = context(8);
        for (name, buffer) in (0..).zip(&mut buffers) {
            read(&mut context, buffer, &direct, 0, name);
        }
        context.submit().unwrap();
        drop(context);
        for buffer in &mut buffers {
            buffer.fill(0xee);
        }
        // A read that was still going on would show sooner or later; on the late disk it shows always.
        drop(files::pread(&direct_again(&file), 0, SIZE));
        assert!(buffers.iter().all(|buffer| buffer.iter().all(|&byte| byte == 0xee)));
    }
}

fn direct_again(file: &TempFile) -> std::fs::File {
    file.open(0)
}

#[test]
fn completions_that_nobody_took_do_not_hold_up_a_drop() {
    let mut context = context(16);
    nops(&mut context, 0, 16);
    context.submit().unwrap();
    nops(&mut context, 16, 16);
    drop(context);
}

#[test]
fn the_descriptor_and_its_file_are_gone_after_drop() {
    let mut context = context(8);
    let (reader, writer) = tests::fork::pipe();
    poll(&mut context, &reader, libc::POLLIN, 1);
    context.submit().unwrap();
    let ring: OwnedFd = std::os::fd::AsFd::as_fd(&context).try_clone_to_owned().unwrap();
    drop(context);
    drop(ring);
    // Nobody holds the read end any more, so that a writer is told of it.
    drop(reader);
    let mut entry = libc::pollfd { fd: writer.as_raw_fd(), events: 0, revents: 0 };
    while entry.revents & libc::POLLERR == 0 {
        // The kernel lets go of a closed ring's files some time later.
        assert!(
            unsafe { libc::poll(&raw mut entry, 1, LONG.as_millis() as i32) } != 0,
            "the poll holds the pipe"
        );
    }
}
