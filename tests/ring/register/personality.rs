//! Credentials that requests run with.

use std::os::fd::{FromRawFd, OwnedFd};

use tests::files::TempFile;
use tests::require;
use uring::op::file::{CWD, Openat};
use uring::op::ring::Nop;
use uring::ring::Personality;
use uring::{Op, Ring};

use super::common::*;
use crate::ops::common::c_path;

/// Makes the calling thread, and no other, somebody who owns nothing.
fn become_nobody() {
    const NOBODY: u32 = 65534;
    assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) }, 0);
}

#[test]
fn a_request_runs_with_the_credentials_that_it_names() {
    require!(unsafe { libc::geteuid() } == 0, "privileges to give up");
    let file = TempFile::new(10);
    let path = c_path(file.path());
    let mut ring = ring(4);
    require!(has(&ring, Op::OPENAT), "Linux 5.6");
    let open = |ring: &mut Ring, personality: Option<Personality>| {
        let open = unsafe { Openat::new(CWD, path.as_ptr(), libc::O_RDONLY, 0) };
        let opened = match personality {
            Some(personality) => run(ring, open.personality(personality)),
            None => run(ring, open),
        };
        opened.map(|fd| drop(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let root = ring.registrar().register_personality().unwrap();
            assert_eq!(open(&mut ring, None), Ok(()));
            become_nobody();
            assert_eq!(open(&mut ring, None), Err(libc::EACCES));
            assert_eq!(open(&mut ring, Some(root)), Ok(()));
            let nobody = ring.registrar().register_personality().unwrap();
            assert_ne!(root, nobody);
            assert_eq!(open(&mut ring, Some(nobody)), Err(libc::EACCES));
            ring.registrar().unregister_personality(root).unwrap();
            assert_eq!(open(&mut ring, Some(root)), Err(libc::EINVAL));
        });
        thread.join().unwrap();
    });
}

#[test]
fn credentials_that_are_not_registered_are_refused() {
    let (mut ring, other) = (ring(4), ring(4));
    let unknown = Personality::from_raw(77);
    refused(ring.registrar().unregister_personality(unknown), libc::EINVAL, "not registered");
    assert_eq!(run(&mut ring, Nop::new().personality(unknown)), Err(libc::EINVAL));
    let known = ring.registrar().register_personality().unwrap();
    assert_eq!(run(&mut ring, Nop::new().personality(known)), Ok(0));
    refused(other.registrar().unregister_personality(known), libc::EINVAL, "not registered");
    ring.registrar().unregister_personality(known).unwrap();
    refused(ring.registrar().unregister_personality(known), libc::EINVAL, "not registered");
    assert_eq!(run(&mut ring, Nop::new().personality(known)), Err(libc::EINVAL));
}
