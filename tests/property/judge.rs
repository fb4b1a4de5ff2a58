//! Whether the answers are those that the model predicts, and memory and file are as they have to be.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::driven::Answer;
use crate::memory::Block;
use crate::model::{Chase, Group, Model, Verdict, loaded};
use crate::op::{Action, Op, Target};
use crate::plan::{Kind, Pollable, Syncable};
use crate::world::{KICK, World, poll};

const CANCELED: Answer = Err(libc::ECANCELED);

/// What an operation may answer, and what its buffer then holds, if that can be told before.
struct Expected {
    answers: Vec<Answer>,
    block: Option<Block>,
}

impl Model {
    /// Judges operations that are all completed.
    pub(crate) fn judge(&mut self, world: &mut World, group: Group) -> Verdict {
        let Group { ops, answers } = group;
        let mut expected = Vec::new();
        for op in &ops {
            expected.push(self.expect(world, op, &answers)?);
        }
        let Some(owners) = assign(&expected, &answers) else {
            let lines = ops.iter().zip(&expected).map(|(op, Expected { answers, .. })| {
                format!("expected {answers:?} of {:?} (number {})", op.action, op.id)
            });
            let lines: Vec<String> = lines.collect();
            return Err(TestCaseError::fail(format!("answers {answers:?}\n{}", lines.join("\n"))));
        };
        for (owner, &answer) in owners.into_iter().zip(&answers) {
            self.check_block(&ops[owner], answer, expected[owner].block.as_ref())?;
            self.note(&ops[owner], answer);
        }
        for op in ops {
            self.claims.release(&op.claim);
            world.put_back(op);
        }
        Ok(())
    }

    fn expect(&self, world: &World, op: &Op, all: &[Answer]) -> Verdict<Expected> {
        let chase = self.chases.get(&op.name);
        let chased = chase.is_some_and(Chase::may_have_hit);
        let mut block = None;
        let mut answers = match &op.action {
            Action::Transfer(_) | Action::Allocate { .. } if all == [CANCELED] && chased => vec![],
            Action::Transfer(_) | Action::Allocate { .. } => {
                let (answer, twin) = world.mirror.repeat(op, &world.hole);
                block = twin;
                return Ok(Expected { answers: vec![answer], block });
            }
            Action::Sync { on, .. } => vec![match on {
                Syncable::File | Syncable::ReadOnly => Ok(0),
                Syncable::NameOnly | Syncable::NotOpen => Err(libc::EBADF),
                Syncable::Pipe => Err(libc::EINVAL),
            }],
            Action::Poll(on) => expect_poll(world, *on),
            Action::Cancel { target, .. } => {
                return Ok(Expected { answers: self.expect_cancel(world, *target), block });
            }
            Action::Nop => vec![Ok(0)],
            Action::Timeout { long: true } => vec![],
            Action::Timeout { long: false } => vec![Err(libc::ETIME)],
            Action::PipeRead { block, .. } if block.data().starts_with(KICK) => {
                return Ok(Expected { answers: vec![Ok(KICK.len() as u32)], block: None });
            }
            Action::PipeRead { .. } => vec![],
        };
        if chased {
            answers.push(CANCELED);
            if chase.is_some_and(|chase| chase.hits > 0) && !self.shared_names {
                answers = vec![CANCELED];
            }
            if chase.is_some_and(|chase| chase.running > 0) && matches!(op.action, Action::PipeRead { .. }) {
                // Old kernels read a pipe in a thread, which a cancellation interrupts.
                answers.push(Err(libc::EINTR));
            }
        }
        Ok(Expected { answers, block })
    }

    fn expect_cancel(&self, world: &World, target: Option<Target>) -> Vec<Answer> {
        const MISSED: Answer = Err(libc::ENOENT);
        const RUNNING: Answer = Err(libc::EALREADY);
        let Some(target) = target.filter(|target| target.is_effective) else {
            return vec![MISSED];
        };
        let chase = &self.chases[&target.name];
        let alone = chase.asked == 1 && !self.shared_names;
        let mut answers = match (self.fates.get(&target.name), self.groups.get(&target.name)) {
            (Some(&CANCELED), _) if alone && self.is_uring && hides_running() => vec![Ok(0), RUNNING, MISSED],
            (Some(&CANCELED), _) if alone => vec![Ok(0), RUNNING],
            (Some(&CANCELED), _) => vec![Ok(0), MISSED, RUNNING],
            (Some(_), _) => vec![MISSED, RUNNING],
            (None, Some(Group { ops, .. })) if alone && !ops[0].is_certain(&loaded(world)) => {
                match ops[0].action {
                    Action::PipeRead { .. } if hides_running() => vec![Ok(0), RUNNING, MISSED],
                    Action::PipeRead { .. } => vec![Ok(0), RUNNING],
                    _ => vec![Ok(0)],
                }
            }
            _ => vec![Ok(0), MISSED, RUNNING],
        };
        if !self.is_uring {
            answers.retain(|answer| *answer != RUNNING);
        }
        answers
    }

    fn check_block(&self, op: &Op, answer: Answer, expected: Option<&Block>) -> Verdict {
        let Some(block) = op.block() else {
            return Ok(());
        };
        prop_assert!(block.is_intact(), "memory outside the buffer has changed: {op:?}");
        match &op.action {
            Action::Transfer(placed) if placed.write => {
                let mut before = block.twin();
                before.fill(op.id);
                prop_assert!(before.data() == block.data(), "a write has changed its buffer: {op:?}");
            }
            Action::Transfer(placed) if !placed.write => {
                let mut untouched = block.twin();
                untouched.prepare(block.skew(), block.len());
                let expected = expected.unwrap_or(&untouched);
                let count = answer.map_or(0, |count| count as usize);
                let differs = expected.difference(block, &placed.layout, count);
                prop_assert!(differs.is_none(), "differs from pread at byte {differs:?} of {op:?}");
                // Direct reads write what they like behind the end of the file, and wherever if they fail.
                let is_whole = placed.kind == Kind::Direct || expected.data() == block.data();
                prop_assert!(is_whole, "more than {count} bytes have changed: {op:?}");
            }
            Action::PipeRead { .. } => {
                let read = answer.map_or(0, |count| count as usize);
                prop_assert!(block.is_untouched_from(read), "more than {read} bytes have changed: {op:?}");
            }
            _ => {}
        }
        Ok(())
    }

    /// Remembers how an operation ended.
    fn note(&mut self, op: &Op, answer: Answer) {
        let sort = match &op.action {
            Action::Transfer(placed) if placed.write => "write",
            Action::Transfer(_) => "read",
            Action::Sync { .. } => "sync",
            Action::Poll(_) => "poll",
            Action::Cancel { .. } => "cancel",
            Action::Nop => "nop",
            Action::Timeout { .. } => "timeout",
            Action::PipeRead { .. } => "pipe read",
            Action::Allocate { .. } => "fallocate",
        };
        *self.tally.entry((sort, answer.err())).or_default() += 1;
        if let Action::Cancel { target: Some(target), .. } = &op.action
            && target.is_effective
        {
            let chase = self.chases.entry(target.name).or_default();
            chase.answered += 1;
            chase.hits += usize::from(answer == Ok(0));
            let hidden = hides_running() && answer == Err(libc::ENOENT);
            chase.running += usize::from(hidden || answer == Err(libc::EALREADY));
        }
        if let Some(chase) = self.chases.get_mut(&op.name) {
            chase.cancelled += usize::from(answer == CANCELED);
            if !self.shared_names {
                self.fates.insert(op.name, answer);
            }
        }
    }
}

/// What a poll may answer now, of a pipe that nobody has kicked nothing at all.
fn expect_poll(world: &World, on: Pollable) -> Vec<Answer> {
    vec![match on {
        Pollable::Pipe(pipe) => match poll(world.pipes[pipe].reader.as_fd(), libc::POLLIN) {
            Ok(0) => return vec![],
            ready => ready,
        },
        Pollable::Writable(pipe) => poll(world.pipes[pipe].writer.as_fd(), libc::POLLOUT),
        Pollable::HungUp => poll(world.hung_up.as_fd(), libc::POLLIN),
        Pollable::File => poll(world.mirror.both_ways.as_fd(), libc::POLLIN),
        Pollable::NotOpen => Err(libc::EBADF),
    }]
}

/// Finds for each answer an operation that may have given it, each operation once.
fn assign(expected: &[Expected], answers: &[Answer]) -> Option<Vec<usize>> {
    let mut owner_of: Vec<Option<usize>> = vec![None; answers.len()];
    for op in 0..expected.len() {
        if !place(op, expected, answers, &mut owner_of, &mut vec![false; answers.len()]) {
            return None;
        }
    }
    owner_of.into_iter().collect()
}

/// Gives an operation one of the answers that it may give, and if that is taken, its owner another one.
fn place(
    op: usize,
    expected: &[Expected],
    answers: &[Answer],
    owner_of: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for at in 0..answers.len() {
        if tried[at] || !expected[op].answers.contains(&answers[at]) {
            continue;
        }
        tried[at] = true;
        let free = match owner_of[at] {
            None => true,
            Some(owner) => place(owner, expected, answers, owner_of, tried),
        };
        if free {
            owner_of[at] = Some(op);
            return true;
        }
    }
    false
}

/// Whether this kernel may answer ENOENT to the cancellation of a request that a worker runs, and interrupt it
/// all the same, instead of EALREADY: 6.1 was seen to, 6.12 and newer were not.
fn hides_running() -> bool {
    static HIDES: OnceLock<bool> = OnceLock::new();
    *HIDES.get_or_init(|| !tests::kernel::is_at_least(6, 12))
}
