//! Credentials that requests run with.

use std::io;
use std::ptr;

use uring_sys::{IORING_REGISTER_PERSONALITY, IORING_UNREGISTER_PERSONALITY};

use super::{Registrar, refused};
use crate::error::{Error, Result};

/// Credentials that are registered with a ring: [`Registrar::register_personality`].
///
/// They mean something to that ring only. Another one has them for unknown or for others of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Personality(u16);

impl Personality {
    /// Takes a number that the kernel has given, by other means than this crate's.
    #[must_use]
    pub const fn from_raw(id: u16) -> Self {
        Self(id)
    }

    /// The number as the kernel has it.
    #[must_use]
    #[inline]
    pub const fn raw(self) -> u16 {
        self.0
    }
}

#[cold]
fn personality_refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EINVAL) => {
            Error::kernel("io_uring_register", error, "personality: it is not registered with this ring")
        }
        _ => refused(error, "personality"),
    }
}

impl Registrar<'_> {
    /// Registers the credentials that the calling thread has now (`IORING_REGISTER_PERSONALITY`, since 5.6), for
    /// requests that name them by their method `personality`. A thread that gives up privileges later can so keep some
    /// for what it chooses.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and `EBUSY` beyond 65535 of them.
    pub fn register_personality(self) -> Result<Personality> {
        // SAFETY: the opcode takes no argument.
        let id = unsafe { self.core()?.register(IORING_REGISTER_PERSONALITY, ptr::null_mut(), 0) }
            .map_err(personality_refused)?;
        // The kernel gives numbers of 16 bits.
        Ok(Personality(id as u16))
    }

    /// Forgets credentials (`IORING_UNREGISTER_PERSONALITY`, since 5.6). Requests that were submitted with them keep
    /// them; those that still name them complete with `EINVAL`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if this ring does not know them.
    pub fn unregister_personality(self, personality: Personality) -> Result<()> {
        let id = personality.raw().into();
        // SAFETY: the opcode takes no memory, and the number for a count.
        unsafe { self.core()?.register(IORING_UNREGISTER_PERSONALITY, ptr::null_mut(), id) }
            .map(drop)
            .map_err(personality_refused)
    }
}
