//! A thread that decides on the system calls of another.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use libc::{c_int, c_long, c_ulong};

/// A system call that waits for a verdict.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its number, `libc::SYS_…`.
    pub number: c_long,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What becomes of a [`Call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The kernel does it.
    Pass,
    /// It fails with this errno and does nothing.
    Fail(c_int),
}

/// Counts the calls that its thread has judged. The thread ends with the process.
#[derive(Debug)]
pub struct Supervisor {
    calls: Arc<AtomicUsize>,
}

impl Supervisor {
    /// Gives the number of supervised calls made so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// Lets the closure, on a thread of its own, decide on each of these system calls that this thread makes from now on.
///
/// # Errors
/// The reason for a skip, if this kernel cannot do that (Linux 5.5 can).
///
/// # Panics
/// Outside [`in_child!`](crate::in_child!). A panic in the closure ends the process.
pub fn supervise(
    calls: &[c_long],
    mut decide: impl FnMut(&Call) -> Verdict + Send + 'static,
) -> Result<Supervisor, String> {
    let program = super::program(calls.iter().map(|&call| (call, libc::SECCOMP_RET_USER_NOTIF)));
    let count = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpsc::channel::<OwnedFd>();
    // Started before the filter is installed, so that the filter does not hold for it.
    std::thread::spawn({
        let count = Arc::clone(&count);
        move || {
            let Ok(listener) = receiver.recv() else {
                return;
            };
            let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                while let Ok((id, call)) = receive(&listener) {
                    count.fetch_add(1, Ordering::SeqCst);
                    answer(&listener, id, decide(&call));
                }
            }));
            if judged.is_err() {
                // The supervised thread would wait for ever.
                std::process::abort();
            }
        }
    });
    let listener = super::install(&program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    let listener = c_int::try_from(listener).expect("a descriptor");
    // SAFETY: the call has just made this descriptor, and nobody else owns it.
    let listener = unsafe { OwnedFd::from_raw_fd(listener) };
    sender.send(listener).expect("the supervisor waits for it");
    Ok(Supervisor { calls: count })
}

fn receive(listener: &OwnedFd) -> io::Result<(u64, Call)> {
    loop {
        // SAFETY: `seccomp_notif` is plain C data for which all zeroes is a value; the kernel asks for zeroes.
        let mut notice: libc::seccomp_notif = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the descriptor is a listener; `notice` is what this request writes, and outlives the call.
        let got = unsafe {
            libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV as _, &raw mut notice)
        };
        if got == 0 {
            let call = Call { number: notice.data.nr.into(), arguments: notice.data.args };
            return Ok((notice.id, call));
        }
        let error = io::Error::last_os_error();
        // ENOENT: a signal took the caller out of its call before we saw it.
        if !matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOENT)) {
            return Err(error);
        }
    }
}

fn answer(listener: &OwnedFd, id: u64, verdict: Verdict) {
    const CONTINUE: c_ulong = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    let (error, flags) = match verdict {
        Verdict::Pass => (0, u32::try_from(CONTINUE).expect("a flag of 32 bits")),
        Verdict::Fail(errno) => (-errno, 0),
    };
    let mut response = libc::seccomp_notif_resp { id, val: 0, error, flags };
    // The answer to a call that a signal has ended meanwhile is refused, rightly.
    // SAFETY: the descriptor is a listener; `response` outlives the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND as _, &raw mut response) };
}
