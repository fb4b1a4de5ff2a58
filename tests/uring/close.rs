//! `close` ends a context as a drop does, and says whether the kernel has let go of all memory.

use std::time::Duration;

use tests::files::{self, AlignedBuf, TempFile};
use tests::late::Disk;
use tests::{in_child, or_skip, require, seccomp};
use uring::{SetupFlags, URingContext};

use crate::common::*;
use crate::sandbox::stderr_of;

#[test]
fn an_idle_context_closes_at_once() {
    let mut context = context(8);
    nops(&mut context, 0, 8);
    assert_eq!(all(&mut context).len(), 8);
    context.close().unwrap();
}

#[test]
fn what_can_be_cancelled_is_gone_and_what_was_only_queued_is_not_done() {
    let pipe = Pipe::new();
    let file = TempFile::new(64);
    let mut bytes = [0; 8];
    let mut context = context(8);
    for (name, byte) in (0..).zip(bytes.chunks_mut(1)) {
        read(&mut context, byte, &pipe.reader, 0, name);
    }
    context.submit().unwrap();
    write(&mut context, &[0; 64], file.file(), 0, 9);
    context.close().unwrap();
    pipe.fill();
    pipe.empty();
    assert_eq!(bytes, [0; 8]);
    files::check(&files::pread(file.file(), 0, 64), 0);
}

#[test]
fn close_waits_for_the_disk() {
    let mut buffer = AlignedBuf::new(4096);
    let mut context = context(4);
    let disk = or_skip!(Disk::held(65536));
    let file = disk.open();
    read(&mut context, &mut buffer, &file, 4096, 1);
    context.submit().unwrap();
    disk.wait_for_requests(1);
    std::thread::scope(|scope| {
        let closer = scope.spawn(move || context.close());
        std::thread::sleep(Duration::from_millis(150));
        assert!(!closer.is_finished());
        disk.release();
        closer.join().unwrap().unwrap();
    });
    assert_eq!(disk.answered(), 1);
    files::check(&buffer, 4096);
}

#[test]
fn a_close_that_may_not_wait_is_an_error_and_prints_nothing() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut byte = [0];
        let mut context = context(4);
        read(&mut context, &mut byte, &pipe.reader, 0, 1);
        context.submit().unwrap();
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        let mut closed = Ok(());
        assert_eq!(stderr_of(|| closed = context.close()), "");
        let error = closed.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert!(error.to_string().contains("seccomp"), "{error}");
    });
}

#[test]
fn another_thread_cannot_close_a_busy_ring_that_is_bound_to_one() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut byte = [0];
        let mut context = build(URingContext::builder(4).defer_taskrun());
        require!(
            context.setup_flags().contains(SetupFlags::DEFER_TASKRUN),
            "no IORING_SETUP_DEFER_TASKRUN before 6.1"
        );
        read(&mut context, &mut byte, &pipe.reader, 0, 1);
        context.submit().unwrap();
        let closed = std::thread::spawn(move || context.close()).join().unwrap();
        assert_eq!(closed.unwrap_err().raw_os_error(), Some(libc::EEXIST));
    });
}

#[test]
fn a_forked_child_that_closes_leaves_the_parents_requests_alone() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(4);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        // The answer is a child's own affair; what matters is that it neither crashes nor cancels.
        tests::fork::ask(|| {
            let inherited = unsafe { std::ptr::read(&raw const context) };
            format!("{}", inherited.close().is_ok())
        });
        pipe.fill();
        assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
    });
}
