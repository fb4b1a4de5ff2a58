//! Blocking calls in threads, for where the kernel's asynchronous interfaces are forbidden.

mod job;
mod poller;
mod ranges;
mod worker;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::job::Job;
pub(crate) use self::worker::quietly;
use self::worker::{Done, Shared};
use super::{Backend, BackendKind};
use crate::error::Error;
use crate::request::Request;

/// A pool of threads that make blocking calls: `preadv2`, `fsync`, `fallocate`, ….
///
/// Requests that wait for a pipe, a socket or the like wait in one further thread, all together, so that they neither keep
/// a thread each nor end later than a [`cancel`](Backend::cancel) or a drop. A read of a file is not cancelled once a
/// thread has it.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
    /// Added and not yet submitted.
    queued: Vec<Job>,
    /// Seen and not yet taken.
    done: VecDeque<Done>,
    /// Added and not yet seen.
    in_flight: usize,
    most_workers: usize,
    workers: Vec<JoinHandle<()>>,
    /// Threads are not there in a forked child.
    process: u32,
}

impl Threads {
    /// Threads that make sense unless somebody knows better: enough to keep a disk busy.
    pub const USUAL: usize = 8;

    /// Starts the first of up to `most` threads.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if the process may have no more threads (`RLIMIT_NPROC`, a cgroup), `EMFILE` without a descriptor.
    pub fn new(most: usize) -> io::Result<Self> {
        let mut made = Self {
            shared: Arc::new(Shared::new()?),
            queued: Vec::new(),
            done: VecDeque::new(),
            in_flight: 0,
            most_workers: most.max(1),
            workers: Vec::new(),
            process: std::process::id(),
        };
        made.workers.push(worker::start(&made.shared)?);
        Ok(made)
    }

    fn check(&self) -> Result<(), Error> {
        if std::process::id() == self.process { Ok(()) } else { Err(Error::Forked) }
    }

    /// Hands the queue to the threads, more of them if all are busy. Those that there are do the work if no more can be had.
    fn start_queued(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.queued.is_empty() {
            return Ok(());
        }
        let mut wanted = self.shared.push(self.queued.drain(..));
        while wanted > 0 && self.workers.len() < self.most_workers {
            let Ok(worker) = worker::start(&self.shared) else { break };
            self.workers.push(worker);
            wanted -= 1;
        }
        Ok(())
    }

    /// Waits for `nr` completions, or as many as there are jobs.
    fn wait_until(&mut self, nr: usize, deadline: Option<Instant>) -> Result<(), Error> {
        self.start_queued()?;
        let missing = nr.saturating_sub(self.done.len()).min(self.in_flight);
        self.see(missing, deadline);
        Ok(())
    }

    /// Whether [`next`](Backend::next) has something without a look.
    pub(crate) fn is_ready(&self) -> bool {
        !self.done.is_empty()
    }

    /// Takes over what is done, once that is `missing` jobs or time is up.
    fn see(&mut self, missing: usize, deadline: Option<Instant>) {
        let before = self.done.len();
        self.shared.take(missing, deadline, &mut self.done);
        self.in_flight -= self.done.len() - before;
    }
}

// SAFETY: 1: a job is in one place at a time, from `add` over queue, thread and `done` to `next`. 2, 3 and 4: the kernel uses
// memory within blocking calls only, and a thread looks at nothing of a job that it has put to `done`. 6: `Job` copies.
// 7: `close` joins all threads, and `drop` does the same.
unsafe impl Backend for Threads {
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        // SAFETY: this fn's contract.
        self.queued.push(unsafe { Job::new(request, user_data) });
        self.in_flight += 1;
        Ok(())
    }

    fn submit(&mut self) -> Result<(), Error> {
        // What is done is not taken over here: the descriptor says so until `next` does that.
        self.start_queued()
    }

    fn wait(&mut self, nr: usize) -> Result<(), Error> {
        self.wait_until(nr, None)
    }

    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        // A deadline past what the clock can tell is none.
        self.wait_until(1, Instant::now().checked_add(timeout))
    }

    fn next(&mut self) -> Option<(u64, io::Result<u32>)> {
        if let Some(done) = self.done.pop_front() {
            return Some((done.user_data, done.result));
        }
        if self.check().is_err() {
            return None;
        }
        self.see(0, None);
        self.done.pop_front().map(|done| (done.user_data, done.result))
    }

    fn attend(&mut self, _user_data: u64, _result: io::Result<u32>) {}

    fn cancel(&mut self, user_data: u64) -> Result<(), Error> {
        self.check()?;
        if let Some(at) = self.queued.iter().position(|job| job.user_data == user_data) {
            self.queued.remove(at);
            self.shared.finish(user_data, Err(worker::cancelled()));
        } else {
            self.shared.cancel(user_data);
        }
        Ok(())
    }

    fn kind(&self) -> BackendKind {
        BackendKind::Threads
    }

    fn fallbacks(&self) -> u64 {
        self.shared.fallbacks()
    }

    fn close(self) -> io::Result<()> {
        drop(self);
        Ok(())
    }
}

/// Becomes readable when something is done.
impl AsFd for Threads {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.signal()
    }
}

/// Waits for the calls that are being made, and forgets what is not begun.
impl Drop for Threads {
    fn drop(&mut self) {
        if self.check().is_err() {
            // The threads are the parent's.
            return;
        }
        self.shared.stop();
        for worker in self.workers.drain(..) {
            // A thread that panicked is over, too.
            let _ = worker.join();
        }
        // Workers start it, so it comes after them.
        if let Some(poller) = self.shared.poller.take_thread() {
            let _ = poller.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Operation, Poll, Read};

    fn add(threads: &mut Threads, operation: &mut impl Operation, user_data: u64) {
        // SAFETY: each test keeps its operations until the threads are dropped.
        unsafe { threads.add(operation.request(), user_data) }.unwrap();
    }

    #[test]
    fn more_pipes_than_threads_wait_without_keeping_one() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut reads: Vec<_> =
            (0..20).map(|_| Read::new(reader.try_clone().unwrap(), vec![0_u8; 1], 0)).collect();
        let mut zero = Read::new(std::fs::File::open("/dev/zero").unwrap(), vec![1_u8; 64], 0);
        let mut threads = Threads::new(2).unwrap();
        for (read, user_data) in reads.iter_mut().zip(0..) {
            add(&mut threads, read, user_data);
        }
        add(&mut threads, &mut zero, 100);
        threads.wait(1).unwrap();
        assert!(matches!(threads.next(), Some((100, Ok(64)))));
        assert_eq!(threads.next().map(|done| done.0), None);
        threads.cancel(7).unwrap();
        threads.wait(1).unwrap();
        let (user_data, result) = threads.next().unwrap();
        assert_eq!((user_data, result.unwrap_err().raw_os_error()), (7, Some(libc::ECANCELED)));
        std::io::Write::write_all(&mut writer, &[1; 19]).unwrap();
        threads.wait(19).unwrap();
        let mut done: Vec<_> = std::iter::from_fn(|| threads.next())
            .map(|(user_data, result)| (user_data, result.unwrap()))
            .collect();
        done.sort_unstable();
        let expected: Vec<_> =
            (0..20).filter(|&user_data| user_data != 7).map(|user_data| (user_data, 1)).collect();
        assert_eq!(done, expected);
    }

    #[test]
    fn a_drop_does_not_wait_for_a_pipe() {
        let (reader, _writer) = io::pipe().unwrap();
        let mut read = Read::new(reader.try_clone().unwrap(), vec![0_u8; 1], 0);
        let mut poll = Poll { file: reader, events: libc::POLLIN };
        let mut threads = Threads::new(1).unwrap();
        add(&mut threads, &mut read, 1);
        add(&mut threads, &mut poll, 2);
        threads.wait_timeout(Duration::from_millis(10)).unwrap();
        assert!(threads.next().is_none());
        drop(threads);
    }

    #[test]
    fn the_descriptor_is_readable_when_something_is_done() {
        let mut zero = Read::new(std::fs::File::open("/dev/zero").unwrap(), vec![1_u8; 64], 0);
        let mut threads = Threads::new(1).unwrap();
        let readable = |threads: &Threads, timeout| {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&threads.as_fd());
            let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd, a local.
            unsafe { libc::poll(&raw mut poll, 1, timeout) == 1 }
        };
        assert!(!readable(&threads, 0));
        add(&mut threads, &mut zero, 1);
        threads.submit().unwrap();
        assert!(readable(&threads, 10_000));
        assert!(threads.next().is_some() && threads.next().is_none());
        assert!(!readable(&threads, 0));
    }
}
