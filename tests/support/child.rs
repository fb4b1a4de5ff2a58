//! A test that needs a process of its own: the binary runs itself again for that one test.
//!
//! A new process, not a fork: seccomp filters, resource limits and leaked contexts stay in it, and no lock of another
//! test's thread is inherited.

use std::process::{Command, Output};

const MARK: &str = "TEST_CHILD";
/// What the child exits with when the closure has returned, and nothing else does.
const RAN: i32 = 42;

/// Runs the closure in a child process that runs only this test, and fails if it fails there.
///
/// At most one in a test. What stands before it runs in the child too and is never dropped there, so make files and
/// disks inside. Skips inside the closure are forwarded.
#[macro_export]
macro_rules! in_child {
    ($closure:expr) => {
        $crate::child::run($crate::test_name!(), $closure)
    };
}

/// Says whether this process is a child of [`in_child!`].
#[must_use]
pub fn active() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Does the work of [`in_child!`] for the test of that name.
///
/// # Panics
/// If the closure panics in the child, or the child dies otherwise.
pub fn run(test: &str, closure: impl FnOnce()) {
    if active() {
        closure();
        // SAFETY: `_exit` takes any status and touches no memory. The harness has nothing left to do: its verdict is ours.
        unsafe { libc::_exit(RAN) }
    }
    let binary = std::env::current_exe().expect("the path of the test binary");
    let output = Command::new(binary)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, test)
        .output()
        .expect("starting the test binary again");
    let Output { status, stdout, stderr } = output;
    let stderr = String::from_utf8_lossy(&stderr);
    for line in stderr.lines().filter(|line| line.starts_with("SKIP ")) {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{line}\n"));
    }
    assert!(
        status.code() == Some(RAN),
        "{test} in a child process: {status}\n{}\n{stderr}",
        String::from_utf8_lossy(&stdout)
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_closure_runs_in_another_process() {
        let parent = std::process::id();
        crate::in_child!(|| {
            assert_ne!(std::os::unix::process::parent_id(), 0);
            assert!(super::active());
        });
        assert_eq!(parent, std::process::id());
        assert!(!super::active());
    }

    #[test]
    #[should_panic(expected = "lost in the child")]
    fn a_panic_in_the_child_fails_the_test() {
        crate::in_child!(|| panic!("lost in the child"));
    }
}
