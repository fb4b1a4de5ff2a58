//! Rings that may do less, and threads whose rings may.

use std::os::fd::AsFd;

use tests::files::TempFile;
use tests::{in_child, require, require_newer};
use uring::op::poll::PollAdd;
use uring::op::ring::Nop;
use uring::op::rw::Read;
use uring::ring::Builder;
use uring::{Fixed, Op, RegisterOp, Restrictions, Ring, Sqe, SqeFlags, URingContext};

use super::common::*;

const DENIED: Result<u32, i32> = Err(libc::EACCES);

fn disabled() -> Ring {
    Ring::builder(8).disabled().build().unwrap()
}

#[test]
fn a_disabled_ring_is_restricted_once_and_from_when_it_is_enabled_on() {
    let zero = std::fs::File::open("/dev/zero").unwrap();
    let restrictions = Restrictions::new().allow_op(Op::NOP).allow_register(RegisterOp::UNREGISTER_FILES);
    let mut ring = disabled();
    ring.registrar().register_restrictions(&restrictions).unwrap();
    refused(ring.registrar().register_restrictions(&restrictions), libc::EBUSY, "takes them once");
    ring.registrar().register_files(&[zero.as_fd().into()]).unwrap();
    ring.enable().unwrap();
    assert_eq!(run(&mut ring, Nop::new()), Ok(0));
    assert_eq!(run(&mut ring, unsafe { PollAdd::new(&zero, 0) }), DENIED);
    assert_eq!(run(&mut ring, Nop::new().flags(SqeFlags::ASYNC)), DENIED);
    ring.registrar().unregister_files().unwrap();
    refused(ring.registrar().register_files(&[zero.as_fd().into()]), libc::EACCES, "restrictions");
    ring.close().unwrap();
}

#[test]
fn a_ring_that_is_enabled_is_not_restricted_any_more() {
    let mut ring = disabled();
    ring.enable().unwrap();
    let restrictions = Restrictions::new().allow_op(Op::READ);
    refused(ring.registrar().register_restrictions(&restrictions), libc::EBADFD, "enabled");
    assert_eq!(run(&mut ring, Nop::new()), Ok(0));
    let unknown = Restrictions::new().allow_op(Op::new(255));
    refused(disabled().registrar().register_restrictions(&unknown), libc::EINVAL, "does not know");
}

#[test]
fn flags_of_requests_are_allowed_and_required() {
    let builder = |restrictions: Restrictions| -> Builder<'static> {
        Ring::builder(8).restrictions(restrictions.allow_op(Op::NOP))
    };
    let mut ring = builder(Restrictions::new().allow_flags(SqeFlags::IO_LINK)).build().unwrap();
    assert_eq!(run(&mut ring, Nop::new().flags(SqeFlags::IO_LINK)), Ok(0));
    assert_eq!(run(&mut ring, Nop::new().flags(SqeFlags::ASYNC)), DENIED);
    ring.close().unwrap();

    let asynchronous = Restrictions::new().require_flags(SqeFlags::ASYNC);
    if !kernel_is_at_least(5, 19) {
        refused(builder(asynchronous).build().map(drop), libc::EOPNOTSUPP, "5.19");
        tests::skip!("Linux 5.19");
    }
    let mut ring = builder(asynchronous).build().unwrap();
    assert_eq!(run(&mut ring, Nop::new().flags(SqeFlags::ASYNC)), Ok(0));
    assert_eq!(run(&mut ring, Nop::new()), DENIED);
    assert_eq!(run(&mut ring, Nop::new().flags(SqeFlags::ASYNC | SqeFlags::IO_LINK)), DENIED);
    ring.close().unwrap();
    for flag in [SqeFlags::IO_DRAIN, SqeFlags::BUFFER_SELECT, SqeFlags::CQE_SKIP_SUCCESS] {
        let required = builder(Restrictions::new().require_flags(SqeFlags::ASYNC | flag));
        refused(required.build().map(drop), libc::EINVAL, "cannot be required");
    }
}

/// Ends a ring with a read of an empty pipe in flight, and sees that it is gone.
fn ends(restrictions: Restrictions, file: bool) {
    let (reader, writer) = pipe();
    let mut byte = [0];
    let restrictions = restrictions.allow_op(Op::READ).allow_register(RegisterOp::REGISTER_FILES);
    let mut ring: Ring = Ring::builder(8).restrictions(restrictions).build().unwrap();
    ring.registrar().register_files(&[reader.as_fd().into()]).unwrap();
    let read = unsafe { Read::new(Fixed(0), byte.as_mut_ptr(), 1, 0) };
    ring.push(read).unwrap();
    if file {
        ring.push(Nop::new()).unwrap();
    }
    ring.submit().unwrap();
    ring.close().unwrap();
    std::io::Write::write_all(&mut &writer, b"x").unwrap();
    assert_eq!(byte, [0]);
}

#[test]
fn a_restricted_ring_ends_whatever_others_send() {
    let made = unsafe { uring::op::net::SendZc::new(Fixed(0), std::ptr::null(), 0, 0) };
    ends(Restrictions::new().allow_op(Op::NOP), true);
    drop(made);
}

#[test]
fn a_restricted_ring_cancels_and_waits_as_it_ends() {
    ends(Restrictions::new(), true);
    ends(Restrictions::new().allow_op(Op::NOP), true);
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    ends(Restrictions::new().require_fixed_files(), false);
    ends(Restrictions::new().require_flags(SqeFlags::FIXED_FILE | SqeFlags::IO_LINK), false);
}

/// Runs the closure in a thread of its own that may not gain privileges.
fn in_a_thread(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
            test();
        });
        thread.join().unwrap();
    });
}

#[test]
fn the_rings_of_a_restricted_thread_do_what_is_allowed_and_end() {
    if !kernel_is_at_least(7, 0) {
        in_a_thread(|| {
            let refused = Restrictions::new().allow_op(Op::NOP).restrict_thread().unwrap_err();
            assert!(matches!(refused.raw_os_error(), Some(libc::EINVAL | libc::EBADF)), "{refused}");
            assert!(refused.to_string().contains("older than 7.0"), "{refused}");
        });
    }
    require_newer!(kernel_is_at_least(7, 0), "Linux 7.0");
    let file = TempFile::new(100);
    in_a_thread(|| {
        let restrictions = Restrictions::new().allow_op(Op::READ);
        let required = restrictions.clone().require_fixed_files().restrict_thread();
        refused(required, libc::EINVAL, "required flags");
        restrictions.restrict_thread().unwrap();
        refused(restrictions.restrict_thread(), libc::EPERM, "takes them once");
        let (reader, _writer) = pipe();
        let mut buffer = [0; 10];
        let mut ring = ring(8);
        let read = |file: &std::fs::File, buffer: &mut [u8]| -> Sqe {
            unsafe { Read::new(file, buffer.as_mut_ptr(), buffer.len(), 0) }.into()
        };
        assert_eq!(run(&mut ring, read(file.file(), &mut buffer)), Ok(10));
        assert_eq!(run(&mut ring, Nop::new()), DENIED);
        refused(ring.registrar().register_files_sparse(1), libc::EACCES, "restrictions");
        ring.push(read(&reader, &mut buffer)).unwrap();
        ring.submit().unwrap();
        ring.close().unwrap();

        let mut context = URingContext::new(8).unwrap();
        context.add_nop(1).unwrap();
        assert_eq!(context.wait().unwrap().count(), 1);
        let bound = Ring::builder(8).single_issuer().defer_taskrun().build();
        let mut bound: Ring = bound.unwrap();
        assert_eq!(run(&mut bound, Nop::new()), DENIED);
    });
    let mut free = ring(8);
    assert_eq!(run(&mut free, Nop::new()), Ok(0), "other threads are not restricted");
}

#[test]
fn restricting_a_thread_takes_that_it_gains_no_privileges() {
    require_newer!(kernel_is_at_least(7, 0), "Linux 7.0");
    in_child!(|| {
        let refusal = std::thread::spawn(|| {
            drop_privileges();
            Restrictions::new().allow_op(Op::NOP).restrict_thread()
        });
        refused(refusal.join().unwrap(), libc::EACCES, "PR_SET_NO_NEW_PRIVS");
    });
}
