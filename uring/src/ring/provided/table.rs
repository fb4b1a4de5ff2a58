//! Which buffer is where: the arithmetic of a ring of buffers, without its memory.

/// One buffer.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Bytes that the kernel was given.
    len: u32,
    /// Bytes that completions have told of.
    used: u32,
    /// Parts of it that the user holds.
    held: u32,
    /// The buffer that was put into the ring behind it: the kernel takes that one next.
    next: u16,
    /// Whether the kernel has it, or a request.
    is_kernels: bool,
}

/// What is known of all buffers.
///
/// Invariants: there are a power of two of them, `mask + 1`; each is in the ring once at most, so there is always a free
/// slot for one that is not.
#[derive(Debug)]
pub(super) struct Table {
    records: Box<[Record]>,
    /// The buffer that was put into the ring last.
    last: u16,
    /// Runs over all of `u16` and wraps, as the kernel's does.
    tail: u16,
    mask: u16,
    kind: Kind,
}

/// How buffers come and go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kind {
    /// A buffer is taken in parts until it is used up.
    pub(super) incremental: bool,
    /// The kernel may be done with a buffer that is not used up: the completion tells.
    pub(super) ends_early: bool,
    /// Buffers are not given back by themselves.
    pub(super) outgoing: bool,
}

/// A part of a buffer that a completion has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) id: u16,
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Table {
    /// Knows `nr` buffers, a power of two, which the kernel does not have.
    pub(super) fn new(nr: u16, kind: Kind) -> Self {
        Self { records: vec![Record::default(); nr.into()].into(), last: 0, tail: 0, mask: nr - 1, kind }
    }

    pub(super) fn tail(&self) -> u16 {
        self.tail
    }

    pub(super) fn entries(&self) -> u16 {
        self.mask + 1
    }

    /// How many the kernel has, or requests.
    pub(super) fn given(&self) -> usize {
        self.records.iter().filter(|record| record.is_kernels).count()
    }

    /// Puts a buffer of the user's into the ring; the slot is to be filled.
    pub(super) fn give(&mut self, id: u16, len: u32) -> u16 {
        let slot = self.tail & self.mask;
        self.records[usize::from(self.last)].next = id;
        self.last = id;
        let record = &mut self.records[usize::from(id)];
        debug_assert!(!record.is_kernels && record.held == 0);
        *record = Record { len, is_kernels: true, ..Record::default() };
        self.tail = self.tail.wrapping_add(1);
        slot
    }

    /// Takes what a completion tells of: `bytes` in the buffer `id`, which the kernel still has if `more`. Nothing if
    /// there is no such buffer, or the kernel does not have it.
    pub(super) fn take(&mut self, id: u16, bytes: u32, more: bool) -> Option<Part> {
        let Kind { incremental, ends_early, .. } = self.kind;
        let record = self.records.get_mut(usize::from(id)).filter(|record| record.is_kernels)?;
        let start = record.used;
        let len = bytes.min(record.len - start);
        record.used += len;
        record.held += 1;
        // At the end of a file kernels before 7.0 do not say that they keep the buffer; it is used up by its bytes only.
        let is_over = record.used == record.len || (ends_early && len > 0 && !more);
        record.is_kernels = incremental && !is_over;
        Some(Part { id, start, len })
    }

    /// What a buffer that the kernel has can still take.
    fn room(&self, id: u16) -> Option<u32> {
        let record = self.records.get(usize::from(id)).filter(|record| record.is_kernels)?;
        Some(record.len - record.used)
    }

    /// Starts on a bundle whose first buffer this is.
    pub(super) fn bundle(&self, first: u16, bytes: u32, more: bool) -> Option<Rest> {
        self.room(first).map(|_| Rest { next: first, bytes, more, is_first: true })
    }

    /// Takes the next buffer of a bundle.
    ///
    /// Slots would not tell it: those of buffers that the kernel is done with may be filled anew before the bundle is
    /// looked at. A buffer is not, nor is the one behind it.
    pub(super) fn next_of(&mut self, rest: &mut Rest) -> Option<Part> {
        if rest.bytes == 0 && !rest.is_first {
            return None;
        }
        let id = rest.next;
        let bytes = rest.bytes.min(self.room(id)?);
        rest.is_first = false;
        rest.next = self.records[usize::from(id)].next;
        rest.bytes -= bytes;
        self.take(id, bytes, rest.more && rest.bytes == 0)
    }

    /// The user lets go of a part; tells whether the buffer can be given to the kernel again.
    pub(super) fn release(&mut self, id: u16) -> bool {
        let record = &mut self.records[usize::from(id)];
        record.held -= 1;
        record.held == 0 && !record.is_kernels
    }

    /// Whether a buffer goes back to the kernel when the user lets go of it.
    pub(super) fn is_given_back(&self) -> bool {
        !self.kind.outgoing
    }

    /// Takes a buffer that nobody has.
    pub(super) fn take_idle(&mut self) -> Option<u16> {
        let id = self.records.iter().position(|record| !record.is_kernels && record.held == 0)?;
        self.records[id].held = 1;
        // There are no more than 32768.
        Some(id as u16)
    }
}

/// What is left of a bundle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    next: u16,
    bytes: u32,
    more: bool,
    is_first: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(nr: u16, kind: Kind) -> Table {
        let mut table = Table::new(nr, kind);
        for id in 0..nr {
            assert_eq!(table.give(id, 100), id);
        }
        table
    }

    fn part(id: u16, start: u32, len: u32) -> Option<Part> {
        Some(Part { id, start, len })
    }

    fn bundle(table: &mut Table, first: u16, bytes: u32, more: bool) -> Vec<Part> {
        let mut rest = table.bundle(first, bytes, more).unwrap();
        std::iter::from_fn(|| table.next_of(&mut rest)).collect()
    }

    const INCREMENTAL: Kind = Kind { incremental: true, ends_early: false, outgoing: false };

    #[test]
    fn slots_go_round_while_the_tail_passes_its_last_number() {
        let mut table = full(4, Kind::default());
        for turn in 4..=3 * u32::from(u16::MAX) {
            let id = (turn % 4) as u16;
            assert_eq!(table.take(id, 7, false), part(id, 0, 7));
            assert!(table.release(id));
            assert_eq!(table.give(id, 100), id);
            assert_eq!(table.tail(), (turn + 1) as u16);
        }
        assert_eq!(table.given(), 4);
    }

    #[test]
    fn the_largest_ring_wraps_as_well() {
        let mut table = full(1 << 15, Kind::default());
        assert_eq!((table.entries(), table.tail()), (1 << 15, 1 << 15));
        for turn in 0..2 {
            for id in 0..1 << 15 {
                table.take(id, 0, false).unwrap();
                table.release(id);
                assert_eq!(table.give(id, 100), id);
            }
            assert_eq!(table.tail(), if turn == 0 { 0 } else { 1 << 15 });
        }
        assert_eq!(bundle(&mut table, (1 << 15) - 1, 101, false).last().copied(), part(0, 0, 1));
    }

    #[test]
    fn a_buffer_is_taken_once_and_only_if_there_is_one() {
        let mut table = full(2, Kind::default());
        assert_eq!(table.take(1, u32::MAX, true), part(1, 0, 100), "cut to what the kernel was given");
        assert_eq!(table.take(1, 1, false), None);
        assert_eq!(table.take(2, 1, false), None);
        assert_eq!(table.given(), 1);
    }

    #[test]
    fn an_incremental_buffer_goes_back_once_it_is_used_up_and_no_part_is_held() {
        let mut table = full(2, INCREMENTAL);
        assert_eq!(table.take(0, 60, true), part(0, 0, 60));
        assert!(!table.release(0), "the kernel has the rest");
        assert_eq!(table.take(0, 30, true), part(0, 60, 30));
        assert_eq!(
            table.take(0, 0, false),
            part(0, 90, 0),
            "the end of a file leaves the buffer where it is"
        );
        assert_eq!(table.take(0, 10, false), part(0, 90, 10));
        assert!(!table.release(0) && !table.release(0));
        assert!(table.release(0));
        assert_eq!(table.give(0, 100), 0);
    }

    #[test]
    fn an_incremental_buffer_may_end_early_where_that_was_asked_for() {
        let mut table = full(2, Kind { ends_early: true, ..INCREMENTAL });
        assert_eq!(table.take(0, 95, false), part(0, 0, 95));
        assert!(table.release(0));
        assert_eq!(table.take(1, 95, true), part(1, 0, 95));
        assert!(!table.release(1));
    }

    #[test]
    fn a_bundle_goes_on_in_the_order_of_the_ring() {
        let mut table = full(4, Kind::default());
        for id in [0, 1] {
            table.take(id, 1, false).unwrap();
            assert!(table.release(id));
        }
        // Back in another order.
        table.give(1, 100);
        table.give(0, 50);
        let parts = bundle(&mut table, 3, 190, false);
        assert_eq!(parts.iter().map(|part| (part.id, part.len)).collect::<Vec<_>>(), [(3, 100), (1, 90)]);
        assert_eq!(bundle(&mut table, 0, 0, false), [Part { id: 0, start: 0, len: 0 }]);
        assert_eq!(table.given(), 1);
        // Nothing is made up for bytes that no buffer has.
        assert_eq!(bundle(&mut table, 2, 1000, false).len(), 1);
    }

    #[test]
    fn a_bundle_is_what_it_was_whatever_goes_round_meanwhile() {
        let mut table = full(4, Kind::default());
        let mut rest = table.bundle(0, 150, false).unwrap();
        for _ in 0..5 {
            for id in [2, 3] {
                table.take(id, 1, false).unwrap();
                assert!(table.release(id));
                table.give(id, 100);
            }
        }
        assert_eq!(table.next_of(&mut rest), part(0, 0, 100));
        assert!(table.release(0));
        table.give(0, 100);
        assert_eq!(table.next_of(&mut rest), part(1, 0, 50));
        assert_eq!(table.next_of(&mut rest), None);
    }

    #[test]
    fn an_incremental_bundle_leaves_its_last_buffer_with_the_kernel() {
        let mut table = full(4, INCREMENTAL);
        assert_eq!(table.take(0, 30, true), part(0, 0, 30));
        let parts = bundle(&mut table, 0, 175, true);
        assert_eq!(
            parts.iter().map(|part| (part.id, part.start, part.len)).collect::<Vec<_>>(),
            [(0, 30, 70), (1, 0, 100), (2, 0, 5)]
        );
        assert_eq!(table.take(2, 95, false), part(2, 5, 95));
        assert_eq!(table.given(), 1);
    }

    #[test]
    fn outgoing_buffers_are_idle_until_they_are_given() {
        let mut table = Table::new(2, Kind { outgoing: true, ..Kind::default() });
        assert_eq!((table.take_idle(), table.take_idle(), table.take_idle()), (Some(0), Some(1), None));
        assert!(table.release(1));
        assert_eq!(table.give(1, 5), 0);
        assert_eq!(table.take(1, 9, false), part(1, 0, 5));
        assert!(table.release(1) && !table.is_given_back());
        assert_eq!(table.take_idle(), Some(1));
    }
}
