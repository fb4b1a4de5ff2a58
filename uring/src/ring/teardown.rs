//! The end of a ring: afterwards the kernel holds no memory of the caller.
//!
//! Closing the descriptor would not do. It returns while reads go on, and the kernel writes their data
//! into memory that may be somebody else's by then.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uring_sys::{IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY};

use super::core::Core;
use super::reap::Reap;
use super::release;
use super::submit::Submit;
use crate::codes::Op;
use crate::entry::{Completion, Sqe, SqeFlags, Submission};

/// How long to wait before what is still in flight is cancelled again: a request that was just changing
/// hands inside the kernel is missed the first time.
const PATIENCE: Duration = Duration::from_millis(100);

/// After how many such times the kernel is to end what no call reaches, which it does once the ring is closed.
const ROUNDS: u32 = 10;

/// Cancels what can be cancelled and waits for the rest; what cannot be had is said and leaked.
pub(crate) fn teardown<S: Submission, C: Completion>(submit: &mut Submit<S>, reap: &mut Reap<C>) {
    let Err(error) = try_teardown(submit, reap) else { return };
    // Nothing can be done about a failure to say it.
    let _ = writeln!(
        io::stderr(),
        "uring: dropped with {} in flight that cannot be waited for ({error}): the ring is leaked, \
         and the kernel may still use the memory of these requests",
        if reap.counts { format!("{} requests", reap.in_flight()) } else { "requests".to_owned() }
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
    let ended = quiesce(submit, reap);
    if ended.is_ok() {
        // Not in the drop of the core, which has it alone: an owner may just be at it.
        submit.core.provided.close();
    }
    // What the kernel's release of the ring has to tell is not over before that: see the drop of `Core`.
    submit.core.tenancy.end(ended.is_err() || submit.core.released.get().is_some());
    ended.inspect_err(|_| {
        // The descriptor and the mappings stay; what an entry points to is not needed any more, since the
        // kernel has consumed every entry in flight (`IORING_FEAT_SUBMIT_STABLE`).
        mem::forget(Arc::clone(&submit.core));
    })
}

fn quiesce<S: Submission, C: Completion>(submit: &mut Submit<S>, reap: &mut Reap<C>) -> io::Result<()> {
    submit.settle()?;
    reap.iter().for_each(drop);
    if reap.counts {
        count_down(submit, reap)?;
    } else if submit.sq.consumed() > 0 {
        drain(submit, reap)?;
    }
    submit.core.release_resources();
    Ok(())
}

/// Waits for as many completions as there are requests.
fn count_down<S: Submission, C: Completion>(submit: &mut Submit<S>, reap: &mut Reap<C>) -> io::Result<()> {
    while reap.in_flight() > 0 {
        let mut targets = Targets::of(reap);
        let retry_at = Instant::now() + PATIENCE;
        while reap.in_flight() > 0 && Instant::now() < retry_at {
            if reap.lost {
                // What is in flight cannot be told from what was lost.
                return Err(io::Error::from_raw_os_error(libc::EBADR));
            }
            targets.cancel(submit);
            enter(submit, retry_at)?;
            reap.iter().for_each(drop);
        }
    }
    Ok(())
}

/// Waits for a request that starts when all others have ended (`IOSQE_IO_DRAIN`): how many completions each of them
/// has, and whether other rings have sent some, does not matter.
fn drain<S: Submission, C: Completion>(submit: &mut Submit<S>, reap: &mut Reap<C>) -> io::Result<()> {
    cancel(submit, reap)?;
    if submit.sends_without_copies && submit.core.loses_count_of_notifications() {
        // The marker would never start.
        return submit.core.await_release();
    }
    // A ring that may do little may cancel: the marker then cancels what there is not.
    for op in [Op::NOP, Op::ASYNC_CANCEL] {
        match await_marker(submit, reap, op)? {
            Ok(_) => return Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOENT) => return Ok(()),
                Some(libc::EACCES) => {}
                _ => break,
            },
        }
    }
    // A ring with requests that post nothing takes no such marker.
    submit.core.await_release()
}

/// Asks to end what is in flight. Without a ledger one request does it; with one it is asked as long as that ends something:
/// of requests that share a name, a request to cancel may find the same one again and again.
fn cancel<S: Submission, C: Completion>(submit: &mut Submit<S>, reap: &mut Reap<C>) -> io::Result<()> {
    let (mut left, mut give_up_at) = (usize::MAX, Instant::now());
    loop {
        let mut targets = Targets::of(reap);
        let now_left = reap.core.ledger().map_or(0, |ledger| ledger.outstanding().len());
        if now_left < left {
            (left, give_up_at) = (now_left, Instant::now() + PATIENCE);
        }
        while targets.cancel(submit) {
            enter(submit, Instant::now() + PATIENCE)?;
            reap.iter().for_each(drop);
        }
        if left == 0 || Instant::now() >= give_up_at {
            return Ok(());
        }
    }
}

/// Submits a request that starts when all others have ended, and waits for its completion, or leaves it to the kernel to
/// end them.
fn await_marker<S: Submission, C: Completion>(
    submit: &mut Submit<S>,
    reap: &mut Reap<C>,
    op: Op,
) -> io::Result<io::Result<u32>> {
    // A name that nobody can have given to a request or to a message of another ring, be it by chance.
    let user_data = RandomState::new().hash_one(op.code());
    let flags = SqeFlags::IO_DRAIN.bits() | submit.core.required_flags();
    // Whatever else it may name has ended when it starts.
    let addr = if op == Op::ASYNC_CANCEL { user_data.wrapping_add(1) } else { 0 };
    while submit.push_own(Sqe { flags, user_data, addr, ..Sqe::new(op) }).is_err() {
        enter(submit, Instant::now() + PATIENCE)?;
    }
    let give_up_at = Instant::now() + release::PATIENCE;
    let mut rounds = 0;
    loop {
        let retry_at = Instant::now() + PATIENCE;
        while Instant::now() < retry_at {
            enter(submit, retry_at)?;
            if let Some(end) = reap.iter().find(|cqe| cqe.first().user_data == user_data) {
                return Ok(end.first().result());
            }
            if reap.lost {
                return Ok(Err(io::Error::from_raw_os_error(libc::EBADR)));
            }
        }
        // What comes behind the marker, or behind a drained request of the caller's, waits for it, so this goes another way.
        if cancels_all(&submit.core) {
            continue;
        }
        rounds += 1;
        if rounds >= ROUNDS && submit.core.await_release().is_ok() {
            return Ok(Ok(0));
        }
        if Instant::now() >= give_up_at {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
    }
}

/// Cancels what can be cancelled, not by a request, and tells whether that reaches all.
fn cancels_all(core: &Core) -> bool {
    let is_refused = |error: io::Error| {
        // There is no such call before 6.0, or it is forbidden.
        matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM | libc::EACCES | libc::ENOSYS))
    };
    // It does not see the workers of a polling thread.
    !core.cancel_all().is_err_and(is_refused) && !core.is_polled()
}

/// Submits what was pushed and waits for a completion; that there is none is no failure.
fn enter<S: Submission>(submit: &mut Submit<S>, deadline: Instant) -> io::Result<()> {
    let to_submit = submit.publish();
    match submit.enter_until(to_submit, 1, deadline) {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY) => Ok(()),
            _ => Err(error),
        },
    }
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

    /// Adds as many requests to cancel as fit, and tells whether there were any to add.
    fn cancel(&mut self, submit: &mut Submit<impl Submission>) -> bool {
        let flags = submit.core.required_flags();
        let request = || Sqe { flags, ..Sqe::new(Op::ASYNC_CANCEL) };
        match self {
            Self::Any { asked: true } => false,
            Self::Any { asked } => {
                let op_flags = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
                *asked = submit.push_own(Sqe { op_flags, ..request() }).is_ok();
                true
            }
            Self::Each(targets) => {
                let left = !targets.is_empty();
                while let Some(&addr) = targets.last() {
                    if submit.push_own(Sqe { addr, ..request() }).is_err() {
                        break;
                    }
                    targets.pop();
                }
                left
            }
        }
    }
}
