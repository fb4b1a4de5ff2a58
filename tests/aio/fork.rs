//! After a fork the child can neither submit nor reap, and the parent does not notice the child.

use std::time::Duration;

use aio::{AioContext, Error};
use tests::files::{self, AlignedBuf, TempFile};
use tests::late::Disk;
use tests::{fork, in_child, or_skip};

use crate::common::*;

fn is_forked<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Forked))
}

/// Tries everything that reaches the kernel, in the child, and says what was not refused.
fn try_everything(context: &mut AioContext) -> String {
    let mut wrong = String::new();
    let mut note = |name: &str, refused: bool| {
        if !refused {
            wrong += &format!("{name} was not refused; ");
        }
    };
    note("submit", is_forked(context.submit()));
    note("wait", is_forked(context.wait().map(drop)));
    note("wait_nr", is_forked(context.wait_nr(2).map(drop)));
    note("wait_timeout", is_forked(context.wait_timeout(Duration::ZERO).map(drop)));
    note("completions", is_forked(context.completions().map(drop)));
    note("drain", is_forked(context.drain(|_, _| ())));
    wrong
}

#[test]
fn a_child_of_a_fork_in_mid_flight_is_refused_and_the_parent_is_unaffected() {
    in_child!(|| {
        for force in [false, true] {
            let mut buffers = [AlignedBuf::new(4096), AlignedBuf::new(4096)];
            let mut context = AioContext::builder(8).force_syscall(force).build().unwrap();
            let disk = or_skip!(Disk::held(65536));
            let file = disk.open();
            let null = dev_null();
            for (nr, buffer) in (0..).zip(&mut buffers) {
                read(&mut context, buffer, &file, nr * 4096, nr);
            }
            write(&mut context, b"x", &null, 0, 2);
            assert_eq!(context.submit().unwrap(), 3);
            // One more is queued and not submitted.
            write(&mut context, b"x", &null, 0, 3);
            disk.wait_for_requests(2);
            assert_eq!(fork::ask(|| try_everything(&mut context)), "");
            // A child that drops the context comes back at once, while the disk holds the reads.
            let dropped = fork::ask(|| {
                // SAFETY: a bitwise copy that the child alone drops; the parent's value stays as it is.
                drop(unsafe { std::ptr::read(&raw const context) });
                String::from("dropped")
            });
            assert_eq!(dropped, "dropped");
            assert_eq!((context.queued(), context.in_flight()), (1, 3));
            assert_eq!(take_nr(&mut context, 2), [(2, Ok(1)), (3, Ok(1))]);
            disk.release();
            assert_eq!(take_nr(&mut context, 2), [(0, Ok(4096)), (1, Ok(4096))]);
            files::check(&buffers[0], 0);
            files::check(&buffers[1], 4096);
        }
    });
}

#[test]
fn a_child_does_not_steal_completions_that_wait() {
    in_child!(|| {
        for mut context in both_ways(4) {
            let null = dev_null();
            for nr in 0..4 {
                write(&mut context, b"x", &null, 0, nr);
            }
            assert_eq!(context.submit().unwrap(), 4);
            let child = fork::ask(|| match context.completions() {
                Err(Error::Forked) => String::from("refused"),
                Err(other) => other.to_string(),
                Ok(completions) => format!("{} completions", completions.count()),
            });
            assert_eq!(child, "refused");
            assert!(readable(&context, Duration::ZERO), "the child has not consumed the signal either");
            assert_eq!(take_nr(&mut context, 4), [0, 1, 2, 3].map(|nr| (nr, Ok(1))));
        }
    });
}

#[test]
fn a_child_makes_contexts_of_its_own() {
    in_child!(|| {
        let file = TempFile::new(4096);
        let inherited = context(4);
        let answer = fork::ask(|| {
            let mut buffer = [0; 64];
            let mut own = context(4);
            read(&mut own, &mut buffer, file.file(), 100, 1);
            let taken = one(&mut own);
            files::check(&buffer, 100);
            drop(own);
            format!("{taken:?}")
        });
        assert_eq!(answer, "(1, Ok(64))");
        drop(inherited);
    });
}

#[test]
fn a_child_that_drops_what_it_inherited_keeps_its_own() {
    in_child!(|| {
        let inherited = context(4);
        let answer = fork::ask(|| {
            let null = dev_null();
            // The inherited ring is not mapped here, so this one may get its address, and with it its id.
            let mut own: Vec<_> = (0..4).map(|_| context(4)).collect();
            // SAFETY: a bitwise copy that the child alone drops; the parent's value stays as it is.
            drop(unsafe { std::ptr::read(&raw const inherited) });
            for own in &mut own {
                write(own, b"x", &null, 0, 1);
                assert_eq!(one(own), (1, Ok(1)));
            }
            String::from("kept")
        });
        assert_eq!(answer, "kept");
        drop(inherited);
    });
}

#[test]
fn both_halves_are_refused_in_a_child() {
    in_child!(|| {
        let null = dev_null();
        let (mut submitter, mut completer) = context(4).split().unwrap();
        let _ = unsafe { submitter.add_write(b"x".as_ptr(), 1, &null, 0, 1) }.unwrap();
        assert_eq!(submitter.submit().unwrap(), 1);
        let answer = fork::ask(|| {
            let halves = (submitter.submit(), completer.completions().map(drop), completer.wait().map(drop));
            match halves {
                (Err(Error::Forked), Err(Error::Forked), Err(Error::Forked)) => String::from("refused"),
                other => format!("{other:?}"),
            }
        });
        assert_eq!(answer, "refused");
        assert_eq!(taken(completer.wait().unwrap()), [(1, Ok(1))]);
    });
}

#[test]
fn a_child_of_a_child_is_refused_too() {
    in_child!(|| {
        let mut context = context(4);
        let answer = fork::ask(|| fork::ask(|| try_everything(&mut context)));
        assert_eq!(answer, "");
    });
}
