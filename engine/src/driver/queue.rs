//! Jobs on their way to an I/O thread, and whether it has to be woken for them.

use std::collections::VecDeque;
use std::mem;
use std::sync::PoisonError;

use crate::error::Error;
use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// A bounded queue of many who push and one I/O thread that takes.
///
/// The thread waits in the kernel, where a lock cannot wake it. So it says, in one step with finding nothing to take, that
/// it goes to sleep; whoever changes that is told, by the same lock, to ring for it.
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    /// There is room, or the end.
    room: Condvar,
    bound: usize,
}

struct State<J> {
    jobs: VecDeque<J>,
    /// Jobs that were pushed and have not been started: those above, and what the thread has taken only.
    waiting: usize,
    /// Who waits for room.
    blocked: usize,
    /// The thread waits in the kernel or is about to, and nobody rings for it yet.
    sleeping: bool,
    closed: bool,
    accepted: u64,
}

/// What to do if there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Wait for it.
    Wait,
    /// Give the job back.
    Refuse,
    /// Go beyond the bound: for threads on which room depends.
    Exceed,
}

/// To be rung by who gets it, if it is `true`.
#[must_use = "the thread sleeps until somebody rings"]
#[derive(Debug)]
pub(super) struct Ring(pub(super) bool);

/// What the I/O thread has found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Nothing, and from now on it is rung for.
    pub(super) asleep: bool,
    /// There will be nothing after this.
    pub(super) closed: bool,
}

impl<J> Queue<J> {
    /// Makes a queue for `bound` jobs, one at least.
    pub(super) fn new(bound: usize) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            waiting: 0,
            blocked: 0,
            sleeping: false,
            closed: false,
            accepted: 0,
        };
        Self { state: Mutex::new(state), room: Condvar::new(), bound: bound.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        // Nothing under this lock panics between two steps that belong together.
        lock(&self.state)
    }

    /// Accepts a job, or gives it back.
    pub(super) fn push(&self, job: J, patience: Patience) -> Result<Ring, (Error, J)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err((Error::Closed, job));
            }
            if state.waiting < self.bound || patience == Patience::Exceed {
                break;
            }
            if patience == Patience::Refuse {
                return Err((Error::Full, job));
            }
            state.blocked += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.blocked -= 1;
        }
        state.jobs.push_back(job);
        state.waiting += 1;
        state.accepted += 1;
        Ok(Ring(mem::take(&mut state.sleeping)))
    }

    /// Moves all jobs to `to`, which is empty; if there are none, the thread may sleep afterwards.
    pub(super) fn take(&self, to: &mut VecDeque<J>, may_sleep: bool) -> Seen {
        let mut state = self.lock();
        mem::swap(&mut state.jobs, to);
        state.sleeping = may_sleep && to.is_empty();
        Seen { asleep: state.sleeping, closed: state.closed }
    }

    /// Makes room for as many jobs as were started.
    pub(super) fn make_room(&self, started: usize) {
        let mut state = self.lock();
        state.waiting -= started;
        let wake = started.min(state.blocked);
        drop(state);
        for _ in 0..wake {
            self.room.notify_one();
        }
    }

    /// Accepts nothing from now on; who waits for room is sent away.
    pub(super) fn close(&self) -> Ring {
        let mut state = self.lock();
        state.closed = true;
        let ring = Ring(mem::take(&mut state.sleeping));
        drop(state);
        self.room.notify_all();
        ring
    }

    /// Jobs that were accepted so far.
    pub(super) fn accepted(&self) -> u64 {
        self.lock().accepted
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn pushed(queue: &Queue<u32>, job: u32, patience: Patience) -> Result<bool, (String, u32)> {
        let pushed = queue.push(job, patience);
        pushed.map(|ring| ring.0).map_err(|(error, job)| (format!("{error:?}"), job))
    }

    #[test]
    fn room_is_for_what_has_not_been_started_and_not_for_what_has_not_been_taken() {
        let queue = Queue::new(2);
        let mut taken = VecDeque::new();
        assert_eq!(pushed(&queue, 1, Patience::Refuse), Ok(false));
        assert_eq!(pushed(&queue, 2, Patience::Wait), Ok(false));
        assert_eq!(pushed(&queue, 3, Patience::Refuse), Err(("Full".into(), 3)));
        let _ = queue.take(&mut taken, true);
        assert_eq!(taken, [1, 2]);
        assert_eq!(pushed(&queue, 3, Patience::Refuse), Err(("Full".into(), 3)));
        assert_eq!(pushed(&queue, 3, Patience::Exceed), Ok(false));
        queue.make_room(2);
        assert_eq!(pushed(&queue, 4, Patience::Refuse), Ok(false));
        assert_eq!(queue.accepted(), 4);
    }

    #[test]
    fn one_who_pushes_rings_and_only_while_the_thread_sleeps() {
        let queue = Queue::new(8);
        let mut taken = VecDeque::new();
        assert!(queue.take(&mut taken, true).asleep);
        assert_eq!(pushed(&queue, 1, Patience::Wait), Ok(true));
        assert_eq!(pushed(&queue, 2, Patience::Wait), Ok(false));
        assert!(!queue.take(&mut taken, true).asleep);
        taken.clear();
        assert!(!queue.take(&mut taken, false).asleep);
        assert_eq!(pushed(&queue, 3, Patience::Wait), Ok(false));
    }

    #[test]
    fn a_closed_queue_gives_back_and_keeps_what_it_has() {
        let queue = Queue::new(8);
        let mut taken = VecDeque::new();
        assert_eq!(pushed(&queue, 1, Patience::Wait), Ok(false));
        assert!(!queue.close().0);
        for patience in [Patience::Wait, Patience::Refuse, Patience::Exceed] {
            assert_eq!(pushed(&queue, 2, patience), Err(("Closed".into(), 2)));
        }
        assert!(queue.take(&mut taken, true).closed);
        assert_eq!(taken, [1]);
    }
}

/// `RUSTFLAGS="--cfg loom" cargo test -p engine --release --lib loom`
#[cfg(all(test, loom))]
mod loom_model {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// An eventfd and the poll of it: the thread's sleep in the kernel, which only ringing ends.
    struct Bell {
        raised: Mutex<bool>,
        rung: Condvar,
    }

    impl Bell {
        fn ring(&self, ring: Ring) {
            if ring.0 {
                *self.raised.lock().unwrap() = true;
                self.rung.notify_one();
            }
        }

        fn sleep(&self) {
            let mut raised = self.raised.lock().unwrap();
            while !*raised {
                raised = self.rung.wait(raised).unwrap();
            }
            *raised = false;
        }
    }

    struct Lane {
        queue: Queue<u32>,
        bell: Bell,
    }

    impl Lane {
        fn new(bound: usize) -> Arc<Self> {
            let bell = Bell { raised: Mutex::new(false), rung: Condvar::new() };
            Arc::new(Self { queue: Queue::new(bound), bell })
        }

        fn push(&self, job: u32, patience: Patience) -> bool {
            self.queue.push(job, patience).map(|ring| self.bell.ring(ring)).is_ok()
        }

        fn close(&self) {
            self.bell.ring(self.queue.close());
        }

        /// What the I/O thread does, but for the I/O: every job is over when it is started.
        fn carry_out(&self) -> Vec<u32> {
            let mut done = Vec::new();
            let mut inbox = VecDeque::new();
            loop {
                let seen = self.queue.take(&mut inbox, true);
                if inbox.is_empty() && seen.closed {
                    return done;
                }
                self.queue.make_room(inbox.len());
                done.extend(inbox.drain(..));
                if seen.asleep {
                    self.bell.sleep();
                }
            }
        }
    }

    /// Goes through the interleavings with up to three preemptions, in seconds; all of them take nine minutes. `LOOM_MAX_PREEMPTIONS`
    /// says otherwise.
    fn check(model: impl Fn() + Sync + Send + 'static) {
        let mut few = loom::model::Builder::new();
        few.preemption_bound.get_or_insert(3);
        few.check(model);
    }

    /// Each accepted job is carried out once, and everybody comes to an end: a model in which somebody sleeps for ever fails.
    #[test]
    fn no_job_is_lost_and_nobody_sleeps_for_ever_while_the_queue_is_closed() {
        check(|| {
            let lane = Lane::new(1);
            let io = thread::spawn({
                let lane = lane.clone();
                move || lane.carry_out()
            });
            let submitter = thread::spawn({
                let lane = lane.clone();
                move || (1..=2).filter(|&job| lane.push(job, Patience::Wait)).collect::<Vec<_>>()
            });
            lane.close();
            assert_eq!(io.join().unwrap(), submitter.join().unwrap());
        });
    }

    #[test]
    fn two_who_wait_for_one_place_both_get_it() {
        check(|| {
            let lane = Lane::new(1);
            let submitters = [1, 2].map(|job| {
                let lane = lane.clone();
                thread::spawn(move || assert!(lane.push(job, Patience::Wait)))
            });
            let closer = lane.clone();
            let io = thread::spawn(move || lane.carry_out());
            for submitter in submitters {
                submitter.join().unwrap();
            }
            closer.close();
            let mut done = io.join().unwrap();
            done.sort_unstable();
            assert_eq!(done, [1, 2]);
        });
    }

    /// As when the engine has failed.
    #[test]
    fn who_waits_for_room_is_sent_away_at_the_end_though_nothing_is_started_any_more() {
        check(|| {
            let lane = Lane::new(1);
            assert!(lane.push(0, Patience::Wait));
            let submitters = [1, 2].map(|job| {
                let lane = lane.clone();
                thread::spawn(move || assert!(!lane.push(job, Patience::Wait)))
            });
            lane.close();
            for submitter in submitters {
                submitter.join().unwrap();
            }
        });
    }

    /// A callback on the I/O thread itself pushes while a submitter waits for room.
    #[test]
    fn a_callback_that_goes_beyond_the_bound_keeps_nobody_out() {
        check(|| {
            let lane = Lane::new(1);
            let submitter = thread::spawn({
                let lane = lane.clone();
                move || {
                    assert!(lane.push(1, Patience::Wait) && lane.push(2, Patience::Wait));
                    lane.close();
                }
            });
            assert!(lane.push(0, Patience::Exceed));
            let mut done = lane.carry_out();
            submitter.join().unwrap();
            done.sort_unstable();
            assert_eq!(done, [0, 1, 2]);
        });
    }
}
