//! The end of a ring: afterwards the kernel holds no memory of the caller.
//!
//! Closing the descriptor would not do. It returns while reads go on, and the kernel writes their data
//! into memory that may be somebody else's by then.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uring_sys::{IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY};

use super::reap::Reap;
use super::submit::Submit;
use crate::codes::Op;
use crate::entry::{Completion, Sqe, Submission};

/// How long to wait before what is still in flight is cancelled again: a request that was just changing
/// hands inside the kernel is missed the first time.
const PATIENCE: Duration = Duration::from_millis(100);

/// Cancels what can be cancelled and waits for the rest; what cannot be had is said and leaked.
pub(crate) fn teardown<S: Submission, C: Completion>(submit: &mut Submit<S>, reap: &mut Reap<C>) {
    let Err(error) = try_teardown(submit, reap) else { return };
    // Nothing can be done about a failure to say it.
    let _ = writeln!(
        io::stderr(),
        "uring: dropped with {} requests in flight that cannot be waited for ({error}): the ring is leaked, \
         and the kernel may still use the memory of these requests",
        in_flight(submit, reap)
    );
}

/// As [`teardown`], and leaves it to the caller to say what could not be had.
pub(crate) fn try_teardown<S: Submission, C: Completion>(
    submit: &mut Submit<S>,
    reap: &mut Reap<C>,
) -> io::Result<()> {
    if submit.check().is_err() {
        // The parent's requests are the parent's.
        return Ok(());
    }
    quiesce(submit, reap).inspect_err(|_| {
        // The descriptor and the mappings stay; what an entry points to is not needed any more, since the
        // kernel has consumed every entry in flight (`IORING_FEAT_SUBMIT_STABLE`).
        mem::forget(Arc::clone(&submit.core));
    })
}

fn quiesce<S: Submission, C: Completion>(submit: &mut Submit<S>, reap: &mut Reap<C>) -> io::Result<()> {
    submit.settle()?;
    reap.iter().for_each(drop);
    while in_flight(submit, reap) > 0 {
        let mut targets = Targets::of(reap);
        let retry_at = Instant::now() + PATIENCE;
        while in_flight(submit, reap) > 0 && Instant::now() < retry_at {
            if reap.lost {
                // What is in flight cannot be told from what was lost.
                return Err(io::Error::from_raw_os_error(libc::EBADR));
            }
            targets.cancel(submit);
            let to_submit = submit.publish();
            match submit.enter_until(to_submit, 1, retry_at) {
                Ok(_) => {}
                Err(error) => match error.raw_os_error() {
                    Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY) => {}
                    _ => return Err(error),
                },
            }
            reap.iter().for_each(drop);
        }
    }
    submit.core.release_resources();
    Ok(())
}

/// What is still to be cancelled in this round.
enum Targets {
    /// One request cancels all.
    Any { asked: bool },
    /// One request for each of these.
    Each(Vec<u64>),
}

impl Targets {
    fn of(reap: &Reap<impl Completion>) -> Self {
        match reap.core.ledger() {
            None => Self::Any { asked: false },
            Some(ledger) => Self::Each(ledger.outstanding()),
        }
    }

    /// Adds as many requests to cancel as fit.
    fn cancel(&mut self, submit: &mut Submit<impl Submission>) {
        let flags = submit.core.required_flags();
        let request = || Sqe { flags, ..Sqe::new(Op::ASYNC_CANCEL) };
        match self {
            Self::Any { asked } => {
                if !*asked {
                    let op_flags = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
                    *asked = submit.push_own(Sqe { op_flags, ..request() }).is_ok();
                }
            }
            Self::Each(targets) => {
                while let Some(&addr) = targets.last() {
                    if submit.push_own(Sqe { addr, ..request() }).is_err() {
                        break;
                    }
                    targets.pop();
                }
            }
        }
    }
}

/// Requests whose last completion has not been taken. A request that posts nothing on success counts as ended from
/// the start.
pub(super) fn in_flight(submit: &Submit<impl Submission>, reap: &Reap<impl Completion>) -> u64 {
    submit.accepted().saturating_sub(reap.ended())
}
