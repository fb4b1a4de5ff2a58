//! Waits until the kernel has let go of a ring, which it does after the last of its requests has ended.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::core::Core;
use super::enter::poll;

/// How long: whoever has a copy of the descriptor keeps the ring alive.
pub(super) const PATIENCE: Duration =
    if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(30) };

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
                    "uring: the kernel still has the ring {} s after its end: somebody else has its descriptor, as the \
                     thread does that first used it, or its requests do not end; their memory is the kernel's",
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::op::ring::Nop;
    use crate::ring::RegisteredBuffers;
    use crate::{Ring, SqeFlags};

    /// What the kernel may still use.
    static KEPT: Mutex<Vec<RegisteredBuffers<Vec<u8>>>> = Mutex::new(Vec::new());

    #[test]
    fn a_ring_that_the_kernel_still_has_is_not_said_to_be_closed_and_keeps_its_buffers() {
        let mut ring: Ring = Ring::new(2).unwrap();
        if ring.push(Nop::new().flags(SqeFlags::CQE_SKIP_SUCCESS)).is_ok() {
            ring.push(Nop::new()).unwrap();
        }
        // Linux before 5.17 does not know the flag, and posts both.
        if ring.wait(1).unwrap().any(|cqe| cqe.result().is_err()) {
            return;
        }
        let buffers = ring.registrar().register_owned_buffers(vec![vec![0; 10]]).unwrap();
        let descriptor = ring.as_fd().try_clone_to_owned().unwrap();
        assert_eq!(ring.close().unwrap_err().raw_os_error(), Some(libc::ETIMEDOUT));
        drop(descriptor);
        let (error, buffers) = buffers.unregister().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
        KEPT.lock().unwrap().push(buffers);
    }
}
