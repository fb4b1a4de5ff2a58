//! System calls that fail as a test wants, in a child process only.
//!
//! * [`fail`]: chosen calls always fail with a chosen errno, as a sandbox would have it.
//! * [`supervise`]: a closure decides on each call, and counts them: "the first three `io_submit` say `EAGAIN`".
//!
//! A filter holds for the thread that installs it and for threads that this thread starts afterwards.

mod supervisor;

use std::io;

use libc::{c_int, c_long, c_uint, c_ulong};

pub use supervisor::{Call, Supervisor, Verdict, supervise};

/// Makes each of these system calls (`libc::SYS_io_setup`, …) fail with its errno on this thread, for good.
///
/// # Errors
/// The reason for a skip, if this kernel has no seccomp filters.
///
/// # Panics
/// Outside [`in_child!`](crate::in_child!): a filter cannot be taken off again.
pub fn fail(calls: &[(c_long, c_int)]) -> Result<(), String> {
    let verdicts = calls.iter().map(|&(call, errno)| {
        let errno = c_uint::try_from(errno).expect("an errno is positive");
        (call, libc::SECCOMP_RET_ERRNO | errno)
    });
    install(&program(verdicts), 0).map(drop)
}

/// Writes the filter: a verdict for each of the calls, all others pass.
///
/// The architecture is not looked at: these filters guard nothing, they only play a sandbox to this very program.
fn program(verdicts: impl Iterator<Item = (c_long, c_uint)>) -> Vec<libc::sock_filter> {
    let load = code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
    let equal = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    let give = code(libc::BPF_RET | libc::BPF_K);
    // The call's number is the first field of `seccomp_data`.
    let mut program = vec![statement(load, 0)];
    for (call, verdict) in verdicts {
        let number = c_uint::try_from(call).expect("call numbers are small");
        program.push(libc::sock_filter { code: equal, jt: 0, jf: 1, k: number });
        program.push(statement(give, verdict));
    }
    program.push(statement(give, libc::SECCOMP_RET_ALLOW));
    program
}

fn code(bits: c_uint) -> u16 {
    u16::try_from(bits).expect("BPF codes have 16 bits")
}

fn statement(code: u16, k: c_uint) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

/// Installs a filter on this thread and gives what the system call gives.
fn install(program: &[libc::sock_filter], flags: c_ulong) -> Result<c_long, String> {
    assert!(crate::child::active(), "seccomp only inside in_child!");
    let one: c_ulong = 1;
    let none: c_ulong = 0;
    // SAFETY: this option takes numbers only. Without it a filter needs a privilege.
    let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, none, none, none) };
    if set != 0 {
        return Err(format!("PR_SET_NO_NEW_PRIVS: {}", io::Error::last_os_error()));
    }
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).expect("a short program"),
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` describes `len` instructions that outlive the call; the kernel copies and does not write them.
    let installed =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match installed {
        -1 => Err(format!("no seccomp filter: {}", io::Error::last_os_error())),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(call: c_long) -> Option<i32> {
        // SAFETY: called with numbers of calls that take no argument and touch no memory.
        let result = unsafe { libc::syscall(call) };
        (result == -1).then(|| io::Error::last_os_error().raw_os_error()).flatten()
    }

    #[test]
    fn a_chosen_call_fails_and_the_others_do_not() {
        crate::in_child!(|| {
            crate::or_skip!(fail(&[(libc::SYS_getppid, libc::EXDEV), (libc::SYS_sched_yield, libc::ENOSYS)]));
            assert_eq!(raw(libc::SYS_getppid), Some(libc::EXDEV));
            assert_eq!(raw(libc::SYS_sched_yield), Some(libc::ENOSYS));
            assert_eq!(raw(libc::SYS_gettid), None);
        });
    }

    #[test]
    fn a_supervisor_decides_call_by_call_and_counts() {
        crate::in_child!(|| {
            let mut failures = 2;
            let supervisor = crate::or_skip!(supervise(&[libc::SYS_getppid], move |call| {
                assert_eq!(call.number, libc::SYS_getppid);
                if failures == 0 {
                    return Verdict::Pass;
                }
                failures -= 1;
                Verdict::Fail(libc::EAGAIN)
            }));
            assert_eq!(raw(libc::SYS_getppid), Some(libc::EAGAIN));
            assert_eq!(raw(libc::SYS_getppid), Some(libc::EAGAIN));
            assert_eq!(raw(libc::SYS_getppid), None);
            assert_eq!(supervisor.calls(), 3);
        });
    }
}
