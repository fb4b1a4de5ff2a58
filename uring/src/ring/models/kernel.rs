//! The kernel's side of the rings, with the orderings of its `io_uring.c` and `sqpoll.c`.

use std::io;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Arc;

use loom::sync::atomic::fence;
use loom::sync::{Condvar, Mutex};
use loom::thread;
use uring_sys::{
    IORING_ENTER_SQ_WAIT, IORING_ENTER_SQ_WAKEUP, IORING_FEAT_REG_REG_RING, IORING_SETUP_SQPOLL,
    IORING_SQ_NEED_WAKEUP, io_cqring_offsets, io_sqring_offsets, io_uring_params,
};

use super::atomic::{AtomicU32, Ordering, Word};
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Cqe, Place, Sqe, WatchedCqe, WatchedSqe};
use crate::fork::Gate;
use crate::ring::Ring;
use crate::ring::core::Core;
use crate::ring::door::{self, Door};
use crate::ring::mapping::Mapping;
use crate::ring::reap::Reap;
use crate::ring::setup::{Made, Request};
use crate::ring::submit::Submit;

/// Places of either queue.
pub(super) const ENTRIES: u32 = 2;

/// Where the indices start: the second request is on the other side of the wrap.
const START: u32 = u32::MAX;

#[repr(C)]
struct Rings {
    sq_head: AtomicU32,
    sq_tail: AtomicU32,
    sq_flags: AtomicU32,
    sq_dropped: AtomicU32,
    cq_head: AtomicU32,
    cq_tail: AtomicU32,
    cq_overflow: AtomicU32,
    cqes: [Place<Cqe>; ENTRIES as usize],
}

type Sqes = [Place<Sqe>; ENTRIES as usize];

/// Memory and thread of a ring with `IORING_SETUP_SQPOLL`. No system call orders anything but what it says.
#[derive(Debug)]
pub(super) struct Kernel {
    rings: Mapping,
    sqes: Mapping,
    /// Whether the polling thread was woken since it last made ready to sleep.
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Kernel {
    pub(super) fn new() -> Arc<Self> {
        let (rings, sqes) = (Mapping::anonymous(4096), Mapping::anonymous(4096));
        let word = AtomicU32::new;
        let at_start = Rings {
            sq_head: word(Word::SqHead, START),
            sq_tail: word(Word::SqTail, START),
            sq_flags: word(Word::SqFlags, 0),
            sq_dropped: word(Word::SqDropped, 0),
            cq_head: word(Word::CqHead, START),
            cq_tail: word(Word::CqTail, START),
            cq_overflow: word(Word::CqOverflow, 0),
            cqes: std::array::from_fn(|_| Place::new(Cqe { user_data: 0, res: 0, flags: 0 })),
        };
        // SAFETY: a page is aligned, and has room.
        unsafe { rings.start().cast().write(at_start) };
        let empty: Sqes = std::array::from_fn(|_| Place::new(Sqe::new(Op::NOP)));
        // SAFETY: as above.
        unsafe { sqes.start().cast().write(empty) };
        Arc::new(Self { rings, sqes, woken: Mutex::new(false), bell: Condvar::new() })
    }

    /// The application's side.
    pub(super) fn ring(self: &Arc<Self>) -> Ring<WatchedSqe, WatchedCqe> {
        let params = io_uring_params {
            sq_entries: ENTRIES,
            cq_entries: ENTRIES,
            flags: IORING_SETUP_SQPOLL,
            features: IORING_FEAT_REG_REG_RING,
            sq_off: io_sqring_offsets {
                head: offset_of!(Rings, sq_head) as u32,
                tail: offset_of!(Rings, sq_tail) as u32,
                flags: offset_of!(Rings, sq_flags) as u32,
                dropped: offset_of!(Rings, sq_dropped) as u32,
                ..Default::default()
            },
            cq_off: io_cqring_offsets {
                head: offset_of!(Rings, cq_head) as u32,
                tail: offset_of!(Rings, cq_tail) as u32,
                overflow: offset_of!(Rings, cq_overflow) as u32,
                cqes: offset_of!(Rings, cqes) as u32,
                ..Default::default()
            },
            ..Default::default()
        };
        // The ring keeps this kernel by its door.
        let memory = (self.rings.shared(), self.sqes.shared());
        let made = Made { door: Door::Simulated(self.clone()), params, memory: Some(memory) };
        Ring::of(Core::of(Gate::new().unwrap(), &Request::default(), made).unwrap())
    }

    /// Both halves, which nothing takes down.
    pub(super) fn halves(self: &Arc<Self>) -> (Submit<WatchedSqe>, Reap<WatchedCqe>) {
        self.ring().into_halves()
    }

    fn words(&self) -> &Rings {
        let rings: NonNull<Rings> = self.rings.start().cast();
        // SAFETY: written by `new`, and no part of it is changed but in a cell.
        unsafe { rings.as_ref() }
    }

    fn sqe(&self, index: u32) -> &Place<Sqe> {
        let sqes: NonNull<Sqes> = self.sqes.start().cast();
        // SAFETY: as above.
        let sqes = unsafe { sqes.as_ref() };
        &sqes[(index % ENTRIES) as usize]
    }

    /// Consumes an entry.
    fn consume(&self) -> Option<UserData> {
        let Rings { sq_head, sq_tail, .. } = self.words();
        // Nobody else writes it.
        let head = sq_head.of_kernel().load(Ordering::Relaxed);
        if sq_tail.of_kernel().load(Ordering::Acquire) == head {
            return None;
        }
        // SAFETY: loom checks that nobody writes to it.
        let user_data = self.sqe(head).0.with(|sqe| unsafe { (*sqe).user_data });
        sq_head.of_kernel().store(head.wrapping_add(1), Ordering::Release);
        Some(user_data)
    }

    /// Posts a completion, when there is room for one.
    pub(super) fn post(&self, user_data: UserData) {
        let Rings { cq_head, cq_tail, cqes, .. } = self.words();
        // Nobody else writes it.
        let tail = cq_tail.of_kernel().load(Ordering::Relaxed);
        // The kernel's load is a plain one: what follows depends on it and only writes, which hardware orders. The
        // language has no such dependencies.
        while tail.wrapping_sub(cq_head.of_kernel().load(Ordering::Acquire)) == ENTRIES {
            thread::yield_now();
        }
        let cqe = Cqe { user_data, res: 0, flags: 0 };
        // SAFETY: loom checks that nobody else looks at it.
        cqes[(tail % ENTRIES) as usize].0.with_mut(|place| unsafe { place.write(cqe) });
        cq_tail.of_kernel().store(tail.wrapping_add(1), Ordering::Release);
    }

    /// Consumes so many entries, and sleeps whenever there is none. What a real one does while it is idle for less
    /// than `sq_thread_idle` differs in nothing but time.
    pub(super) fn poll(&self, count: u64, mut each: impl FnMut(UserData)) {
        for _ in 0..count {
            let user_data = loop {
                match self.consume() {
                    Some(user_data) => break user_data,
                    None => self.sleep(),
                }
            };
            each(user_data);
        }
    }

    /// Sleeps until it is woken, unless something was published at the last moment.
    fn sleep(&self) {
        let Rings { sq_head, sq_tail, sq_flags, .. } = self.words();
        *self.woken.lock().unwrap() = false;
        sq_flags.of_kernel().fetch_or(IORING_SQ_NEED_WAKEUP, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let head = sq_head.of_kernel().load(Ordering::Relaxed);
        if sq_tail.of_kernel().load(Ordering::Acquire) == head {
            let mut woken = self.woken.lock().unwrap();
            while !*woken {
                woken = self.bell.wait(woken).unwrap();
            }
        }
        sq_flags.of_kernel().fetch_and(!IORING_SQ_NEED_WAKEUP, Ordering::Relaxed);
    }
}

impl door::Kernel for Kernel {
    fn enter(&self, to_submit: u32, min_complete: u32, flags: u32) -> io::Result<u32> {
        assert_eq!(to_submit, 0, "the polling thread submits");
        let Rings { sq_head, sq_tail, cq_head, cq_tail, .. } = self.words();
        let between = |head: &AtomicU32, tail: &AtomicU32| {
            let tail = tail.of_kernel().load(Ordering::Relaxed);
            tail.wrapping_sub(head.of_kernel().load(Ordering::Relaxed))
        };
        if flags & IORING_ENTER_SQ_WAKEUP != 0 {
            *self.woken.lock().unwrap() = true;
            self.bell.notify_one();
        }
        while flags & IORING_ENTER_SQ_WAIT != 0 && between(sq_head, sq_tail) == ENTRIES {
            thread::yield_now();
        }
        while between(cq_head, cq_tail) < min_complete {
            thread::yield_now();
        }
        Ok(0)
    }
}
