//! What the errors say.

use std::io;

use aio::{AioContext, Error};
use tests::files;
use tests::seccomp;
use tests::{in_child, or_skip};

use crate::common::*;

#[track_caller]
fn refused(nr: usize) -> Error {
    AioContext::new(nr).map(drop).expect_err("no such context")
}

#[test]
fn a_context_for_no_operations_is_refused() {
    let error = refused(0);
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
}

#[test]
fn a_context_for_a_billion_operations_is_refused_with_a_text() {
    for nr in [1 << 30, 1 << 31, 1 << 32, (1 << 32) + 5, usize::MAX / 2, usize::MAX] {
        let error = refused(nr);
        assert!(matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EAGAIN)), "{nr}: {error:?}");
        assert!(error.to_string().len() > 20, "{error}");
    }
}

#[test]
fn too_many_for_the_system_is_told_with_both_numbers() {
    let limit = or_skip!(files::aio_max_nr());
    let error = refused(usize::try_from(limit).unwrap() + 1);
    let text = error.to_string();
    assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{text}");
    assert!(text.contains("aio-max-nr") && text.contains("aio-nr"), "{text}");
    assert!(text.contains(&limit.to_string()), "the limit {limit}: {text}");
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).count();
    assert!(numbers >= 2, "both numbers: {text}");
}

#[test]
fn an_exhausted_limit_played_by_a_filter_is_told_with_both_numbers() {
    in_child!(|| {
        or_skip!(seccomp::fail(&[(libc::SYS_io_setup, libc::EAGAIN)]));
        let error = refused(8);
        let text = error.to_string();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{text}");
        assert!(text.contains(&or_skip!(files::aio_max_nr()).to_string()), "{text}");
        assert!(text.contains("aio-nr"), "{text}");
    });
}

#[test]
fn a_kernel_or_sandbox_without_aio_is_named() {
    in_child!(|| {
        let mut errnos = [libc::EPERM, libc::ENOSYS].into_iter();
        let decide = move |_: &seccomp::Call| match errnos.next() {
            Some(errno) => seccomp::Verdict::Fail(errno),
            None => seccomp::Verdict::Pass,
        };
        let _supervisor = or_skip!(seccomp::supervise(&[libc::SYS_io_setup], decide));
        for errno in [libc::EPERM, libc::ENOSYS] {
            let error = refused(8);
            let text = error.to_string();
            assert_eq!(error.raw_os_error(), Some(errno), "{text}");
            assert!(text.contains("io_setup"), "the call is named: {text}");
        }
        drop(context(8));
    });
}

#[test]
fn a_refused_eventfd_leaks_no_context() {
    in_child!(|| {
        or_skip!(seccomp::fail(&[(libc::SYS_eventfd2, libc::EMFILE)]));
        let error = refused(8);
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        assert_eq!(files::aio_rings(), 0);
    });
}

#[test]
fn errors_become_io_errors_with_kind_and_positive_errno() {
    let error = refused(0);
    let errno = error.raw_os_error();
    let error = io::Error::from(error);
    assert_eq!(error.raw_os_error().or(errno), Some(libc::EINVAL));
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn no_space_is_an_answer_with_a_text_and_without_errno() {
    assert!(!Error::NoSpace.to_string().is_empty());
    assert_eq!(Error::NoSpace.raw_os_error(), None);
    let _: io::Error = Error::NoSpace.into();
    assert!(!Error::Forked.to_string().is_empty());
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(Error::NoSpace);
    assert!(!boxed.to_string().is_empty());
}

#[test]
fn rejected_vectors_turn_into_the_error() {
    fn add(context: &mut AioContext, null: &std::fs::File) -> Result<(), Error> {
        // SAFETY: as said in `main.rs`; no vectors, no memory.
        let _ = unsafe { context.add_writev(Vec::new(), null, 0, 1) }?;
        Ok(())
    }
    let null = dev_null();
    let mut context = context(1);
    add(&mut context, &null).unwrap();
    assert!(matches!(add(&mut context, &null), Err(Error::NoSpace)));
    assert_eq!(all(&mut context), [(1, Ok(0))]);
}
