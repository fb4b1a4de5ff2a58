//! A kernel of anonymous memory, for what the real one cannot be brought to: indices that wrap.

mod queues;
mod wrap;

use std::collections::VecDeque;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use uring_sys::{
    IORING_ENTER_GETEVENTS, IORING_FEAT_EXT_ARG, IORING_FEAT_NO_IOWAIT, IORING_FEAT_REG_REG_RING,
    IORING_SETUP_CQE_MIXED, IORING_SETUP_CQE32, IORING_SETUP_SQ_REWIND, IORING_SETUP_SQE128,
    IORING_SQ_CQ_OVERFLOW, io_cqring_offsets, io_sqring_offsets, io_uring_params,
};

use super::Ring;
use super::core::{Core, Maps};
use super::door::{self, Door};
use super::mapping::Mapping;
use super::setup::{Made, Request};
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Completion, Cqe, CqeFlags, Sqe, SqeFlags, Submission};
use crate::fork::Gate;

const SQ_ENTRIES: u32 = 4;
const CQ_ENTRIES: u32 = 8;
const SQ_HEAD: u32 = 0;
const SQ_TAIL: u32 = 4;
const SQ_FLAGS: u32 = 8;
const SQ_DROPPED: u32 = 12;
const CQ_HEAD: u32 = 16;
const CQ_TAIL: u32 = 20;
const CQ_OVERFLOW: u32 = 24;
const CQES: u32 = 64;

/// Numbers that look like chance and are the same in each run.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }
}

/// Which requests, and which completions, are the large ones of a mixed ring: some, without a pattern, which would
/// settle on the same places in each round.
fn is_large(user_data: UserData) -> bool {
    Chance(user_data).below(5) < 2
}

/// Consumes entries in short submits, completes them in their order and at its leisure, holds completions back while
/// there is no room, and is interrupted now and then.
#[derive(Debug)]
struct Kernel {
    maps: Maps,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests that go on.
    in_flight: VecDeque<UserData>,
    /// Those that have ended and found no room.
    held_back: VecDeque<UserData>,
    /// Places of either queue.
    consumed: u64,
    posted: u64,
    chance: Chance,
}

impl Kernel {
    /// A ring with these `IORING_SETUP_*` whose indices start at `sq` and `cq`.
    fn new(flags: u32, sq: u32, cq: u32) -> Arc<Self> {
        Self::sized(flags, (SQ_ENTRIES, sq), (CQ_ENTRIES, cq))
    }

    /// As [`new`](Self::new), with so many places in each queue.
    fn sized(flags: u32, (sq_entries, sq): (u32, u32), (cq_entries, cq): (u32, u32)) -> Arc<Self> {
        let params = io_uring_params {
            flags,
            features: IORING_FEAT_EXT_ARG | IORING_FEAT_NO_IOWAIT | IORING_FEAT_REG_REG_RING,
            sq_entries,
            cq_entries,
            sq_off: io_sqring_offsets {
                head: SQ_HEAD,
                tail: SQ_TAIL,
                flags: SQ_FLAGS,
                dropped: SQ_DROPPED,
                ..Default::default()
            },
            cq_off: io_cqring_offsets {
                head: CQ_HEAD,
                tail: CQ_TAIL,
                overflow: CQ_OVERFLOW,
                cqes: CQES,
                ..Default::default()
            },
            ..Default::default()
        };
        let state = State {
            in_flight: VecDeque::new(),
            held_back: VecDeque::new(),
            consumed: 0,
            posted: 0,
            chance: Chance(u64::from(sq ^ cq)),
        };
        let maps = Maps { rings: Mapping::anonymous(4096), sqes: Mapping::anonymous(4096), params };
        let kernel = Self { maps, state: Mutex::new(state) };
        for (offset, start) in [(SQ_HEAD, sq), (SQ_TAIL, sq), (CQ_HEAD, cq), (CQ_TAIL, cq)] {
            kernel.word(offset).store(start, Ordering::Relaxed);
        }
        Arc::new(kernel)
    }

    fn ring<S: Submission, C: Completion>(self: &Arc<Self>) -> Ring<S, C> {
        let made = Made {
            // It keeps the kernel.
            door: Door::Simulated(self.clone()),
            params: *self.params(),
            memory: Some((self.maps.rings.shared(), self.maps.sqes.shared())),
        };
        Ring::of(Core::of(Gate::new().unwrap(), &Request::default(), made).unwrap())
    }

    fn params(&self) -> &io_uring_params {
        &self.maps.params
    }

    fn has(&self, flag: u32) -> bool {
        self.params().flags & flag != 0
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        let word: NonNull<AtomicU32> = self.maps.rings.at(offset).cast();
        // SAFETY: inside the mapping, aligned, and an atomic to all.
        unsafe { word.as_ref() }
    }

    fn load(&self, offset: u32) -> u32 {
        self.word(offset).load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Consumes up to `count` places, all of an entry or nothing; returns how many.
    fn consume(&self, state: &mut State, count: u32) -> u32 {
        let entries = self.params().sq_entries;
        let (first, there) = if self.has(IORING_SETUP_SQ_REWIND) {
            (0, entries)
        } else {
            let head = self.load(SQ_HEAD);
            (head, self.load(SQ_TAIL).wrapping_sub(head))
        };
        let count = count.min(there);
        let stride = if self.has(IORING_SETUP_SQE128) { 2 } else { 1 };
        let sqes: NonNull<Sqe> = self.maps.sqes.at(0).cast();
        let mut consumed = 0;
        while consumed < count {
            let position = first.wrapping_add(consumed) % entries;
            // SAFETY: less than `entries`, for which there is room.
            let sqe = unsafe { sqes.add(position as usize * stride) };
            // SAFETY: the queue has written the entry before it published the tail.
            let sqe = unsafe { sqe.as_ref() };
            let is_large = sqe.op() == Op::NOP128;
            assert!(!is_large || position + 1 < entries, "an entry goes on past the end of the queue");
            if !sqe.flags().contains(SqeFlags::CQE_SKIP_SUCCESS) {
                state.in_flight.push_back(sqe.user_data);
            }
            consumed += 1 + u32::from(is_large);
        }
        if !self.has(IORING_SETUP_SQ_REWIND) {
            self.word(SQ_HEAD).store(first.wrapping_add(consumed), Ordering::Release);
        }
        state.consumed += u64::from(consumed);
        consumed
    }

    /// Completes up to `count` requests.
    fn complete(&self, state: &mut State, count: u32) {
        for _ in 0..count {
            let Some(user_data) = state.in_flight.pop_front() else { break };
            if !state.held_back.is_empty() || !self.post(state, user_data) {
                state.held_back.push_back(user_data);
                self.word(SQ_FLAGS).fetch_or(IORING_SQ_CQ_OVERFLOW, Ordering::Relaxed);
            }
        }
    }

    /// Posts what was held back, as far as there is room.
    fn flush(&self, state: &mut State) {
        while let Some(&user_data) = state.held_back.front() {
            if !self.post(state, user_data) {
                return;
            }
            state.held_back.pop_front();
        }
        self.word(SQ_FLAGS).fetch_and(!IORING_SQ_CQ_OVERFLOW, Ordering::Relaxed);
    }

    /// Posts a completion, if there is room for it.
    fn post(&self, state: &mut State, user_data: UserData) -> bool {
        let entries = self.params().cq_entries;
        let is_large = self.has(IORING_SETUP_CQE_MIXED) && is_large(user_data);
        if is_large && self.load(CQ_TAIL) % entries == entries - 1 {
            if self.ready() == entries {
                return false;
            }
            self.write(state, &[Cqe { user_data: u64::MAX, res: 0, flags: CqeFlags::SKIP.bits() }], 1);
        }
        if self.ready() + 1 + u32::from(is_large) > entries {
            return false;
        }
        let flags = if is_large { CqeFlags::LARGE.bits() } else { 0 };
        let first = Cqe { user_data, res: 0, flags };
        let second = Cqe { user_data: !user_data, res: 0, flags: 0 };
        if is_large || self.has(IORING_SETUP_CQE32) {
            self.write(state, &[first, second], 1 + u32::from(is_large));
        } else {
            self.write(state, &[first], 1);
        }
        true
    }

    fn write(&self, state: &mut State, units: &[Cqe], places: u32) {
        let tail = self.load(CQ_TAIL);
        let stride = if self.has(IORING_SETUP_CQE32) { 2 } else { 1 };
        let cqes: NonNull<Cqe> = self.maps.rings.at(CQES).cast();
        // SAFETY: less than `cq_entries`, for which there is room.
        let place = unsafe { cqes.add((tail % self.params().cq_entries) as usize * stride) };
        for (index, &unit) in units.iter().enumerate() {
            // SAFETY: a place has two units in a ring of large ones, and a large completion of a mixed ring does not
            // begin in the last place.
            let unit_place = unsafe { place.add(index) };
            // SAFETY: as above, and the ring has given the place back.
            unsafe { unit_place.write(unit) };
        }
        self.word(CQ_TAIL).store(tail.wrapping_add(places), Ordering::Release);
        state.posted += u64::from(places);
    }

    /// Places of the completion queue that are taken.
    fn ready(&self) -> u32 {
        let ready = self.load(CQ_TAIL).wrapping_sub(self.load(CQ_HEAD));
        assert!(ready <= self.params().cq_entries, "the head has passed the tail");
        ready
    }
}

impl door::Kernel for Kernel {
    fn enter(&self, to_submit: u32, min_complete: u32, flags: u32) -> io::Result<u32> {
        let mut state = self.state();
        let state = &mut *state;
        if state.chance.below(8) == 0 {
            return Err(io::Error::from_raw_os_error(libc::EINTR));
        }
        let most = 1 + state.chance.below(2 * self.params().sq_entries);
        let consumed = self.consume(state, to_submit.min(most));
        let some = state.chance.below(3);
        self.complete(state, some);
        if consumed < to_submit || flags & IORING_ENTER_GETEVENTS == 0 {
            return Ok(consumed);
        }
        self.flush(state);
        while self.ready() < min_complete && !state.in_flight.is_empty() {
            self.complete(state, 1);
        }
        if self.ready() < min_complete && consumed == 0 {
            return Err(io::Error::from_raw_os_error(libc::ETIME));
        }
        Ok(consumed)
    }
}
