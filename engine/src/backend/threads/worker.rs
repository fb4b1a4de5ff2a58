//! What the threads share, and what each worker does.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::job::{Job, Outcome};
use crate::eventfd::EventFd;

/// A job that is done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) user_data: u64,
    pub(super) result: io::Result<u32>,
}

/// What workers, the poller and the owner of the pool share.
#[derive(Debug)]
pub(super) struct Shared {
    jobs: Mutex<Jobs>,
    /// There are jobs, or the end.
    work: Condvar,
    done: Mutex<VecDeque<Done>>,
    /// Something is done.
    ready: Condvar,
    /// Raised when something is done, once somebody has asked for it.
    eventfd: EventFd,
    signals: AtomicBool,
    pub(super) poller: super::poller::Inbox,
    fallbacks: AtomicU64,
}

#[derive(Debug, Default)]
struct Jobs {
    queue: VecDeque<Job>,
    /// What workers are at, and whether it was cancelled meanwhile.
    running: Vec<(u64, bool)>,
    idle: usize,
    stop: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole after each statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            jobs: Mutex::default(),
            work: Condvar::new(),
            done: Mutex::default(),
            ready: Condvar::new(),
            eventfd: EventFd::new()?,
            signals: AtomicBool::new(false),
            poller: super::poller::Inbox::new()?,
            fallbacks: AtomicU64::new(0),
        })
    }

    /// Hands jobs to the workers, and returns how many more of these would find work.
    pub(super) fn push(&self, jobs: impl Iterator<Item = Job>) -> usize {
        let mut state = lock(&self.jobs);
        state.queue.extend(jobs);
        let (waiting, idle) = (state.queue.len(), state.idle);
        drop(state);
        for _ in 0..waiting.min(idle) {
            self.work.notify_one();
        }
        waiting.saturating_sub(idle)
    }

    /// Moves what is done to `to`, once that is `missing` jobs or the deadline has passed.
    pub(super) fn take(&self, missing: usize, deadline: Option<Instant>, to: &mut VecDeque<Done>) {
        let mut done = lock(&self.done);
        while done.len() < missing {
            done = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.ready.wait(done).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => break,
                Some(left) => self.ready.wait_timeout(done, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        if self.signals.load(Ordering::Relaxed) && !done.is_empty() {
            // Under the lock: what comes later raises it again.
            self.eventfd.clear();
        }
        to.append(&mut done);
    }

    /// Says what became of a job, which nobody has any more.
    pub(super) fn finish(&self, user_data: u64, result: io::Result<u32>) {
        let mut done = lock(&self.done);
        done.push_back(Done { user_data, result });
        if self.signals.load(Ordering::Relaxed) && done.len() == 1 {
            self.eventfd.raise();
        }
        drop(done);
        self.ready.notify_one();
    }

    /// Ends a job early, if it has not begun or waits for a file.
    pub(super) fn cancel(&self, user_data: u64) {
        if !self.cancel_here(user_data) {
            // It waits in the poller, or is on its way there, or done.
            self.poller.cancel(user_data);
        }
    }

    /// Ends a job that no worker has begun, and notes it for one that a worker is at: it may come to wait for a file.
    /// Whether it was either.
    pub(super) fn cancel_here(&self, user_data: u64) -> bool {
        let mut state = lock(&self.jobs);
        if let Some(running) = state.running.iter_mut().find(|(running, _)| *running == user_data) {
            running.1 = true;
            return true;
        }
        let Some(at) = state.queue.iter().position(|job| job.user_data == user_data) else { return false };
        drop(state.queue.remove(at));
        drop(state);
        self.finish(user_data, Err(cancelled()));
        true
    }

    /// Tells all threads to end; what has not begun is forgotten.
    pub(super) fn stop(&self) {
        let mut state = lock(&self.jobs);
        state.stop = true;
        state.queue.clear();
        drop(state);
        self.work.notify_all();
        self.poller.stop();
    }

    /// The descriptor that is readable when something is done, from now on.
    pub(super) fn signal(&self) -> BorrowedFd<'_> {
        let done = lock(&self.done);
        if !self.signals.swap(true, Ordering::Relaxed) && !done.is_empty() {
            self.eventfd.raise();
        }
        self.eventfd.as_fd()
    }

    pub(super) fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    /// Does jobs until the end.
    fn work(self: &Arc<Self>) {
        let mut state = lock(&self.jobs);
        loop {
            if state.stop {
                return;
            }
            let Some(job) = state.queue.pop_front() else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let user_data = job.user_data;
            state.running.push((user_data, false));
            drop(state);
            let outcome = job.run();
            state = lock(&self.jobs);
            let at = state.running.iter().position(|(running, _)| *running == user_data);
            let cancelled_meanwhile = at.is_some_and(|at| state.running.swap_remove(at).1);
            let result = match outcome {
                Outcome::Done(result) => result,
                Outcome::FellBack(result) => {
                    self.fallbacks.fetch_add(1, Ordering::Relaxed);
                    result
                }
                Outcome::Wait(_) if cancelled_meanwhile => Err(cancelled()),
                // Under the lock, so that who looks for the job finds it here or there.
                Outcome::Wait(job) => match self.poller.push(self, job) {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
            };
            drop(state);
            self.finish(user_data, result);
            state = lock(&self.jobs);
        }
    }
}

pub(super) fn cancelled() -> io::Error {
    io::Error::from_raw_os_error(libc::ECANCELED)
}

pub(super) fn start(shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    quietly(|| Builder::new().name("engine worker".into()).spawn(move || shared.work()))
}

/// Starts a thread that gets no signals: they are for the threads of whoever has handlers.
pub(crate) fn quietly<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut all = mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `all` is a local for the call to write.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    let mut before = mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first set was filled, the second is a local for the call to write.
    let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) };
    let started = start();
    if blocked == 0 {
        // SAFETY: the set that was in force before, as the call above has written it.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    }
    started
}
