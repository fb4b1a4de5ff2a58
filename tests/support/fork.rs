//! A true `fork`, for tests about what a forked child may do with what it inherits.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How long a child may live, in seconds; a child that hangs dies of `SIGALRM`.
const LIFE: u32 = 60;

/// Runs the closure in a forked child and gives its answer.
///
/// To be called inside [`in_child!`](crate::in_child!) only: there no other test's thread can hold a lock that the child
/// would wait for. Nothing that the child inherited is dropped in it, except what the closure drops.
///
/// # Panics
/// If the child panics or dies.
pub fn ask(closure: impl FnOnce() -> String) -> String {
    assert!(crate::child::active(), "fork only inside in_child!");
    let (reader, writer) = pipe();
    // SAFETY: this process runs one test on one thread (asserted above as far as can be), so no lock is held by a thread
    // that the child would not have.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        drop(reader);
        // SAFETY: no memory is passed; an earlier alarm of this new process cannot exist.
        unsafe { libc::alarm(LIFE) };
        let answer = catch_unwind(AssertUnwindSafe(closure));
        let status = match answer {
            Ok(text) if File::from(writer).write_all(text.as_bytes()).is_ok() => 0,
            _ => 1,
        };
        // SAFETY: `_exit` takes any status and touches no memory.
        unsafe { libc::_exit(status) }
    }
    drop(writer);
    let mut answer = String::new();
    let read = File::from(reader).read_to_string(&mut answer);
    let mut status = 0;
    // SAFETY: `child` is our own child, not yet waited for; `status` outlives the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child, "waitpid: {}", std::io::Error::last_os_error());
    assert_eq!(status, 0, "the forked child failed (wait status {status:#x})");
    read.expect("the child's answer");
    answer
}

/// Makes a pipe, close-on-exec: (read end, write end).
///
/// # Panics
/// If the system refuses.
#[must_use]
pub fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [-1; 2];
    // SAFETY: `ends` has room for the two descriptors that are written.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0, "pipe2: {}", std::io::Error::last_os_error());
    // SAFETY: `pipe2` succeeded, so this descriptor is new and nobody else owns it.
    let reader = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    (reader, writer)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_comes_back_from_the_forked_child() {
        crate::in_child!(|| {
            let parent = std::process::id();
            assert_eq!(super::ask(|| format!("{}", std::process::id() != parent)), "true");
        });
    }
}
