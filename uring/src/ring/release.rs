//! Waits until the kernel has let go of a ring, which it does after the last of its requests has ended.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::core::Core;
use super::enter::poll;

/// How long: whoever has a copy of the descriptor keeps the ring alive.
const PATIENCE: Duration = Duration::from_secs(30);

impl Core {
    /// Has the drop of the ring wait until the kernel has freed it.
    ///
    /// A pipe tells: the ring is left its only writing end, as a registered file, and closing that is the last that the
    /// kernel does.
    pub(super) fn await_release(&self) -> io::Result<()> {
        let (reader, writer) = pipe()?;
        if self.has_files.load(Ordering::Relaxed) {
            self.update_files(0, &[writer.as_fd().into()])?;
        } else {
            self.register_files(&[writer.as_fd().into()])?;
        }
        // Unregistering files would close it too early.
        self.has_files.store(false, Ordering::Relaxed);
        // Nobody else sets it, and a ring ends once.
        let _ = self.released.set(reader);
        Ok(())
    }
}

/// Waits for the other end of the pipe to be closed, and tells whether it was.
pub(super) fn wait(reader: &OwnedFd) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let mut fds = [libc::pollfd { fd: reader.as_raw_fd(), events: 0, revents: 0 }];
    while fds[0].revents & libc::POLLHUP == 0 {
        match poll(&mut fds, Some(deadline)) {
            Ok(0) => {
                // Nothing can be done about a failure to say it.
                let _ = writeln!(
                    io::stderr(),
                    "uring: the kernel still has the ring {} s after its end: somebody else has its descriptor, or \
                     its requests do not end; their memory is the kernel's",
                    PATIENCE.as_secs()
                );
                return false;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // `ppoll` takes any descriptor and fails for want of memory only; then it is tried again.
            Err(_) => std::thread::yield_now(),
        }
    }
    true
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for both descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    let reader = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: as above.
    let writer = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    Ok((reader, writer))
}
