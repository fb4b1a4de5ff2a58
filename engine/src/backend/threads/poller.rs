//! One thread that waits for pipes, sockets and whatever else is not ready.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::job::{Call, Job};
use super::worker::{Shared, cancelled, quietly};
use crate::eventfd::EventFd;

/// What the poller is told.
#[derive(Debug)]
pub(super) struct Inbox {
    letters: Mutex<Letters>,
    bell: EventFd,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Letters {
    jobs: Vec<Job>,
    cancels: Vec<u64>,
    stop: bool,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { letters: Mutex::default(), bell: EventFd::new()?, thread: Mutex::default() })
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a job wait, in the thread that is started for the first one.
    pub(super) fn push(&self, shared: &Arc<Shared>, job: Job) -> io::Result<()> {
        let mut thread = self.thread();
        if thread.is_none() {
            *thread = Some(start(shared)?);
        }
        drop(thread);
        self.letters().jobs.push(job);
        self.bell.raise();
        Ok(())
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread, for whoever waits for its end.
    pub(super) fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread().take()
    }

    pub(super) fn cancel(&self, user_data: u64) {
        self.letters().cancels.push(user_data);
        self.bell.raise();
    }

    pub(super) fn stop(&self) {
        self.letters().stop = true;
        self.bell.raise();
    }

    /// Takes what has come.
    fn open(&self) -> Letters {
        // First the bell: what comes later rings it again.
        self.bell.clear();
        let mut letters = self.letters();
        let stop = letters.stop;
        Letters { stop, ..mem::take(&mut *letters) }
    }
}

fn start(shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    quietly(|| Builder::new().name("engine poller".into()).spawn(move || poll(&shared)))
}

fn poll(shared: &Shared) {
    let mut waiting: Vec<Job> = Vec::new();
    let mut fds: Vec<libc::pollfd> = Vec::new();
    loop {
        let letters = shared.poller.open();
        if letters.stop {
            return;
        }
        waiting.extend(letters.jobs);
        for user_data in letters.cancels {
            if let Some(at) = waiting.iter().position(|job| job.user_data == user_data) {
                waiting.swap_remove(at);
                shared.finish(user_data, Err(cancelled()));
            } else {
                // It has gone back to the workers since.
                shared.cancel_here(user_data);
            }
        }
        fds.clear();
        fds.extend(waiting.iter().map(|job| libc::pollfd { fd: job.fd, events: job.events(), revents: 0 }));
        let bell = shared.poller.bell.as_fd().as_raw_fd();
        fds.push(libc::pollfd { fd: bell, events: libc::POLLIN, revents: 0 });
        // SAFETY: as many pollfds as are counted, in a vector that outlives the call; the descriptors of jobs are open
        // until the jobs are done.
        let ret = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
        if ret < 0 {
            // Signals are blocked here, and memory may come back.
            std::thread::yield_now();
            continue;
        }
        // From the end, so that what is removed does not move what is still to be looked at.
        for at in (0..waiting.len()).rev().filter(|&at| fds[at].revents != 0) {
            let job = waiting.swap_remove(at);
            let revents = fds[at].revents;
            match job.call {
                _ if revents & libc::POLLNVAL != 0 => {
                    shared.finish(job.user_data, Err(io::Error::from_raw_os_error(libc::EBADF)));
                }
                Call::Poll { .. } => shared.finish(job.user_data, Ok(u32::from(revents.cast_unsigned()))),
                _ => drop(shared.push(std::iter::once(job))),
            }
        }
    }
}
