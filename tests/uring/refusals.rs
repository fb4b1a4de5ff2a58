//! When `io_uring_enter` fails, nothing that was queued is lost or done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use tests::files::{self, TempFile};
use tests::seccomp::{Call, Supervisor, Verdict, supervise};
use tests::{in_child, or_skip};
use uring::Error;

use crate::common::*;

/// Makes the next `nr` enters that the condition holds for fail with the errno, the rest pass.
fn fail_next(
    nr: usize,
    errno: i32,
    mut condition: impl FnMut(&Call) -> bool + Send + 'static,
) -> Result<Supervisor, String> {
    let mut left = nr;
    supervise(&[libc::SYS_io_uring_enter], move |call| {
        if left == 0 || !condition(call) {
            return Verdict::Pass;
        }
        left -= 1;
        Verdict::Fail(errno)
    })
}

fn submits(call: &Call) -> bool {
    call.arguments[1] > 0
}

#[test]
fn a_failed_submit_changes_nothing_and_can_be_repeated() {
    in_child!(|| {
        let file = TempFile::new(4096);
        let mut buffers = [[0; 16]; 4];
        let mut context = context(4);
        let _supervisor = or_skip!(fail_next(3, libc::EPERM, submits));
        for (name, buffer) in (0..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), name * 16, name);
        }
        for _ in 0..3 {
            let error = context.submit().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            assert!(error.to_string().contains("seccomp"), "{error}");
            assert_eq!((context.queued(), context.in_flight(), context.space()), (4, 0, 0));
            assert!(matches!(context.add_nop(9), Err(Error::NoSpace)));
        }
        assert_eq!(context.submit().unwrap(), 4);
        assert_eq!((context.stats().submitted, context.queued()), (4, 0));
        assert_eq!(all(&mut context), (0..4).map(|name| (name, Ok(16))).collect::<Vec<_>>());
        files::check(buffers.as_flattened(), 0);
    });
}

#[test]
fn a_failed_wait_changes_nothing_and_can_be_repeated() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(4);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        let _supervisor = or_skip!(fail_next(4, libc::EPERM, |_| true));
        nops(&mut context, 2, 2);
        assert_eq!(context.wait().map(Iterator::count).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(context.wait_nr(2).map(Iterator::count).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(
            context.wait_timeout(LONG).map(Iterator::count).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
        let drained = context.drain(|name, _| panic!("{name} completed"));
        assert_eq!(drained.unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!((context.queued(), context.in_flight()), (2, 1));
        assert_eq!(take_nr(&mut context, 2), [(2, Ok(0)), (3, Ok(0))]);
        assert_eq!(context.in_flight(), 1);
    });
}

#[test]
fn completions_that_are_there_come_also_when_enter_is_forbidden() {
    in_child!(|| {
        let mut context = context(4);
        nops(&mut context, 0, 3);
        context.submit().unwrap();
        assert!(readable(&context, LONG));
        or_skip!(tests::seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        assert_eq!(names(context.wait_nr(3).unwrap()), [0, 1, 2]);
        assert_eq!((context.queued(), context.in_flight()), (0, 0));
    });
}

#[test]
fn signals_are_retried_by_every_call() {
    in_child!(|| {
        let mut context = context(4);
        let supervisor = or_skip!(supervise(&[libc::SYS_io_uring_enter], {
            let mut calls = 0;
            move |_| {
                calls += 1;
                if calls % 4 == 0 { Verdict::Pass } else { Verdict::Fail(libc::EINTR) }
            }
        }));
        nops(&mut context, 0, 4);
        assert_eq!(context.submit().unwrap(), 4);
        assert_eq!(take_nr(&mut context, 4).len(), 4);
        nops(&mut context, 0, 4);
        assert_eq!(context.wait_nr(4).unwrap().count(), 4);
        nops(&mut context, 0, 4);
        assert_eq!(sorted(taken(context.wait_timeout(LONG).unwrap())).len(), 4);
        nops(&mut context, 0, 4);
        assert_eq!(all(&mut context).len(), 4);
        assert!(supervisor.calls() >= 16);
    });
}

#[test]
fn without_memory_and_with_nothing_in_flight_the_error_is_the_callers() {
    in_child!(|| {
        let mut context = context(4);
        let _supervisor = or_skip!(fail_next(2, libc::EAGAIN, submits));
        nops(&mut context, 0, 2);
        let error = context.submit().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert!(error.to_string().contains("try again"), "{error}");
        assert_eq!(context.wait().map(Iterator::count).unwrap_err().raw_os_error(), Some(libc::EAGAIN));
        assert_eq!((context.queued(), context.in_flight()), (2, 0));
        assert_eq!(all(&mut context), [(0, Ok(0)), (1, Ok(0))]);
    });
}

#[test]
fn a_kernel_that_wants_completions_taken_first_gets_that() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(4);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        // 0: pass. Only what submits can be refused so.
        let errno = Arc::new(AtomicI32::new(0));
        let supervisor = {
            let errno = Arc::clone(&errno);
            supervise(&[libc::SYS_io_uring_enter], move |call| match errno.load(Ordering::SeqCst) {
                0 => Verdict::Pass,
                _ if !submits(call) => Verdict::Pass,
                errno => Verdict::Fail(errno),
            })
        };
        let supervisor = or_skip!(supervisor);
        for code in [libc::EBUSY, libc::EAGAIN] {
            errno.store(code, Ordering::SeqCst);
            nops(&mut context, 10, 2);
            assert_eq!(context.submit().unwrap(), 0);
            assert_eq!((context.queued(), context.in_flight()), (2, 1));
            pipe.fill();
            // What is in flight comes out of the wait, and the rest stays.
            assert_eq!(taken(context.wait().unwrap()), [(1, Ok(libc::POLLIN as u32))]);
            assert_eq!((context.queued(), context.in_flight()), (2, 0));
            errno.store(0, Ordering::SeqCst);
            pipe.empty();
            poll(&mut context, &pipe.reader, libc::POLLIN, 1);
            assert_eq!(take_nr(&mut context, 2), [(10, Ok(0)), (11, Ok(0))]);
        }
        // It did not spin while it waited.
        assert!(supervisor.calls() < 40, "{} calls", supervisor.calls());
    });
}

#[test]
fn a_timed_wait_ends_also_while_the_kernel_refuses_to_take_more() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(4);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        let refuse = Arc::new(AtomicBool::new(true));
        let condition = {
            let refuse = Arc::clone(&refuse);
            move |call: &Call| submits(call) && refuse.load(Ordering::SeqCst)
        };
        let _supervisor = or_skip!(fail_next(usize::MAX, libc::EBUSY, condition));
        context.add_nop(2).unwrap();
        assert_eq!(taken(context.wait_timeout(Duration::from_millis(20)).unwrap()), []);
        assert_eq!((context.queued(), context.in_flight()), (1, 1));
        refuse.store(false, Ordering::SeqCst);
        assert_eq!(one(&mut context), (2, Ok(0)));
    });
}

#[test]
fn a_wait_gets_in_what_the_kernel_refused_as_soon_as_it_does_not() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(4);
        pipe.fill();
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        let _supervisor = or_skip!(fail_next(1, libc::EAGAIN, submits));
        nops(&mut context, 2, 3);
        let seen = all(&mut context);
        assert_eq!(seen.iter().map(|&(name, _)| name).collect::<Vec<_>>(), [1, 2, 3, 4]);
    });
}

#[test]
fn lost_completions_are_an_error_and_not_waited_for() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(4);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        let _supervisor = or_skip!(fail_next(1, libc::EBADR, |_| true));
        let error = context.wait().map(Iterator::count).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADR));
        assert!(error.to_string().contains("lost completions"), "{error}");
        let said = crate::sandbox::stderr_of(|| drop(context));
        assert!(said.contains("1 requests in flight") || said.contains("1 request in flight"), "{said:?}");
    });
}

#[test]
fn a_request_whose_submit_failed_is_not_done_when_the_context_is_dropped() {
    in_child!(|| {
        let file = TempFile::new(64);
        let data = [0; 64];
        let mut context = context(4);
        let _supervisor = or_skip!(fail_next(1, libc::EPERM, submits));
        write(&mut context, &data, file.file(), 0, 1);
        context.submit().unwrap_err();
        drop(context);
        files::check(&files::pread(file.file(), 0, 64), 0);
    });
}

#[test]
fn the_halves_keep_what_was_refused() {
    in_child!(|| {
        let (mut submitter, mut completer) = context(4).split().unwrap();
        let _supervisor = or_skip!(fail_next(2, libc::EPERM, submits));
        for name in 0..4 {
            submitter.add_nop(name).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(submitter.submit().unwrap_err().raw_os_error(), Some(libc::EPERM));
            assert_eq!((submitter.queued(), completer.in_flight()), (4, 0));
        }
        assert_eq!(submitter.submit().unwrap(), 4);
        assert_eq!(names(completer.wait_nr(4).unwrap()), [0, 1, 2, 3]);
    });
}
