//! Order among the operations of a chain.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroU64;

use super::callback::{Boxed, Callback};
use super::queue::Patience;
use super::{Driver, Refused};
use crate::buffer::IoBufMut;
use crate::file::IoFile;
use crate::operation::Operations;

/// Names a chain within its driver.
pub(super) type ChainId = NonZeroU64;

/// Operations of which some wait for others; made by [`Driver::chain`].
///
/// Reads, writes and polls of a chain run in no particular order. [`Sync`](crate::operation::Sync),
/// [`Allocate`](crate::operation::Allocate), [`Discard`](crate::operation::Discard) and
/// [`WriteZeroes`](crate::operation::WriteZeroes) are barriers: each starts when all that was submitted to the chain before it is
/// over, and what is submitted after it starts when it is over. So a `Sync` covers the writes before it, whichever of the
/// driver's threads they would run on, and of whichever file they are.
///
/// Each operation has a result of its own: one that fails keeps no later one from running.
///
/// A chain is a handle of its driver and keeps that running. Its clones are the same chain.
pub struct Chain<F, B, C = Boxed<F, B>> {
    driver: Driver<F, B, C>,
    id: ChainId,
    lane: usize,
}

impl<F, B, C> Chain<F, B, C>
where
    F: IoFile + Send,
    B: IoBufMut + Send,
    C: Callback<F, B>,
{
    pub(super) fn new(driver: Driver<F, B, C>, id: ChainId, lane: usize) -> Self {
        Self { driver, id, lane }
    }

    /// As [`Driver::submit`], in the order of the chain.
    ///
    /// # Errors
    ///
    /// As [`Driver::submit`].
    pub fn submit(
        &self,
        operation: impl Into<Operations<F, B>>,
        callback: C,
    ) -> Result<(), Refused<F, B, C>> {
        self.driver.push(operation.into(), callback, Some((self.id, self.lane)), Patience::Wait)
    }

    /// As [`Driver::try_submit`], in the order of the chain.
    ///
    /// # Errors
    ///
    /// As [`Driver::try_submit`].
    pub fn try_submit(
        &self,
        operation: impl Into<Operations<F, B>>,
        callback: C,
    ) -> Result<(), Refused<F, B, C>> {
        self.driver.push(operation.into(), callback, Some((self.id, self.lane)), Patience::Refuse)
    }

    /// The driver that it is of.
    #[must_use]
    pub fn driver(&self) -> &Driver<F, B, C> {
        &self.driver
    }
}

impl<F, B, C> Clone for Chain<F, B, C> {
    fn clone(&self) -> Self {
        Self { driver: self.driver.clone(), id: self.id, lane: self.lane }
    }
}

impl<F, B, C> fmt::Debug for Chain<F, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What has to be ordered.
pub(super) trait Ordered {
    /// Whether it waits for all before it, and all after it wait for it.
    fn is_barrier(&self) -> bool;
}

/// The chains of one I/O thread that have something to do.
pub(super) struct Chains<J> {
    lines: HashMap<ChainId, Line<J>>,
}

/// One of them.
struct Line<J> {
    /// Jobs that were started and are not over.
    running: usize,
    /// One of them is a barrier, and so the only one.
    behind_barrier: bool,
    /// In the order of their arrival. If there is something, its first waits for what is running.
    held: VecDeque<J>,
}

impl<J: Ordered> Line<J> {
    fn may_start(&self, job: &J) -> bool {
        !self.behind_barrier && (self.running == 0 || !job.is_barrier())
    }

    fn start(&mut self, job: &J) {
        self.running += 1;
        self.behind_barrier = job.is_barrier();
    }
}

impl<J: Ordered> Chains<J> {
    pub(super) fn new() -> Self {
        Self { lines: HashMap::new() }
    }

    /// Returns the job if it may start now, or holds it.
    pub(super) fn admit(&mut self, id: ChainId, job: J) -> Option<J> {
        let new = || Line { running: 0, behind_barrier: false, held: VecDeque::new() };
        let line = self.lines.entry(id).or_insert_with(new);
        if line.held.is_empty() && line.may_start(&job) {
            line.start(&job);
            return Some(job);
        }
        line.held.push_back(job);
        None
    }

    /// Notes that a job of a chain is over, and hands out those that may start now.
    pub(super) fn complete(&mut self, id: ChainId, mut start: impl FnMut(J)) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.running -= 1;
        line.behind_barrier = false;
        while let Some(job) = line.held.pop_front() {
            if !line.may_start(&job) {
                line.held.push_front(job);
                break;
            }
            line.start(&job);
            start(job);
        }
        if line.running == 0 {
            self.lines.remove(&id);
        }
    }

    /// Whether no chain has anything to do.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Forgets all chains, and hands out what they held.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = J> + '_ {
        self.lines.drain().flat_map(|(_, line)| line.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Barriers are upper case.
    impl Ordered for char {
        fn is_barrier(&self) -> bool {
            self.is_uppercase()
        }
    }

    const ID: ChainId = ChainId::MIN;

    fn admit(chains: &mut Chains<char>, jobs: &str) -> String {
        jobs.chars().filter_map(|job| chains.admit(ID, job)).collect()
    }

    fn complete(chains: &mut Chains<char>) -> String {
        let mut started = String::new();
        chains.complete(ID, |job| started.push(job));
        started
    }

    #[test]
    fn a_barrier_starts_after_all_before_it_and_before_all_after_it() {
        let mut chains = Chains::new();
        assert_eq!(admit(&mut chains, "abSTcdUe"), "ab");
        for expected in ["", "S", "T", "cd", "", "U", "e", ""] {
            assert!(!chains.is_empty());
            assert_eq!(complete(&mut chains), expected);
        }
        assert!(chains.is_empty());
    }

    #[test]
    fn what_comes_while_a_barrier_runs_waits_for_it() {
        let mut chains = Chains::new();
        assert_eq!(admit(&mut chains, "S"), "S");
        assert_eq!(admit(&mut chains, "ab"), "");
        assert_eq!(complete(&mut chains), "ab");
        assert_eq!(admit(&mut chains, "c"), "c");
    }

    #[test]
    fn what_is_held_can_be_had_back() {
        let mut chains = Chains::new();
        assert_eq!(admit(&mut chains, "aSb"), "a");
        assert_eq!(chains.drain().collect::<String>(), "Sb");
        assert!(chains.is_empty());
        assert_eq!(complete(&mut chains), "");
    }
}
