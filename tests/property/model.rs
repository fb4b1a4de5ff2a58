//! What a context has been given and owes: which operations are queued and in flight, what they may answer.

use std::collections::{BTreeMap, HashMap, VecDeque};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::driven::{Answer, Counts, Room, Taken};
use crate::op::{Action, Claims, Op, Target};
use crate::world::{Pipe, World};

pub(crate) type Verdict<T = ()> = Result<T, TestCaseError>;

/// How often each sort of operation ended in which way: well, or with an errno.
pub(crate) type Tally = BTreeMap<(&'static str, Option<i32>), u64>;

/// Operations in flight that have one name, and the answers that came under it.
///
/// They are judged when there are as many answers as operations: with a name that is shared, it cannot be told before
/// then whose answer is whose.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) ops: Vec<Op>,
    pub(crate) answers: Vec<Answer>,
}

/// The cancellations of one name.
#[derive(Debug, Default)]
pub(crate) struct Chase {
    pub(crate) asked: usize,
    /// How many of them have answered: 0, `EALREADY`, and all.
    pub(crate) hits: usize,
    pub(crate) running: usize,
    pub(crate) answered: usize,
    /// How many operations were cancelled.
    pub(crate) cancelled: usize,
}

impl Chase {
    /// Whether an operation may have been cancelled, as far as the answers to the cancellations go.
    pub(crate) fn may_have_hit(&self) -> bool {
        self.hits > 0 || self.running > 0 || self.answered < self.asked
    }
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) room: Room,
    pub(crate) is_uring: bool,
    pub(crate) shared_names: bool,
    pub(crate) next_id: u64,
    pub(crate) queued: VecDeque<Op>,
    pub(crate) groups: BTreeMap<u64, Group>,
    /// Accepted, completion not taken.
    pub(crate) in_flight: usize,
    pub(crate) submitted: u64,
    pub(crate) completed: u64,
    pub(crate) claims: Claims,
    pub(crate) chases: HashMap<u64, Chase>,
    /// How operations ended that somebody has chased; by name, while names are unique.
    pub(crate) fates: HashMap<u64, Answer>,
    pub(crate) tally: Tally,
}

impl Model {
    pub(crate) fn new(room: Room, is_uring: bool, shared_names: bool) -> Model {
        Model {
            room,
            is_uring,
            shared_names,
            next_id: 0,
            queued: VecDeque::new(),
            groups: BTreeMap::new(),
            in_flight: 0,
            submitted: 0,
            completed: 0,
            claims: Claims::default(),
            chases: HashMap::new(),
            fates: HashMap::new(),
            tally: Tally::new(),
        }
    }

    /// What the context has to say about itself.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            queued: self.queued.len(),
            in_flight: self.in_flight,
            space: match self.room {
                Room::Queue(entries, _) => entries - self.queued.len(),
                Room::Total(entries) => entries - self.queued.len() - self.in_flight,
            },
            submitted: self.submitted,
            completed: self.completed,
        }
    }

    /// Gives the next operation its number and name.
    pub(crate) fn name(&mut self, action: &Action) -> (u64, u64) {
        let id = self.next_id;
        self.next_id += 1;
        let name = if self.shared_names {
            match action {
                Action::Transfer(_) | Action::Allocate { .. } => 7 + id % 2,
                Action::Sync { .. } => 10,
                Action::Nop => 11,
                Action::Poll(_) => 20,
                Action::PipeRead { .. } => 21,
                Action::Timeout { long: true } => 22,
                Action::Timeout { long: false } => 23,
                // Who is cancelled can be told from the name, so that it is known which names were hit.
                Action::Cancel { target: Some(target), .. } => 100 + target.name,
                Action::Cancel { target: None, .. } => 100,
            }
        } else {
            // Odd, so no two are the same; and all 64 bits are used.
            id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        (id, name)
    }

    /// All that is not completed, the oldest first.
    pub(crate) fn outstanding(&self) -> impl Iterator<Item = &Op> {
        self.groups.values().flat_map(|group| &group.ops).chain(&self.queued)
    }

    /// Which operation a cancellation goes for: the `nth`, around, of those that can be.
    pub(crate) fn target(&self, nth: usize, poll_only: bool) -> Option<Target> {
        let mut ops: Vec<&Op> = self.outstanding().filter(|op| op.can_be_cancelled()).collect();
        if self.shared_names {
            // Whose completion is whose is not known, nor then which of the writes was not done.
            let is_change = |op: &Op| matches!(op.action, Action::Transfer(_) | Action::Sync { .. });
            ops.retain(|op| !is_change(op));
        }
        ops.sort_by_key(|op| op.id);
        let op = ops.get(nth.checked_rem(ops.len())?)?;
        let is_effective = op.is_poll() || self.is_uring && !poll_only;
        Some(Target { name: op.name, is_effective })
    }

    /// How many operations will complete whatever happens, and how many there are.
    pub(crate) fn outlook(&self, world: &World) -> (usize, usize) {
        let loaded = loaded(world);
        let certain = |ops: &mut dyn Iterator<Item = &Op>| ops.filter(|op| op.is_certain(&loaded)).count();
        let in_groups = self.groups.values().map(|group| {
            // Of those that are certain, these may be over already.
            certain(&mut group.ops.iter()).saturating_sub(group.answers.len())
        });
        let certain = in_groups.sum::<usize>() + certain(&mut self.queued.iter());
        (certain, self.queued.len() + self.in_flight)
    }

    /// Adds what the context has added.
    pub(crate) fn add(&mut self, op: Op) {
        if let Action::Cancel { target: Some(target), .. } = &op.action
            && target.is_effective
        {
            self.chases.entry(target.name).or_default().asked += 1;
        }
        self.queued.push_back(op);
    }

    /// Takes note that the context has so many left in its queue: the kernel has accepted those before.
    pub(crate) fn accept(&mut self, left: usize) -> Verdict {
        prop_assert!(left <= self.queued.len(), "{left} queued of {}", self.queued.len());
        for op in self.queued.drain(..self.queued.len() - left) {
            self.in_flight += 1;
            self.submitted += 1;
            self.groups.entry(op.name).or_default().ops.push(op);
        }
        // Old kernels take no more while completions wait that did not fit the ring.
        let ring = if let Room::Queue(_, ring) = self.room { ring } else { usize::MAX };
        prop_assert!(left == 0 || self.in_flight >= ring, "{left} not accepted");
        Ok(())
    }

    /// Takes a completion.
    pub(crate) fn complete(&mut self, world: &mut World, (name, answer): Taken) -> Verdict {
        let Some(group) = self.groups.get_mut(&name) else {
            return Err(TestCaseError::fail(format!(
                "a completion of {name:#x}, {answer:?}, but there is no such operation in flight"
            )));
        };
        group.answers.push(answer);
        self.in_flight -= 1;
        self.completed += 1;
        if group.answers.len() == group.ops.len() {
            let group = self.groups.remove(&name).expect("found above");
            self.judge(world, group)?;
        }
        Ok(())
    }

    /// Checks what has to hold when nothing is left.
    pub(crate) fn idle(&mut self) -> Verdict {
        prop_assert!(self.queued.is_empty(), "still queued: {:?}", self.queued);
        prop_assert!(self.groups.is_empty(), "still in flight: {:?}", self.groups);
        for (name, chase) in self.chases.drain() {
            let Chase { asked, answered, hits, running, cancelled } = chase;
            prop_assert_eq!(asked, answered, "cancellations of {:#x}", name);
            prop_assert!(hits == 0 || cancelled > 0, "{name:#x}: {hits} times cancelled, but no ECANCELED");
            prop_assert!(cancelled == 0 || hits + running > 0, "{name:#x}: ECANCELED, but not cancelled");
        }
        self.fates.clear();
        Ok(())
    }
}

/// Which pipes somebody has kicked.
pub(crate) fn loaded(world: &World) -> Vec<bool> {
    world.pipes.iter().map(Pipe::is_loaded).collect()
}
