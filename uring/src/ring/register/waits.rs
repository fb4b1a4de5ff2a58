//! Arguments of waits that lie in a region which the kernel has pinned.

use std::io;
use std::ptr;
use std::sync::{Arc, Weak};

use memmap2::{MmapOptions, MmapRaw};
use static_assertions::assert_impl_all;
use uring_sys::{IORING_REG_WAIT_TS, io_uring_reg_wait};

use crate::error::{Error, Result};
use crate::ring::core::Core;
use crate::ring::enter::{Limits, SIGSET_SIZE, timespec};
use crate::ring::layout::page_size;
use crate::ring::wait::{Timeout, Wait};

/// How to wait, told to the kernel beforehand; see [`Registrar::register_waits`](super::Registrar::register_waits).
///
/// [`Ring::wait_registered`](crate::Ring::wait_registered) then names it instead of handing over what a
/// [`Wait`] says. It belongs to one ring, and is of no use after that; the two may go in any order.
///
/// ```
/// use std::time::Duration;
/// use uring::{Ring, ring::Wait};
///
/// let mut ring: Ring = Ring::builder(8).disabled().build()?;
/// let mut wait = match ring.registrar().register_waits(1) {
///     Ok(mut waits) => waits.remove(0),
///     Err(_) => return Ok(()), // before 6.13
/// };
/// ring.enable()?;
/// wait.set(&Wait::new().timeout(Duration::from_millis(1)));
/// assert_eq!(ring.wait_registered(1, &wait)?.count(), 0);
/// # Ok::<(), uring::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a region cannot be registered twice"]
pub struct RegisteredWait {
    /// Keeps the ring's place in memory, so that no other ring is taken for it.
    ring: Weak<Core>,
    region: Arc<WaitRegion>,
    /// Invariant: below the region's `nr`, and no other's.
    index: u16,
    /// What the region says of this wait.
    options: Wait,
}

// Who waits has it borrowed, who sets it has it alone: the kernel, which reads it in a wait only, never sees half of it.
assert_impl_all!(RegisteredWait: Send, Sync);

impl RegisteredWait {
    pub(super) fn of(ring: &Arc<Core>, region: WaitRegion, nr: u16) -> Vec<Self> {
        let region = Arc::new(region);
        let wait = |index| Self {
            ring: Arc::downgrade(ring),
            region: Arc::clone(&region),
            index,
            options: Wait::new(),
        };
        (0..nr).map(wait).collect()
    }

    /// Says how the next waits by this are to be, with all that a [`Wait`] can have (`struct io_uring_reg_wait`, since 6.13).
    pub fn set(&mut self, options: &Wait) {
        let time = match options.time() {
            Some(Timeout::After(time) | Timeout::At(time)) => Some(time),
            None => None,
        };
        let entry = io_uring_reg_wait {
            ts: timespec(time.unwrap_or_default()),
            flags: if time.is_some() { IORING_REG_WAIT_TS } else { 0 },
            min_wait_usec: options.minimum_usec(),
            ..Default::default()
        };
        self.region.write(self.index, entry, options.mask());
        self.options = *options;
    }

    /// How waits by this are.
    pub fn get(&self) -> Wait {
        self.options
    }

    /// The limits of a wait by this from now on.
    pub(crate) fn limits(&self, ring: &Arc<Core>) -> Result<Limits<'_>> {
        if !ptr::eq(self.ring.as_ptr(), Arc::as_ptr(ring)) {
            return Err(Error::invalid("io_uring_enter", "the wait is registered with another ring"));
        }
        let limits = self.options.limits(ring.features())?;
        // What the region says would not end such a wait in time.
        if !limits.end_early(ring) {
            limits.registered.set(Some(WaitRegion::offset(self.index)));
        }
        Ok(limits)
    }
}

/// Entries of waits, and behind them the signal masks that they name.
///
/// The kernel holds the pages itself, so that they may be unmapped before the ring ends. A forked child has copies, which
/// nobody reads.
#[derive(Debug)]
pub(super) struct WaitRegion {
    map: MmapRaw,
    nr: u16,
}

impl WaitRegion {
    pub(super) fn new(nr: u16) -> io::Result<Self> {
        let len = usize::from(nr) * (size_of::<io_uring_reg_wait>() + SIGSET_SIZE as usize);
        let map = MmapOptions::new().len(len.next_multiple_of(page_size())).map_anon()?;
        Ok(Self { map: MmapRaw::from(map), nr })
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// What the kernel calls an entry.
    fn offset(index: u16) -> usize {
        usize::from(index) * size_of::<io_uring_reg_wait>()
    }

    /// Writes an entry, whole, which no wait is on.
    fn write(&self, index: u16, mut entry: io_uring_reg_wait, mask: Option<&libc::sigset_t>) {
        assert!(index < self.nr, "the region has as many as there are owners");
        if let Some(mask) = mask {
            let offset = Self::offset(self.nr) + usize::from(index) * SIGSET_SIZE as usize;
            // SAFETY: behind the entries, where there is one for each.
            let place = unsafe { self.start().add(offset) };
            // SAFETY: a set of the C library begins with that of the kernel, whose size this is; both outlive the copy.
            unsafe { ptr::copy_nonoverlapping((&raw const *mask).cast(), place, SIGSET_SIZE as usize) };
            entry.sigmask = place.expose_provenance() as u64;
            entry.sigmask_sz = SIGSET_SIZE;
        }
        // SAFETY: the index is inside (checked above).
        let place = unsafe { self.start().add(Self::offset(index)) };
        // SAFETY: inside of the mapping and aligned, which a page is and the size of an entry keeps. Volatile, since
        // the kernel has it mapped elsewhere.
        unsafe { place.cast::<io_uring_reg_wait>().write_volatile(entry) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Ring;

    /// It is the region that the kernel looks at, and no other place.
    #[test]
    fn the_kernel_reads_what_is_written_to_the_region() {
        let mut ring: Ring = Ring::builder(4).disabled().build().unwrap();
        let Ok(mut waits) = ring.registrar().register_waits(2) else { return };
        ring.enable().unwrap();
        let limit = Wait::new().timeout(Duration::from_millis(1));
        waits.iter_mut().for_each(|wait| wait.set(&limit));
        let unknown = io_uring_reg_wait { flags: !0, ..Default::default() };
        waits[1].region.write(1, unknown, None);
        assert_eq!(ring.wait_registered(1, &waits[0]).unwrap().count(), 0);
        let error = ring.wait_registered(1, &waits[1]).map(drop).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
