//! What a ring may do.

use std::io;
use std::os::fd::RawFd;

use static_assertions::{const_assert, const_assert_eq};
use uring_sys::{
    IORING_REGISTER_RESTRICTIONS, io_uring_register, io_uring_restriction, io_uring_task_restriction,
};

use super::{Registrar, length, refused};
use crate::entry::result;
use crate::error::{Error, Result};
use crate::restriction::Restrictions;
use crate::ring::core::Core;

impl Core {
    pub(crate) fn register_restrictions(&self, list: &mut [io_uring_restriction]) -> Result<()> {
        let nr = length(list.len());
        // SAFETY: `list` is an array of `nr` restrictions that outlives the call.
        unsafe { self.register(IORING_REGISTER_RESTRICTIONS, list.as_mut_ptr().cast(), nr) }
            .map(drop)
            .map_err(ring_refused)
    }
}

#[cold]
fn ring_refused(error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EBADFD) => {
            "restrictions: the ring is enabled; make it `disabled`, or give them to its builder"
        }
        Some(libc::EBUSY) => "restrictions: the ring has some; the kernel takes them once",
        Some(libc::EINVAL) => "restrictions: an operation that this kernel does not know",
        _ => return refused(error, "restrictions"),
    };
    Error::kernel("io_uring_register", error, hint)
}

impl Registrar<'_> {
    /// Restricts a ring that was made [disabled](crate::ring::Builder::disabled), from when it is enabled on
    /// (`IORING_REGISTER_RESTRICTIONS`, since 5.10). [`Builder::restrictions`](crate::ring::Builder::restrictions) does
    /// so for a ring that needs nothing else first.
    ///
    /// # Errors
    ///
    /// `EBADFD` if the ring is enabled, `EBUSY` if it has restrictions, `EINVAL` for an operation that the kernel does
    /// not know and for flags that cannot be [required](Restrictions::require_flags), `EOPNOTSUPP` for required flags
    /// before 5.19.
    pub fn register_restrictions(self, restrictions: &Restrictions) -> Result<()> {
        self.core()?.restrict(restrictions)
    }
}

// The list begins with a header of the same size.
const_assert_eq!(size_of::<io_uring_task_restriction>(), size_of::<io_uring_restriction>());
const_assert!(align_of::<io_uring_task_restriction>() <= align_of::<io_uring_restriction>());

/// Restricts all rings that this thread will make.
pub(crate) fn restrict_thread(list: &[io_uring_restriction]) -> Result<()> {
    const NO_RING: RawFd = -1;
    let header = io_uring_task_restriction {
        // A list that is too long stays one.
        nr_res: u16::try_from(list.len()).unwrap_or(u16::MAX),
        ..Default::default()
    };
    let mut arg = vec![io_uring_restriction::default()];
    arg.extend_from_slice(list);
    // SAFETY: the first entry has the size of a header and no smaller alignment, both asserted above.
    unsafe { arg.as_mut_ptr().cast::<io_uring_task_restriction>().write(header) };
    // SAFETY: a header with that many restrictions behind it, which outlive the call.
    result(unsafe { io_uring_register(NO_RING, IORING_REGISTER_RESTRICTIONS, arg.as_mut_ptr().cast(), 1) })
        .map(drop)
        .map_err(thread_refused)
}

#[cold]
fn thread_refused(error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM) => "restrictions: this thread has some; the kernel takes them once",
        Some(libc::EACCES) => {
            "restrictions: they take CAP_SYS_ADMIN, or that the thread has given up new privileges (PR_SET_NO_NEW_PRIVS)"
        }
        Some(libc::EINVAL | libc::EBADF) => {
            "restrictions of a thread: this kernel does not know an operation, or is older than 7.0 and knows none"
        }
        _ => return refused(error, "restrictions"),
    };
    Error::kernel("io_uring_register", error, hint)
}
