//! A forked child can neither use what it inherits nor disturb its parent by it.

use std::fmt::Write;
use std::os::fd::AsRawFd;
use std::time::Duration;

use tests::files::TempFile;
use tests::fork::ask;
use tests::{in_child, or_skip};
use uring::{Completer, Error, Submitter};

use crate::common::*;

/// A child's own copy of what lives in its parent; only for a child that exits before it would be dropped again.
fn copy<T>(inherited: &T) -> T {
    unsafe { std::ptr::read(inherited) }
}

/// Writes down which of the calls of a list did not fail with `Forked`.
macro_rules! not_forked {
    ($($call:expr),+ $(,)?) => {{
        let mut text = String::new();
        $(match $call {
            Err(Error::Forked) => {}
            other => writeln!(text, "{}: {:?}", stringify!($call), other.map(drop)).unwrap(),
        })+
        text
    }};
}

#[test]
fn every_method_of_a_forked_child_says_so() {
    in_child!(|| {
        let file = TempFile::new(4096);
        let mut buffer = [0; 8];
        let pointer = buffer.as_mut_ptr();
        let parts = [iovec(&mut buffer)];
        let (pipe, file) = (Pipe::new(), file.file());
        let mut context = context(8);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        context.add_nop(2).unwrap();
        let answer = ask(|| unsafe {
            let adds = not_forked![
                context.add_nop(9),
                context.add_timeout(LONG, 9),
                context.cancel(1, 9),
                context.remove_poll_fd(1, 9),
                context.add_read(pointer, 8, file, 0, 9),
                context.add_write(pointer, 8, file, 0, 9),
                context.add_read_fixed(pointer, 8, 0, file, 0, 9),
                context.add_write_fixed(pointer, 8, 0, file, 0, 9),
                context.add_readv(parts.to_vec(), file, 0, 9).map_err(Error::from),
                context.add_writev(parts.to_vec(), file, 0, 9).map_err(Error::from),
                context.add_readv_iter(parts, file, 0, 9),
                context.add_writev_iter(parts, file, 0, 9),
                context.add_fsync(file, 9),
                context.add_fdatasync(file, 9),
                context.add_fallocate(file, 0, 1, 0, 9),
                context.add_poll_fd(file, libc::POLLIN, 9),
            ];
            let rest = not_forked![
                context.submit(),
                context.wait(),
                context.wait_nr(1),
                context.wait_timeout(Duration::ZERO),
                context.completions(),
                context.drain(|name, _| panic!("{name} completed")),
                context.register_files(&[]),
                context.register_files_sparse(1),
                context.update_files(0, &[]),
                context.unregister_files(),
                context.register_buffers(&[]),
                context.unregister_buffers(),
                copy(&context).split(),
            ];
            adds + &rest
        });
        assert_eq!(answer, "");
        pipe.fill();
        assert_eq!(all(&mut context), [(1, Ok(libc::POLLIN as u32)), (2, Ok(0))]);
    });
}

#[test]
fn a_forked_child_may_look_at_the_context() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(8);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        context.add_nop(2).unwrap();
        let answer = ask(|| {
            let counts = (context.queued(), context.in_flight(), context.space());
            let looks = (context.stats(), context.features(), context.setup_flags(), context.as_raw_fd());
            assert!(!format!("{looks:?} {context:?}").is_empty());
            assert_eq!(looks.1, context.features());
            format!("{counts:?}")
        });
        // The child owns nothing that was queued or in flight.
        assert!(answer.starts_with("(0, 0, "), "{answer}");
        assert_eq!((context.queued(), context.in_flight(), context.space()), (1, 1, 7));
    });
}

#[test]
fn a_forked_child_may_look_at_the_halves() {
    in_child!(|| {
        let (mut submitter, completer) = context(8).split().unwrap();
        submitter.add_nop(1).unwrap();
        submitter.submit().unwrap();
        submitter.add_nop(2).unwrap();
        let answer = ask(|| {
            assert!(!format!("{submitter:?} {completer:?}").is_empty());
            assert_eq!((submitter.stats().completed, completer.stats().submitted), (0, 0));
            format!("{:?}", (submitter.queued(), completer.in_flight()))
        });
        assert_eq!(answer, "(0, 0)");
    });
}

#[test]
fn a_child_that_drops_the_context_leaves_the_parents_requests_alone() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut buffer = [0; 1];
        let mut context = context(8);
        read(&mut context, &mut buffer, &pipe.reader, 0, 1);
        context.submit().unwrap();
        context.add_nop(2).unwrap();
        for _ in 0..3 {
            ask(|| {
                drop(copy(&context));
                String::new()
            });
            assert_eq!((context.queued(), context.in_flight()), (1, 1));
        }
        assert_eq!(one(&mut context), (2, Ok(0)));
        pipe.fill();
        assert_eq!(one(&mut context), (1, Ok(1)));
        assert_eq!(&buffer, b"x");
        nops(&mut context, 0, 8);
        assert_eq!(all(&mut context).len(), 8);
    });
}

#[test]
fn both_halves_of_a_forked_child_say_so_and_can_be_dropped() {
    in_child!(|| {
        let pipe = Pipe::new();
        let (mut submitter, mut completer) = context(8).split().unwrap();
        unsafe { submitter.add_poll_fd(&pipe.reader, libc::POLLIN, 1) }.unwrap();
        submitter.submit().unwrap();
        for whole in [false, true] {
            let answer = ask(|| {
                let (mut submitter, mut completer) = (copy(&submitter), copy(&completer));
                let mut text = not_forked![
                    submitter.add_nop(9),
                    submitter.submit(),
                    completer.wait(),
                    completer.wait_nr(1),
                    completer.wait_timeout(Duration::ZERO),
                    completer.completions(),
                ];
                if whole {
                    let mut context = submitter.reunite(completer).unwrap();
                    text += &not_forked![context.wait()];
                }
                text
            });
            assert_eq!(answer, "");
        }
        submitter.add_nop(2).unwrap();
        submitter.submit().unwrap();
        assert_eq!(taken(completer.wait().unwrap()), [(2, Ok(0))]);
        pipe.fill();
        assert_eq!(taken(completer.wait().unwrap()), [(1, Ok(libc::POLLIN as u32))]);
    });
}

#[test]
fn a_child_that_drops_a_submitter_does_not_keep_the_parents_completer_busy() {
    in_child!(|| {
        let (submitter, mut completer): (Submitter, Completer) = context(8).split().unwrap();
        ask(|| {
            drop(copy(&submitter));
            String::new()
        });
        let polls = or_skip!(tests::seccomp::supervise(&[libc::SYS_ppoll, libc::SYS_poll], |_| {
            tests::seccomp::Verdict::Pass
        }));
        assert_eq!(taken(completer.wait_timeout(Duration::from_millis(200)).unwrap()), []);
        // One sleep, or a few; one that does not sleep makes thousands.
        assert!(polls.calls() < 20, "{} calls", polls.calls());
        drop(submitter);
        assert_eq!(taken(completer.wait().unwrap()), []);
    });
}

#[test]
fn a_forked_child_has_no_mapping_of_the_ring() {
    in_child!(|| {
        let mapped = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            maps.lines().filter(|line| line.contains("io_uring")).count().to_string()
        };
        let context = context(8);
        assert_eq!(mapped(), "2");
        assert_eq!(ask(mapped), "0");
        drop(context);
        assert_eq!(mapped(), "0");
    });
}

#[test]
fn a_forked_child_can_make_its_own_context() {
    in_child!(|| {
        let mut context = context(8);
        context.add_nop(1).unwrap();
        context.submit().unwrap();
        let answer = ask(|| {
            let mut own = crate::common::context(8);
            nops(&mut own, 0, 8);
            let first = all(&mut own).len();
            drop(copy(&context));
            nops(&mut own, 0, 8);
            format!("{first} {}", all(&mut own).len())
        });
        assert_eq!(answer, "8 8");
        assert_eq!(one(&mut context), (1, Ok(0)));
    });
}

#[test]
fn a_grandchild_is_a_forked_child_too() {
    in_child!(|| {
        let context = context(8);
        let answer = ask(|| {
            ask(|| {
                let mut inherited = copy(&context);
                not_forked![inherited.add_nop(1), inherited.wait()]
            })
        });
        assert_eq!(answer, "");
    });
}

#[test]
fn a_child_of_a_child_with_a_context_of_its_own_inherits_two_that_it_cannot_use() {
    in_child!(|| {
        let context = context(8);
        let answer = ask(|| {
            let own = crate::common::context(8);
            ask(|| not_forked![copy(&context).add_nop(1), copy(&own).add_nop(1)])
        });
        assert_eq!(answer, "");
    });
}

#[test]
fn the_descriptors_close_when_a_program_is_executed() {
    let context = context(8);
    let flags = unsafe { libc::fcntl(context.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
}
