//! A back end between the engine and another one: it makes the faults of a script.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use engine::{Action, Backend, BackendKind, Error, OWN, RegisteredFile, Request};

use crate::script::{Answer, Fault, Shared, Target};
use crate::shorter::shortened;

/// See the module.
#[derive(Debug)]
pub(crate) struct Faulty<B> {
    inner: B,
    script: Shared,
    /// What `inner` has.
    passed: HashMap<u64, Passed>,
    /// Completions that are held back, and how many looks yet.
    late: Vec<(usize, Completed)>,
    ready: VecDeque<Completed>,
}

#[derive(Clone, Copy, Debug)]
struct Passed {
    /// What is said instead of a count.
    spoil: Option<i32>,
    endless: bool,
}

#[derive(Debug)]
struct Completed {
    user_data: u64,
    result: io::Result<u32>,
    injected: bool,
}

fn kernel(errno: i32) -> Error {
    Error::Kernel(io::Error::from_raw_os_error(errno))
}

fn answer(result: &io::Result<u32>) -> Answer {
    // An error without an errno becomes one that no operation is expected to give.
    result.as_ref().map(|count| *count).map_err(|error| error.raw_os_error().unwrap_or(0))
}

impl<B: Backend> Faulty<B> {
    pub(crate) fn new(inner: B, script: Shared) -> Self {
        Self { inner, script, passed: HashMap::new(), late: Vec::new(), ready: VecDeque::new() }
    }

    /// Takes what the other back end has.
    fn pull(&mut self) {
        while let Some((user_data, result)) = self.inner.next() {
            if user_data >= OWN {
                self.inner.attend(user_data, result);
                continue;
            }
            let mut script = self.script.borrow_mut();
            let Some(passed) = self.passed.remove(&user_data) else {
                script.complaint = Some(format!("the back end completes {user_data:#x}, which it has not"));
                continue;
            };
            if let Ok(count) = result {
                script.done(user_data, count);
            }
            let (result, injected) = match (passed.spoil, result) {
                (Some(errno), Ok(_)) => (Err(io::Error::from_raw_os_error(errno)), true),
                (_, result) => (result, false),
            };
            let completed = Completed { user_data, result, injected };
            match script.delay() {
                0 => self.ready.push_back(completed),
                looks => self.late.push((looks, completed)),
            }
        }
    }

    /// Lets one go that was held back.
    fn release_one(&mut self) -> bool {
        if self.late.is_empty() {
            return false;
        }
        let at = self.script.borrow_mut().random(self.late.len());
        self.ready.push_back(self.late.swap_remove(at).1);
        true
    }

    fn fails(&mut self) -> Result<(), Error> {
        let mut script = self.script.borrow_mut();
        let full = script.last_full.take();
        let Some(errno) = script.call_fails() else {
            script.second = full;
            return Ok(());
        };
        if let Some(user_data) = full {
            script.refused(user_data, errno);
        }
        Err(kernel(errno))
    }

    fn is_busy(&self) -> bool {
        !self.late.is_empty() || !self.ready.is_empty() || self.passed.values().any(|passed| !passed.endless)
    }
}

// SAFETY: 1: a request that was accepted is with `inner`, which keeps the rule, or its completion is in one of `late` and
// `ready`, from where it goes out once; completions of `inner`'s own stay here. 2: what `inner` has handed out it does not
// touch, and what was answered here it has never had. 3: it has less to do than the request says, from the same start. 4: a
// count is `inner`'s, of a request from the same start; or 0. 5: refusals come before anything else, or are `inner`'s.
// 6: `inner` copies, also the shorter vector. 7: `close` is `inner`'s. 8: as for `inner`, nothing between the two
// can panic but for want of memory.
unsafe impl<B: Backend> Backend for Faulty<B> {
    unsafe fn add(&mut self, request: Request<'_>, user_data: u64) -> Result<(), Error> {
        let endless = matches!(request.action, Action::Poll { .. });
        let target = Target { user_data, len: request.transfer_len(), busy: self.is_busy() };
        let (fault, first) = {
            let mut script = self.script.borrow_mut();
            script.last_full = None;
            let first = script.second.take() != Some(user_data);
            (script.fault(target), first.then_some(user_data))
        };
        let (short, spoil) = match fault {
            Fault::Full => {
                self.script.borrow_mut().last_full = first;
                return Err(Error::Full);
            }
            Fault::Refuse(errno) => {
                self.script.borrow_mut().refused(user_data, errno);
                return Err(kernel(errno));
            }
            Fault::Answer(answer) => {
                self.script.borrow_mut().taken(user_data);
                let result = answer.map_err(io::Error::from_raw_os_error);
                self.ready.push_back(Completed { user_data, result, injected: true });
                return Ok(());
            }
            Fault::Pass { short, spoil } => (short, spoil),
            Fault::None => (None, None),
        };
        let mut parts = Vec::new();
        let request = match short {
            Some(short) => shortened(request, short, &mut parts),
            None => request,
        };
        // SAFETY: this fn's contract; of the memory that it names, the request that is passed on names a part.
        let added = unsafe { self.inner.add(request, user_data) };
        let mut script = self.script.borrow_mut();
        match &added {
            Ok(()) => {
                self.passed.insert(user_data, Passed { spoil, endless });
                script.taken(user_data);
            }
            Err(Error::Full) => script.last_full = first,
            Err(error) => script.complaint = Some(format!("a back end refuses: {error}")),
        }
        added
    }

    fn submit(&mut self) -> Result<(), Error> {
        self.fails()?;
        self.inner.submit()
    }

    fn wait(&mut self, nr: usize) -> Result<(), Error> {
        self.fails()?;
        self.inner.submit()?;
        loop {
            self.pull();
            while self.ready.len() < nr && self.release_one() {}
            if self.ready.len() >= nr || self.passed.is_empty() {
                return Ok(());
            }
            self.inner.wait(nr - self.ready.len())?;
        }
    }

    fn wait_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        self.fails()?;
        self.inner.submit()?;
        self.pull();
        if self.ready.is_empty() && !self.release_one() {
            self.inner.wait_timeout(timeout)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<(u64, io::Result<u32>)> {
        self.pull();
        for (looks, _) in &mut self.late {
            *looks -= 1;
        }
        while let Some(at) = self.late.iter().position(|(looks, _)| *looks == 0) {
            let (_, completed) = self.late.swap_remove(at);
            // Before others that were done after it, or behind them.
            let place = self.script.borrow_mut().random(self.ready.len() + 1);
            self.ready.insert(place, completed);
        }
        let Completed { user_data, result, injected } = self.ready.pop_front()?;
        self.script.borrow_mut().say(user_data, answer(&result), injected);
        Some((user_data, result))
    }

    fn attend(&mut self, user_data: u64, result: io::Result<u32>) {
        self.inner.attend(user_data, result);
    }

    fn cancel(&mut self, user_data: u64) -> Result<(), Error> {
        self.fails()?;
        if self.passed.contains_key(&user_data) { self.inner.cancel(user_data) } else { Ok(()) }
    }

    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn fallbacks(&self) -> u64 {
        self.inner.fallbacks()
    }

    fn register_file(&mut self, file: Arc<OwnedFd>) -> RegisteredFile {
        self.inner.register_file(file)
    }

    fn close(self) -> io::Result<()> {
        self.inner.close()
    }
}

impl<B: Backend> AsFd for Faulty<B> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
