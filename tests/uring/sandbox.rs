//! Where io_uring is forbidden, before or after the context was made, the text says by what.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use tests::files::{self, AlignedBuf};
use tests::late::Disk;
use tests::{guest_only, in_child, or_skip, seccomp};
use uring::{Restrictions, URingContext};

use crate::common::*;

/// What is written to the standard error meanwhile; in a child process only.
pub(crate) fn stderr_of(action: impl FnOnce()) -> String {
    assert!(tests::child::active(), "standard error is redirected only inside in_child!");
    let (reader, writer) = tests::fork::pipe();
    let kept = std::io::stderr().as_fd().try_clone_to_owned().unwrap();
    let redirect = |to: &OwnedFd| assert_eq!(unsafe { libc::dup2(to.as_raw_fd(), 2) }, 2);
    redirect(&writer);
    action();
    redirect(&kept);
    drop(writer);
    let mut text = String::new();
    std::fs::File::from(reader).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_sandbox_that_forbids_set_up_is_named() {
    in_child!(|| {
        let _permit = setup_lock(libc::LOCK_SH);
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_setup, libc::EPERM)]));
        let error = URingContext::new(8).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        let text = error.to_string();
        assert!(text.starts_with("io_uring_setup: ") && text.contains("seccomp"), "{text}");
        assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::PermissionDenied);
    });
}

#[test]
fn a_sandbox_that_hides_set_up_is_named_beside_the_kernels_configuration() {
    in_child!(|| {
        let _permit = setup_lock(libc::LOCK_SH);
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_setup, libc::ENOSYS)]));
        let error = URingContext::builder(8).defer_taskrun().build().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSYS));
        let text = error.to_string();
        assert!(text.contains("CONFIG_IO_URING") && text.contains("seccomp"), "{text}");
    });
}

/// Sets the system's switch until it is dropped.
struct Disabled(String);

impl Disabled {
    const PATH: &str = "/proc/sys/kernel/io_uring_disabled";

    fn now() -> std::io::Result<Disabled> {
        std::fs::read_to_string(Self::PATH).map(Disabled)
    }

    fn set(&self, value: &str) {
        std::fs::write(Self::PATH, value).expect("the switch");
    }
}

impl Drop for Disabled {
    fn drop(&mut self) {
        self.set(&self.0);
    }
}

#[test]
fn the_systems_switch_is_named() {
    guest_only!("turns kernel.io_uring_disabled");
    let _nobody_else = setup_lock(libc::LOCK_EX);
    let switch =
        or_skip!(Disabled::now().map_err(|error| format!("no kernel.io_uring_disabled before 6.6: {error}")));
    switch.set("2");
    let error = URingContext::new(8).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    assert!(error.to_string().contains("kernel.io_uring_disabled=2"), "{error}");

    switch.set("1");
    // Privileged processes may, others may not.
    drop(URingContext::new(8).unwrap());
    let unprivileged = std::thread::spawn(|| {
        give_up_privileges();
        URingContext::new(8).unwrap_err()
    });
    let error = unprivileged.join().unwrap();
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    assert!(error.to_string().contains("kernel.io_uring_disabled=1"), "{error}");
}

/// Gives up all privileges of this thread, and of no other; it stays the same user.
pub(crate) fn give_up_privileges() {
    const VERSION: u32 = 0x2008_0522;
    let header = [VERSION, 0];
    let none = [0_u32; 6];
    assert_eq!(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }, 0);
}

#[test]
fn used_up_descriptors_are_named() {
    in_child!(|| {
        let _permit = setup_lock(libc::LOCK_SH);
        tests::limits::set(libc::RLIMIT_NOFILE, 3);
        let error = URingContext::new(8).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
    });
}

#[test]
fn a_split_without_a_descriptor_to_spare_fails_and_ends_the_context() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut byte = [0];
        let mut context = context(8);
        read(&mut context, &mut byte, &pipe.reader, 0, 1);
        context.submit().unwrap();
        tests::limits::set(libc::RLIMIT_NOFILE, 3);
        let error = context.split().map(drop).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        pipe.fill();
        pipe.empty();
        assert_eq!(byte, [0]);
    });
}

#[test]
fn without_register_everything_else_works() {
    in_child!(|| {
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_register, libc::EPERM)]));
        let pipe = Pipe::new();
        let mut byte = [0];
        let mut context = context(8);
        for _ in 0..3 {
            nops(&mut context, 0, 8);
            assert_eq!(all(&mut context).len(), 8);
        }
        let error = context.register_files(&[pipe.reader.as_fd()]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        // What was in flight is cancelled by the drop.
        read(&mut context, &mut byte, &pipe.reader, 0, 1);
        context.submit().unwrap();
        drop(context);
        pipe.fill();
        pipe.empty();
        let refused = try_build(URingContext::builder(8).restrictions(Restrictions::new()));
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM));
        // A ring that is bound to its thread is made disabled and cannot be enabled without.
        if let Ok(mut context) = try_build(URingContext::builder(8).defer_taskrun()) {
            context.add_nop(1).unwrap();
            assert!(context.wait().map(Iterator::count).is_err());
            assert_eq!((context.queued(), context.in_flight()), (1, 0));
        }
    });
}

#[test]
fn a_drop_that_may_not_wait_says_so_and_does_not_hang() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut bytes = [0; 3];
        let mut context = context(8);
        for (name, byte) in (0..).zip(bytes.chunks_mut(1)) {
            read(&mut context, byte, &pipe.reader, 0, name);
        }
        context.submit().unwrap();
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        context.add_nop(4).unwrap();
        let error = context.wait().map(Iterator::count).unwrap_err();
        assert!(error.to_string().contains("seccomp"), "{error}");
        let said = stderr_of(|| drop(context));
        assert!(said.contains("3 requests in flight") && said.contains("leaked"), "{said:?}");
    });
}

#[test]
fn a_drop_with_nothing_in_flight_says_nothing() {
    in_child!(|| {
        let mut context = context(8);
        nops(&mut context, 0, 4);
        context.submit().unwrap();
        assert!(readable(&context, LONG));
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        context.add_nop(4).unwrap();
        assert_eq!(stderr_of(|| drop(context)), "");
    });
}

#[test]
fn a_leaked_ring_lets_its_reads_end_as_they_would() {
    in_child!(|| {
        let mut buffer = AlignedBuf::new(4096);
        let mut context = context(4);
        let disk = or_skip!(Disk::held(65536));
        let file = disk.open();
        read(&mut context, &mut buffer, &file, 4096, 1);
        context.submit().unwrap();
        disk.wait_for_requests(1);
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        let said = stderr_of(|| drop(context));
        assert!(said.contains("1 request"), "{said:?}");
        // The memory was not freed, as the text demands; what is read comes late.
        assert!(buffer.iter().all(|&byte| byte == 0));
        disk.release();
        let start = Instant::now();
        // The kernel writes it: nothing else in this process tells when.
        while unsafe { buffer.as_ptr().add(4095).read_volatile() } == 0 && start.elapsed() < LONG {
            std::thread::yield_now();
        }
        files::check(&buffer, 4096);
    });
}

#[test]
fn halves_that_may_not_wait_say_so_once() {
    in_child!(|| {
        let pipe = Pipe::new();
        let (mut submitter, completer) = context(8).split().unwrap();
        unsafe { submitter.add_poll_fd(&pipe.reader, libc::POLLIN, 1) }.unwrap();
        submitter.submit().unwrap();
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        assert_eq!(stderr_of(|| drop(submitter)), "");
        let said = stderr_of(|| drop(completer));
        assert_eq!(said.matches("leaked").count(), 1, "{said:?}");
    });
}
