//! A storm of signals on one thread.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static RECEIVED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_signal: libc::c_int) {
    RECEIVED.fetch_add(1, Ordering::Relaxed);
}

/// `SIGALRM` again and again on the thread that made it, with a handler that does not restart system calls; ends on drop.
///
/// The handler stays installed afterwards: a signal may still be pending, and its default would end the process.
#[derive(Debug)]
#[must_use = "the storm ends when it is dropped"]
pub struct Storm {
    timer: libc::timer_t,
}

impl Storm {
    /// Starts a signal every millisecond.
    ///
    /// # Panics
    /// If the system refuses the handler or the timer.
    pub fn every_millisecond() -> Storm {
        Storm::every(Duration::from_millis(1))
    }

    /// Starts a signal in each such interval.
    ///
    /// # Panics
    /// As [`every_millisecond`](Storm::every_millisecond).
    pub fn every(interval: Duration) -> Storm {
        install();
        // SAFETY: `sigevent` is plain C data for which all zeroes is a value.
        let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGALRM;
        // SAFETY: `gettid` has no preconditions.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: both pointers are to locals that outlive the call.
        let made = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        assert_eq!(made, 0, "timer_create: {}", std::io::Error::last_os_error());
        let storm = Storm { timer };
        let step = libc::timespec {
            tv_sec: interval.as_secs().try_into().expect("a reasonable interval"),
            tv_nsec: interval.subsec_nanos().into(),
        };
        let setting = libc::itimerspec { it_interval: step, it_value: step };
        // SAFETY: the timer was made above; `setting` outlives the call; the old setting is not asked for.
        let set = unsafe { libc::timer_settime(storm.timer, 0, &raw const setting, std::ptr::null_mut()) };
        assert_eq!(set, 0, "timer_settime: {}", std::io::Error::last_os_error());
        storm
    }

    /// Gives the number of signals received in this process so far, by all storms.
    #[must_use]
    pub fn received() -> u64 {
        RECEIVED.load(Ordering::Relaxed)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        // SAFETY: the timer was made by this value and is deleted once, here.
        unsafe { libc::timer_delete(self.timer) };
    }
}

fn install() {
    // SAFETY: `sigaction` is plain C data for which all zeroes is a value: no flags, so no SA_RESTART, and an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as usize;
    // SAFETY: `action` outlives the call; its handler only adds to an atomic, which is async-signal-safe.
    let set = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0, "sigaction: {}", std::io::Error::last_os_error());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_reaches_this_thread_and_interrupts_its_sleep() {
        let before = Storm::received();
        let storm = Storm::every_millisecond();
        while Storm::received() < before + 5 {
            // SAFETY: no descriptors are passed, so no memory is touched.
            unsafe { libc::poll(std::ptr::null_mut(), 0, 10_000) };
        }
        drop(storm);
    }
}
