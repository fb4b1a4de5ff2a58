//! Buffers of one ring, registered with another.

use std::ops::Range;
use std::sync::atomic::Ordering;

use uring_sys::{
    IORING_REGISTER_CLONE_BUFFERS, IORING_REGISTER_DST_REPLACE, IORING_REGISTER_SRC_REGISTERED,
    io_uring_clone_buffers,
};

use super::Registrar;
use super::buffers::buffers_refused;
use crate::error::{Error, Result};

/// Which buffers of another ring to register, and where; see [`Registrar::clone_buffers`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CloneBuffers {
    /// None is all.
    from: Option<Range<u32>>,
    at: u32,
    replace: bool,
}

impl CloneBuffers {
    /// The whole table.
    pub fn all() -> Self {
        Self { from: None, at: 0, replace: false }
    }

    /// Some places of the other table, which there must be; since 6.13.
    pub fn range(places: Range<u32>) -> Self {
        Self { from: Some(places), ..Self::all() }
    }

    /// Puts the first of them there, instead of at the beginning; since 6.13.
    pub fn at(mut self, place: u32) -> Self {
        self.at = place;
        self
    }

    /// Takes the place of buffers that there are (`IORING_REGISTER_DST_REPLACE`, since 6.13): without it the ring must
    /// have none.
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }
}

impl Registrar<'_> {
    /// Registers buffers that another ring has registered, without pinning and counting them anew
    /// (`IORING_REGISTER_CLONE_BUFFERS`, since 6.12).
    ///
    /// Each ring has its own table from then on: unregistering in one changes nothing in the other.
    /// [`RegisteredBuffers`](super::RegisteredBuffers) do not know of it; requests on them by this ring are under
    /// the [contract](crate::op#contract), as those by their own.
    ///
    /// # Errors
    ///
    /// `ENXIO` if the source has none, `EBUSY` if this ring has some, `EOVERFLOW` or `EINVAL` for places that there are
    /// not, for the memory of another process, and before 6.12.
    pub fn clone_buffers(self, source: Registrar<'_>, which: &CloneBuffers) -> Result<()> {
        let (core, source) = (self.core()?, source.core()?);
        let (src_fd, registered) = source.door.for_register();
        let (src_off, nr) = match &which.from {
            None => (0, 0),
            // The kernel takes 0 for all of them.
            Some(places) if places.is_empty() => {
                return Err(Error::invalid(
                    "io_uring_register",
                    format!("buffers {places:?} are none to clone"),
                ));
            }
            Some(places) => (places.start, places.end - places.start),
        };
        let mut arg = io_uring_clone_buffers {
            src_fd: src_fd.cast_unsigned(),
            src_off,
            dst_off: which.at,
            nr,
            ..Default::default()
        };
        if registered != 0 {
            arg.flags |= IORING_REGISTER_SRC_REGISTERED;
        }
        if which.replace {
            arg.flags |= IORING_REGISTER_DST_REPLACE;
        }
        // SAFETY: `arg` outlives the call; the kernel only reads it. No request uses memory because of it, and those that
        // are to use it vouch for it.
        unsafe { core.register(IORING_REGISTER_CLONE_BUFFERS, (&raw mut arg).cast(), 1) }
            .map_err(buffers_refused)?;
        core.has_buffers.store(true, Ordering::Relaxed);
        Ok(())
    }
}
