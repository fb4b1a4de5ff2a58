//! The system calls, with what they answer turned into Rust's results.

use std::io;
use std::ptr;
use std::time::Duration;

use aio_sys::{aio_context_t, io_event, iocb};
use libc::{c_long, timespec};

/// Turns what the kernel says, of a system call or in an event, into a result: 0 or more is a count, less
/// than 0 is a negated errno.
#[inline]
pub(crate) fn answer(raw: i64) -> io::Result<u32> {
    if raw >= 0 {
        // Counts end at 0x7fff_f000 bytes, so nothing is cut off.
        Ok(raw as u32)
    } else {
        Err(refusal(raw))
    }
}

#[cold]
fn refusal(raw: i64) -> io::Error {
    io::Error::from_raw_os_error(i32::try_from(raw.unsigned_abs()).unwrap_or(i32::MAX))
}

/// Makes a context for `nr` requests.
pub(crate) fn setup(nr: u32) -> io::Result<aio_context_t> {
    let mut id = 0;
    // SAFETY: the second argument points to a handle of ours, live until the call returns.
    let raw = unsafe { aio_sys::io_setup(nr, &raw mut id) };
    answer(raw.into()).map(|_| id)
}

/// Destroys a context, when every request in flight is done.
///
/// # Safety
///
/// The context is the caller's, and nobody uses it or its ring afterwards.
pub(crate) unsafe fn destroy(id: aio_context_t) -> io::Result<()> {
    // SAFETY: this function's contract is the call's.
    let raw = unsafe { aio_sys::io_destroy(id) };
    answer(raw.into()).map(drop)
}

/// Submits the first of `nr` requests and says how many.
///
/// # Safety
///
/// `queue` is valid for reads of `nr` pointers. Each of them leads to an iocb that may be written to during the call; what the iocbs name fulfils the
/// contract of [`aio_sys::io_submit`].
#[inline]
pub(crate) unsafe fn submit(id: aio_context_t, queue: *mut *mut iocb, nr: u64) -> io::Result<u32> {
    let nr = c_long::try_from(nr).unwrap_or(c_long::MAX);
    // SAFETY: this function's contract is the call's.
    let raw = unsafe { aio_sys::io_submit(id, nr, queue) };
    answer(raw.into())
}

/// Cancels the request that was submitted at this address; whether there was one that can be cancelled.
///
/// # Safety
///
/// `iocb` is valid for reads.
pub(crate) unsafe fn cancel(id: aio_context_t, iocb: *mut iocb) -> bool {
    let mut unused = io_event::default();
    // SAFETY: the iocb is readable (this function's contract), the event is a local that may be written.
    let raw = unsafe { aio_sys::io_cancel(id, iocb, &raw mut unused) };
    // In progress is how success is called: the event arrives through the ring.
    raw >= 0 || raw == -libc::EINPROGRESS
}

/// Waits for `min` events, takes as many as `room` holds and says how many; `None` waits for ever.
///
/// # Safety
///
/// No other thread takes events of this context.
pub(crate) unsafe fn getevents(
    id: aio_context_t,
    min: usize,
    room: &mut [io_event],
    timeout: Option<Duration>,
) -> io::Result<u32> {
    let nr = c_long::try_from(room.len()).unwrap_or(c_long::MAX);
    // More than there is room for is EINVAL.
    let min = c_long::try_from(min).unwrap_or(c_long::MAX).min(nr);
    let mut timeout = timeout.map(timespec_of);
    let timeout = timeout.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: `room` is valid for writes of `nr` events, the timeout is null or a local of this function;
    // that nobody else takes events is this function's contract.
    let raw = unsafe { aio_sys::io_getevents(id, min, nr, room.as_mut_ptr(), timeout) };
    answer(raw.into())
}

/// A timespec that no kernel misreads: never negative, and at most 68 years, which every `time_t` holds.
pub(crate) fn timespec_of(duration: Duration) -> timespec {
    timespec {
        tv_sec: i32::try_from(duration.as_secs()).unwrap_or(i32::MAX).into(),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_below_zero_is_an_error_with_a_positive_errno() {
        assert_eq!(answer(0).unwrap(), 0);
        assert_eq!(answer(0x7fff_f000).unwrap(), 0x7fff_f000);
        assert_eq!(answer(-5).unwrap_err().raw_os_error(), Some(libc::EIO));
        assert_eq!(answer(-125).unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(answer(i64::MIN).unwrap_err().raw_os_error(), Some(i32::MAX));
    }

    #[test]
    fn a_timeout_is_never_negative_and_never_wraps() {
        let timeout = timespec_of(Duration::MAX);
        assert_eq!(timeout.tv_sec, libc::time_t::from(i32::MAX));
        assert_eq!(timeout.tv_nsec, 999_999_999);
        assert_eq!(timespec_of(Duration::from_millis(1500)).tv_sec, 1);
    }
}
