//! The completion ring that the kernel maps into the process.

use std::io;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use aio_sys::{AIO_RING_INCOMPAT_FEATURES, AIO_RING_MAGIC, aio_context_t, aio_ring, io_event};

use crate::fork::Wiped;

/// The consumer's view of the ring.
///
/// `at` leads to the next event to take, `tail` is the index behind the last one seen, `published` what `at` was when
/// the kernel was told. Indices are below `nr`, and that is the kernel's rule for them: they do not run freely. `end` is the
/// address behind the events from `at` on that were seen and stand in one piece, and `wraps` whether there are more
/// at the start of the ring; in a forked child, where the ring is not there, `end` is 0.
///
/// Invariant: `header` leads to a mapped ring of `nr` events, for as long as the context's [`Handle`] lives and
/// in the process that made it; nobody else takes events from it.
///
/// [`Handle`]: crate::handle::Handle
#[derive(Debug)]
pub(crate) struct Ring {
    header: NonNull<aio_ring>,
    at: *mut io_event,
    end: Wiped,
    nr: u32,
    tail: u32,
    wraps: bool,
    published: *mut io_event,
}

// SAFETY: the ring belongs to the process, not to a thread, and its one consumer may be any.
unsafe impl Send for Ring {}

impl Ring {
    /// Recognises the ring of a context; `None` if it is of a kind that this crate does not know.
    ///
    /// # Safety
    ///
    /// The context is live, `end` is nobody else's, and the caller keeps the type's invariant from now on.
    pub(crate) unsafe fn of(id: aio_context_t, end: Wiped) -> Option<Self> {
        let address = usize::try_from(id).ok()?;
        let header = NonNull::new(std::ptr::with_exposed_provenance_mut::<aio_ring>(address))?;
        let nowhere = std::ptr::null_mut();
        let mut ring = Self { header, at: nowhere, end, nr: 0, tail: 0, wraps: false, published: nowhere };
        let known = ring.word(offset_of!(aio_ring, magic)) == AIO_RING_MAGIC
            && ring.word(offset_of!(aio_ring, incompat_features)) == AIO_RING_INCOMPAT_FEATURES
            && ring.word(offset_of!(aio_ring, header_length)) == size_of::<aio_ring>() as u32;
        ring.nr = ring.word(offset_of!(aio_ring, nr));
        if !known || ring.nr < 2 {
            return None;
        }
        ring.resume();
        Some(ring)
    }

    /// Keeps the mapping out of forked children, which would take their parent's events.
    pub(crate) fn keep_from_children(&self) -> io::Result<()> {
        let len = size_of::<aio_ring>() + self.nr as usize * size_of::<io_event>();
        // SAFETY: the range is the kernel's mapping of this ring, header and events; the advice changes
        // nothing in this process.
        let failed = unsafe { libc::madvise(self.header.as_ptr().cast(), len, libc::MADV_DONTFORK) } != 0;
        if failed {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    #[inline]
    fn atomic(&self, offset: usize) -> &AtomicU32 {
        let address = self.header.as_ptr().wrapping_byte_add(offset);
        // SAFETY: an aligned word of the header, mapped as long as `self` (the type's invariant); kernel and
        // process access it as one word.
        unsafe { AtomicU32::from_ptr(address.cast()) }
    }

    /// A field that the kernel wrote before `io_setup` returned, and never again.
    fn word(&self, offset: usize) -> u32 {
        self.atomic(offset).load(Ordering::Relaxed)
    }

    /// The event at an index up to and including `nr`.
    #[inline]
    fn event(&self, index: u32) -> *mut io_event {
        self.header.as_ptr().wrapping_add(1).cast::<io_event>().wrapping_add(index as usize)
    }

    /// The index of the next event to take.
    #[inline]
    fn head(&self) -> u32 {
        let index = (self.at.addr() - self.event(0).addr()) / size_of::<io_event>();
        // Behind the last one comes the first.
        if index as u32 == self.nr { 0 } else { index as u32 }
    }

    /// How many events can be taken, as of the last [`observe`](Self::observe).
    #[inline]
    pub(crate) fn seen(&self) -> usize {
        let (head, tail) = (self.head() as usize, self.tail as usize);
        if tail >= head { tail - head } else { self.nr as usize - head + tail }
    }

    /// Sees what has come, and returns how many events can be taken: the kernel writes an event before the tail that counts it (`smp_wmb` in
    /// `aio_complete`), so after this load the events below are whole.
    #[inline]
    pub(crate) fn observe(&mut self) -> usize {
        let tail = self.atomic(offset_of!(aio_ring, tail)).load(Ordering::Acquire);
        if tail < self.nr {
            self.tail = tail;
        }
        self.measure()
    }

    /// Finds out which of the events seen stand in one piece.
    #[inline]
    fn measure(&mut self) -> usize {
        let (head, tail) = (self.head(), self.tail);
        self.at = self.event(head);
        self.wraps = tail < head;
        self.end.set(self.event(if self.wraps { self.nr } else { tail }).addr() as u64);
        (if self.wraps { self.nr - head + tail } else { tail - head }) as usize
    }

    /// Whether events were seen for which [`pop`](Self::pop) needs a [`turn`](Self::turn).
    #[inline]
    pub(crate) fn wraps(&self) -> bool {
        self.wraps
    }

    /// Goes on at the start of the ring, if events were seen there and all before them are taken; then there is
    /// one for [`pop`](Self::pop).
    pub(crate) fn turn(&mut self) -> bool {
        self.wraps && self.measure() > 0
    }

    /// Takes the oldest event of those that stand in one piece; the rest comes after a [`turn`](Self::turn).
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<io_event> {
        if self.at.addr() as u64 >= self.end.get() {
            return None;
        }
        // SAFETY: `at` is below an `end` that is not 0, so this process has the ring, the event is in it, and
        // the kernel leaves it alone from the tail that counts it, seen in `observe`, to the head that frees it,
        // in `publish`.
        let event = unsafe { self.at.read() };
        self.at = self.at.wrapping_add(1);
        Some(event)
    }

    /// Gives taken events back: the kernel reads the head before it counts their room as free, so the copies
    /// are made before this store.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.at != self.published {
            self.atomic(offset_of!(aio_ring, head)).store(self.head(), Ordering::Release);
            self.published = self.at;
        }
    }

    /// Goes on where a system call of this thread has stopped taking.
    pub(crate) fn resume(&mut self) {
        // No other thread writes the head: the order of the program is enough.
        let head = self.atomic(offset_of!(aio_ring, head)).load(Ordering::Relaxed);
        let head = if head < self.nr { head } else { 0 };
        self.tail = head;
        self.at = self.event(head);
        self.published = self.at;
        self.observe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fork::Gate;

    /// A ring in plain memory: the header takes the place of one event.
    struct Fake {
        memory: Vec<io_event>,
        gate: Gate,
    }

    impl Fake {
        fn new(nr: u32, start: u32, magic: u32) -> Self {
            let mut memory = vec![io_event::default(); nr as usize + 1];
            let header = memory.as_mut_ptr().cast::<[u32; 8]>();
            // SAFETY: the first 32 bytes of the vector, which nobody else looks at.
            unsafe { header.write([7, nr, start, start, magic, 1, 0, 32]) };
            Self { memory, gate: Gate::new().unwrap() }
        }

        fn ring(&mut self) -> Option<Ring> {
            let id = self.memory.as_mut_ptr().expose_provenance();
            // SAFETY: the memory is laid out as a ring is, and outlives it in each test.
            unsafe { Ring::of(id as aio_context_t, self.gate.for_completion()) }
        }

        fn complete(ring: &Ring, data: u64) {
            let tail = ring.atomic(offset_of!(aio_ring, tail));
            let slot = tail.load(Ordering::Relaxed);
            let events = ring.header.as_ptr().wrapping_add(1).cast::<io_event>();
            let event = io_event { data, ..io_event::default() };
            // SAFETY: slot is below nr, and free because the test keeps fewer than nr events.
            unsafe { events.wrapping_add(slot as usize).write(event) };
            tail.store((slot + 1) % ring.nr, Ordering::Release);
        }
    }

    #[test]
    fn events_come_in_order_over_the_end_of_the_ring() {
        let mut fake = Fake::new(3, 2, AIO_RING_MAGIC);
        let mut ring = fake.ring().expect("a known ring");
        for round in 0..7 {
            assert!(ring.pop().is_none());
            Fake::complete(&ring, round);
            Fake::complete(&ring, round + 100);
            assert_eq!(ring.seen(), 0, "nothing is seen before observe");
            ring.observe();
            assert_eq!(ring.seen(), 2);
            for expected in [round, round + 100] {
                let event = ring.pop().or_else(|| ring.turn().then(|| ring.pop())?);
                assert_eq!(event.map(|event| event.data), Some(expected));
                ring.publish();
                let head = ring.atomic(offset_of!(aio_ring, head));
                assert_eq!(head.load(Ordering::Relaxed), ring.head());
            }
            assert_eq!(ring.seen(), 0);
        }
    }

    #[test]
    fn a_call_that_took_events_moves_the_head_on() {
        let mut fake = Fake::new(4, 0, AIO_RING_MAGIC);
        let mut ring = fake.ring().expect("a known ring");
        (0..3).for_each(|n| Fake::complete(&ring, n));
        let head = ring.atomic(offset_of!(aio_ring, head));
        head.store(2, Ordering::Relaxed);
        ring.resume();
        assert_eq!(ring.seen(), 1);
        assert_eq!(ring.pop().map(|event| event.data), Some(2));
    }

    #[test]
    fn a_ring_of_another_kind_is_left_alone() {
        assert!(Fake::new(4, 0, 1).ring().is_none());
        assert!(Fake::new(1, 0, AIO_RING_MAGIC).ring().is_none());
        // SAFETY: a null handle is not looked at.
        assert!(unsafe { Ring::of(0, Gate::new().unwrap().for_completion()) }.is_none());
    }
}
