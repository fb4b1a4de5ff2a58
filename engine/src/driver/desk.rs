//! What an I/O thread knows of jobs that are not in its engine.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::batch::Batches;
use super::callback::{Callback, Caller, Outcome};
use super::chain::Chains;
use super::stats::Counts;
use super::task::{Job, Task};
use crate::buffer::IoBufMut;
use crate::file::IoFile;

/// Takes jobs, makes requests of them, and calls back when they are over.
pub(super) struct Desk<F, B, C> {
    /// What may be started, in order.
    ready: VecDeque<Job<F, B, C>>,
    chains: Chains<Job<F, B, C>>,
    batches: Batches<F, B, C>,
    caller: Caller<F, B, C>,
    counts: Arc<Counts>,
    /// Jobs that were started since somebody has asked.
    started: usize,
}

impl<F, B, C> Desk<F, B, C>
where
    F: IoFile + Send,
    B: IoBufMut + Send,
    C: Callback<F, B>,
{
    pub(super) fn new(merge: usize, caller: Caller<F, B, C>, counts: Arc<Counts>) -> Self {
        Self {
            ready: VecDeque::new(),
            chains: Chains::new(),
            batches: Batches::new(merge),
            caller,
            counts,
            started: 0,
        }
    }

    /// Takes a job, which is ready unless its chain holds it.
    pub(super) fn admit(&mut self, job: Job<F, B, C>) {
        let job = match job.chain {
            None => Some(job),
            Some(id) => self.chains.admit(id, job),
        };
        self.ready.extend(job);
    }

    /// Makes the next request.
    pub(super) fn next_task(&mut self) -> Option<Task<F, B, C>> {
        let task = self.batches.next(&mut self.ready)?;
        match &task {
            Task::One(job) => self.started += usize::from(!job.alone),
            Task::Merged(merged) => {
                self.started += merged.len();
                self.counts.merged.fetch_add(merged.len() as u64, Ordering::Relaxed);
            }
            Task::Bell(_) => {}
        }
        Some(task)
    }

    /// How many jobs were started since the last call.
    pub(super) fn take_started(&mut self) -> usize {
        std::mem::take(&mut self.started)
    }

    /// Whether something could be started.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether it has no jobs, and waits for none.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.chains.is_empty()
    }

    /// Takes note of a request that was made.
    pub(super) fn requested(&self) {
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes back a request that is over.
    pub(super) fn complete(&mut self, task: Task<F, B, C>, result: io::Result<usize>, transferred: usize) {
        let mut merged = match task {
            Task::One(job) => return self.over(job, result, transferred),
            Task::Merged(merged) => merged,
            Task::Bell(_) => return,
        };
        let mut left = transferred;
        let mut whole = true;
        for (job, len) in merged.drain() {
            whole &= len <= left;
            if whole {
                left -= len;
                self.over(job, Ok(len), len);
            } else {
                // What is left of the request is not known to be as bad as its first part.
                self.run_alone(job);
            }
        }
        self.batches.recycle(merged);
    }

    /// Takes back a request that the engine has refused.
    pub(super) fn refuse(&mut self, task: Task<F, B, C>, error: io::Error) {
        match task {
            Task::One(job) => self.over(job, Err(error), 0),
            Task::Merged(merged) => self.complete(Task::Merged(merged), Err(error), 0),
            Task::Bell(_) => {}
        }
    }

    fn run_alone(&mut self, mut job: Job<F, B, C>) {
        self.counts.reruns.fetch_add(1, Ordering::Relaxed);
        job.alone = true;
        self.ready.push_back(job);
    }

    /// Lets go those that have waited for the job, and calls back.
    fn over(&mut self, job: Job<F, B, C>, result: io::Result<usize>, transferred: usize) {
        let Job { operation, callback, chain, .. } = job;
        if let Some(id) = chain {
            self.chains.complete(id, |job| self.ready.push_back(job));
        }
        self.counts.completed.fetch_add(1, Ordering::Relaxed);
        self.caller.call(callback, Outcome { operation, result, transferred }, &self.counts);
    }

    /// Ends a request, and each of its jobs, with an error.
    pub(super) fn fail(&mut self, task: Task<F, B, C>, error: &io::Error) {
        match task {
            Task::One(job) => self.over(job, Err(again(error)), 0),
            Task::Merged(mut merged) => {
                for (job, _) in merged.drain() {
                    self.over(job, Err(again(error)), 0);
                }
            }
            Task::Bell(_) => {}
        }
    }

    /// Ends all that is not in the engine with an error.
    pub(super) fn fail_all(&mut self, error: &io::Error) {
        let held: Vec<_> = self.chains.drain().collect();
        self.ready.extend(held);
        while let Some(job) = self.ready.pop_front() {
            self.over(job, Err(again(error)), 0);
        }
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
