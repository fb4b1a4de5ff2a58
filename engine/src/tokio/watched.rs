//! A descriptor that the runtime watches.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use ::tokio::io::Interest;
use ::tokio::io::unix::AsyncFd;

/// Has the runtime in whose context this is called watch a duplicate of the descriptor, which is valid whatever becomes
/// of its origin.
pub(super) fn watch(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
    let duplicate = fd.try_clone_to_owned()?;
    // SAFETY: the descriptor is open, and the `AsyncFd` owns it and returns the same one each time.
    Ok(unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE) }?)
}
