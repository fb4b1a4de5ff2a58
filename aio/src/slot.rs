//! The iocbs of a context: one for each entry, at an address that never changes.

use std::cell::UnsafeCell;
use std::ptr;

use aio_sys::iocb;

/// The kernel returns an iocb's address with its event, which is how an event finds its slot.
///
/// Invariant: a slot's number is in one place: free in the row, with the submitting half (being
/// filled, or queued), with the kernel, in the queue of local completions, or with the reaping half. The iocb
/// is written only while it is free or with the submitting half, by that half or, inside `io_submit`, by the
/// kernel. At other times both halves may read it.
#[derive(Debug)]
pub(crate) struct Slots {
    iocbs: Box<[UnsafeCell<iocb>]>,
}

// SAFETY: plain integers; that no write meets another access is the type's invariant, and the queues that pass
// the numbers on order what is done before after what is done then.
unsafe impl Sync for Slots {}

impl Slots {
    pub(crate) fn new(nr: usize) -> Self {
        let iocbs: Box<[UnsafeCell<iocb>]> = (0..nr).map(|_| UnsafeCell::default()).collect();
        // For `find`: the kernel returns addresses.
        iocbs.as_ptr().expose_provenance();
        Self { iocbs }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.iocbs.len()
    }

    /// The address of a slot's iocb.
    #[inline]
    pub(crate) fn iocb(&self, slot: u32) -> *mut iocb {
        self.iocbs[slot as usize].get()
    }

    /// The iocb at an address that an event brought back, if it is one of these.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<*mut iocb> {
        let found = self.distance(address) < self.iocbs.len() as u64;
        found.then(|| ptr::with_exposed_provenance_mut(address as usize))
    }

    /// The slot of an address that [`iocb`](Self::iocb) gave.
    pub(crate) fn slot_of(&self, iocb: *mut iocb) -> u32 {
        self.distance(iocb.addr() as u64) as u32
    }

    #[inline]
    fn distance(&self, address: u64) -> u64 {
        address.wrapping_sub(self.iocbs.as_ptr().addr() as u64) / size_of::<iocb>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_finds_its_slot_and_a_strange_one_finds_none() {
        let slots = Slots::new(3);
        for slot in 0..3 {
            assert_eq!(slots.find(slots.iocb(slot).addr() as u64), Some(slots.iocb(slot)));
            assert_eq!(slots.slot_of(slots.iocb(slot)), slot);
        }
        let past = slots.iocb(2).wrapping_add(1).addr() as u64;
        assert_eq!(slots.find(past), None);
        assert_eq!(slots.find(0), None);
        assert_eq!(slots.find(u64::MAX), None);
    }
}
