//! Processes.

use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use tests::{in_child, require};
use uring::Op;
use uring::op::process::Waitid;

use super::common::{has, push, ring, run};

#[test]
fn a_child_is_waited_for_and_told_of() {
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let mut ring = ring();
    require!(has(&ring, Op::WAITID), "Linux 6.7");
    let mut child =
        Command::new("sh").args(["-c", "read line; exit 7"]).stdin(Stdio::piped()).spawn().expect("a child");
    // It stays for `wait` below, so that nobody's books are wrong.
    let options = libc::WEXITED | libc::WNOWAIT;
    let request = unsafe { Waitid::pid(child.id(), options).info(&raw mut info) };
    push(&mut ring, request.user_data(3));
    assert_eq!(ring.submit().unwrap(), 1);
    assert!(ring.completions().unwrap().next().is_none(), "the child lives");
    drop(child.stdin.take());
    let cqe = ring.wait(1).unwrap().next().unwrap();
    assert_eq!((cqe.user_data(), cqe.result().unwrap()), (3, 0));
    assert_eq!((info.si_signo, info.si_code), (libc::SIGCHLD, libc::CLD_EXITED));
    assert_eq!(unsafe { (info.si_pid(), info.si_status()) }, (child.id() as i32, 7));
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn who_is_no_child_is_not_waited_for() {
    let mut ring = ring();
    require!(has(&ring, Op::WAITID), "Linux 6.7");
    let init = Waitid::pid(1, libc::WEXITED);
    assert_eq!(run(&mut ring, init), Err(libc::ECHILD));
    assert_eq!(run(&mut ring, Waitid::pid(1, 0)), Err(libc::EINVAL), "for nothing");
}

/// By all names that it has: its descriptor, its group, which it has alone, and as one of all.
#[test]
fn a_child_has_many_names() {
    require!(has(&ring(), Op::WAITID), "Linux 6.7");
    // Nobody else has a child there.
    in_child!(|| {
        let mut ring = ring();
        let mut child = Command::new("true").process_group(0).spawn().expect("a child");
        let group = child.id();
        let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, group, 0) };
        assert!(pidfd >= 0);
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd as i32) };
        let options = libc::WEXITED | libc::WNOWAIT;
        assert_eq!(run(&mut ring, unsafe { Waitid::pidfd(&pidfd, options) }), Ok(0));
        assert_eq!(run(&mut ring, Waitid::group(group, options)), Ok(0));
        assert_eq!(run(&mut ring, Waitid::any(options)), Ok(0));
        assert!(child.wait().unwrap().success());
        assert_eq!(run(&mut ring, Waitid::group(group, options)), Err(libc::ECHILD));
        assert_eq!(run(&mut ring, Waitid::any(options)), Err(libc::ECHILD));
        assert_eq!(run(&mut ring, unsafe { Waitid::pidfd(&pidfd, options) }), Err(libc::ECHILD));
        let no_pidfd = std::io::stdin();
        assert_eq!(run(&mut ring, unsafe { Waitid::pidfd(no_pidfd, options) }), Err(libc::EBADF));
    });
}
