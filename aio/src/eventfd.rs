//! The descriptor that is readable while completions wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// An eventfd to which the kernel adds 1 for each completion, once somebody has asked for it: it costs a
/// quarter of a microsecond each time.
///
/// The kernel's count knows nothing of events being taken from the ring. So whoever reaps reads the count
/// first and then the ring, and adds 1 again if something is left behind.
#[derive(Debug)]
pub(crate) struct EventFd {
    fd: OwnedFd,
    on: AtomicBool,
    /// Requests in flight that were accepted before `on` and will not signal.
    silent: AtomicU64,
}

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: the call takes two integers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            // SAFETY: the kernel has just made it, for nobody else.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            on: AtomicBool::new(false),
            silent: AtomicU64::new(0),
        })
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Makes later submissions signal; `silent` is how many requests are in flight that will not.
    pub(crate) fn turn_on(&self, silent: u64) {
        self.silent.store(silent, Ordering::Relaxed);
        self.on.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn silent(&self) -> u64 {
        self.silent.load(Ordering::Relaxed)
    }

    /// One of the silent requests has been taken. The reaping half alone comes here, so load and store make a
    /// subtraction.
    pub(crate) fn one_silent_less(&self) {
        let silent = self.silent().saturating_sub(1);
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// Makes the descriptor readable.
    pub(crate) fn raise(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight bytes of a local. The only failure is a count near 2⁶⁴, and that is readable.
        unsafe { libc::write(self.fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Makes the descriptor unreadable until the next signal.
    pub(crate) fn clear(&self) {
        let mut count = [0_u8; 8];
        // SAFETY: eight bytes of a local. It fails if the count is 0 already, and that is as good.
        unsafe { libc::read(self.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
