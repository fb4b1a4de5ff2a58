//! Rings that may do less.

use std::os::fd::AsFd;
use std::time::Duration;

use tests::files::{self, TempFile};
use tests::require;
use uring::{Fixed, Op, RegisterOp, Restrictions, URingContext};

use crate::common::*;

fn restricted(restrictions: Restrictions) -> URingContext {
    build(URingContext::builder(8).restrictions(restrictions))
}

const DENIED: Result<u32, i32> = Err(libc::EACCES);

#[test]
fn only_allowed_operations_are_done_and_the_others_hold_up_nothing() {
    let file = TempFile::new(4096);
    let mut buffer = [0; 64];
    let mut context = restricted(Restrictions::new().allow_op(Op::READ).allow_op(Op::FSYNC));
    for round in 0..3 {
        write(&mut context, &[1; 64], file.file(), 0, 0);
        read(&mut context, &mut buffer, file.file(), 8, 1);
        context.add_nop(2).unwrap();
        unsafe { context.add_fsync(file.file(), 3) }.unwrap();
        unsafe { context.add_readv(vec![], file.file(), 0, 4) }.unwrap();
        context.add_timeout(Duration::ZERO, 5).unwrap();
        context.remove_poll_fd(0, 6).unwrap();
        if round == 0 {
            assert_eq!(context.submit().unwrap(), 7);
        }
        let expected = [DENIED, Ok(64), DENIED, Ok(0), DENIED, DENIED, DENIED];
        assert_eq!(all(&mut context), (0..).zip(expected).collect::<Vec<_>>());
        files::check(&buffer, 8);
    }
    files::check(&files::pread(file.file(), 0, 4096), 0);
}

#[test]
fn a_ring_that_allows_nothing_can_be_made_waited_for_and_dropped() {
    let mut context = restricted(Restrictions::new());
    context.add_nop(1).unwrap();
    assert_eq!(one(&mut context), (1, DENIED));
    assert_eq!(context.wait_timeout(LONG).unwrap().count(), 0);
}

#[test]
fn registering_is_denied_unless_allowed() {
    let mut buffer = [0; 16];
    let zero = dev_zero();
    let mut context = restricted(Restrictions::new().allow_op(Op::READ));
    let error = context.register_files(&[zero.as_fd()]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    assert!(error.to_string().contains("restrictions"), "{error}");
    let error = unsafe { context.register_buffers(&[iovec(&mut buffer)]) }.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));

    let allowed = Restrictions::new().allow_op(Op::READ).allow_register(RegisterOp::REGISTER_FILES);
    let mut context = restricted(allowed);
    context.register_files(&[zero.as_fd()]).unwrap();
    let error = context.unregister_files().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    buffer.fill(1);
    read(&mut context, &mut buffer, Fixed(0), 0, 1);
    assert_eq!((one(&mut context), buffer), ((1, Ok(16)), [0; 16]));
}

#[test]
fn fixed_files_can_be_demanded() {
    let file = TempFile::new(4096);
    let mut buffer = [0; 64];
    let restrictions = Restrictions::new()
        .allow_op(Op::READ)
        .allow_op(Op::NOP)
        .allow_register(RegisterOp::REGISTER_FILES)
        .require_fixed_files();
    if !kernel_is_at_least(5, 19) {
        // A cancellation could not carry the flag there, so that a drop would wait for ever.
        let error = try_build(URingContext::builder(8).restrictions(restrictions)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        assert!(error.to_string().contains("5.19"), "{error}");
        return;
    }
    let mut context = restricted(restrictions);
    context.register_files(&[file.file().as_fd()]).unwrap();
    read(&mut context, &mut buffer, file.file(), 0, 0);
    assert_eq!(one(&mut context), (0, DENIED));
    read(&mut context, &mut buffer, Fixed(0), 7, 1);
    read(&mut context, &mut [0], Fixed(1), 7, 2);
    context.add_nop(3).unwrap();
    assert_eq!(all(&mut context), [(1, Ok(64)), (2, Err(libc::EBADF)), (3, DENIED)]);
    files::check(&buffer, 7);
}

/// Drops a ring with reads of an empty pipe in flight, and checks that they are gone.
fn drop_with_reads_in_flight(restrictions: Restrictions) {
    let pipe = Pipe::new();
    let mut byte = [0];
    let mut context = restricted(restrictions);
    context.register_files(&[pipe.reader.as_fd()]).unwrap();
    for name in 0..5 {
        read(&mut context, &mut byte, Fixed(0), 0, name);
    }
    assert_eq!(context.submit().unwrap(), 5);
    drop(context);
    pipe.fill();
    pipe.empty();
    assert_eq!(byte, [0]);
}

#[test]
fn a_drop_cancels_also_on_a_restricted_ring() {
    let restrictions = Restrictions::new().allow_op(Op::READ);
    drop_with_reads_in_flight(restrictions.allow_register(RegisterOp::REGISTER_FILES));
}

#[test]
fn a_drop_cancels_also_on_a_ring_of_fixed_files_only() {
    require!(
        kernel_is_at_least(5, 19),
        "before 5.19 a cancellation may not carry the flag that such a ring demands"
    );
    let restrictions = Restrictions::new().allow_op(Op::READ).require_fixed_files();
    drop_with_reads_in_flight(restrictions.allow_register(RegisterOp::REGISTER_FILES));
}

#[test]
fn cancelling_is_always_allowed() {
    let pipe = Pipe::new();
    let mut context = restricted(Restrictions::new().allow_op(Op::POLL_ADD));
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    context.submit().unwrap();
    context.cancel(1, 2).unwrap();
    assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::ECANCELED)), (2, Ok(0))]);
}

#[test]
fn cancelling_is_allowed_also_on_a_ring_of_fixed_files_only() {
    require!(
        kernel_is_at_least(5, 19),
        "before 5.19 a cancellation may not carry the flag that such a ring demands"
    );
    let pipe = Pipe::new();
    let restrictions = Restrictions::new().allow_op(Op::POLL_ADD).require_fixed_files();
    let mut context = restricted(restrictions.allow_register(RegisterOp::REGISTER_FILES));
    context.register_files(&[pipe.reader.as_fd()]).unwrap();
    poll(&mut context, Fixed(0), libc::POLLIN, 1);
    context.submit().unwrap();
    context.cancel(1, 2).unwrap();
    assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::ECANCELED)), (2, Ok(0))]);
}

#[test]
fn a_restricted_ring_can_be_split_and_bound_to_a_thread() {
    let null = dev_null();
    let restrictions = Restrictions::new().allow_op(Op::NOP);
    let (mut submitter, mut completer) = restricted(restrictions.clone()).split().unwrap();
    submitter.add_nop(1).unwrap();
    submitter.submit().unwrap();
    assert_eq!(names(completer.wait().unwrap()), [1]);

    let mut context = build(URingContext::builder(8).restrictions(restrictions).defer_taskrun());
    unsafe { context.add_fsync(&null, 1) }.unwrap();
    context.add_nop(2).unwrap();
    assert_eq!(all(&mut context), [(1, DENIED), (2, Ok(0))]);
}

#[test]
fn a_probe_of_a_restricted_ring_is_refused_with_the_reason_or_tells_what_needs_no_ring() {
    let context = restricted(Restrictions::new());
    match context.probe() {
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::EACCES));
            assert!(error.to_string().contains("REGISTER_PROBE"), "{error}");
        }
        Ok(probe) => assert!(probe.setup_flags().is_some() && probe.supports(Op::READ)),
    }
    let context = restricted(Restrictions::new().allow_register(RegisterOp::REGISTER_PROBE));
    assert!(context.probe().unwrap().supports(Op::READ));
}
