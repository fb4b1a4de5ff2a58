//! Plain slices as buffers, for as long as a closure runs.

mod entry;
mod operations;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use self::entry::{Entry, Raw};
use crate::backend::{AnyBackend, Backend, add_request};
use crate::engine::{Engine, Id};
use crate::error::Error;
use crate::operation::Operation;
use crate::slots::Progress;
use crate::verdict::{Verdict, cancelled, judge};

/// Set in the index of names that belong to a scope.
pub(crate) const SCOPED: u32 = 1 << 31;

/// The requests of a scope.
#[derive(Debug, Default)]
pub(crate) struct ScopedTable {
    entries: Vec<Entry>,
    in_flight: usize,
    generation: u32,
}

/// Operations on plain borrowed memory; made by [`Engine::scope`].
///
/// Memory and files are borrowed for `'env`, which is longer than the closure runs, and all operations are over when
/// [`Engine::scope`] returns or unwinds: so nothing can use a buffer while the kernel does. Each method returns a [`Ticket`], by
/// which [`wait`](Self::wait) tells the result before the end of the scope.
///
/// ```
/// use std::fs::File;
/// use engine::{Options, operation::Never};
///
/// let file = File::open("/proc/self/exe")?;
/// let (mut magic, mut class) = ([0; 4], [0; 1]);
/// let mut engine = Options::new(8).build::<Never>()?;
/// engine.scope(|s| {
///     s.read_at(&file, &mut magic, 0)?;
///     s.read_at(&file, &mut class, 4)?;
///     Ok(())
/// })?;
/// assert_eq!(&magic, b"\x7fELF");
/// # std::io::Result::Ok(())
/// ```
pub struct Scope<'a, 'env, T: Operation, B: Backend = AnyBackend> {
    engine: RefCell<&'a mut Engine<T, B>>,
    /// Neither shorter nor longer than it is: a shorter one would end before the scope does.
    env: PhantomData<&'env mut &'env ()>,
}

/// Names an operation of a [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// Runs the closure, and then, whatever becomes of it, waits for what is in flight.
pub(crate) fn run<'env, T: Operation, B: Backend, R>(
    engine: &mut Engine<T, B>,
    run: impl FnOnce(&Scope<'_, 'env, T, B>) -> io::Result<R>,
) -> io::Result<R> {
    // No two scopes of a process have the same names: a ticket of another engine is as strange as an old one.
    static GENERATION: AtomicU32 = AtomicU32::new(0);
    engine.scoped.generation = GENERATION.fetch_add(1, Ordering::Relaxed);
    let ending = Ending(engine);
    let scope = Scope { engine: RefCell::new(&mut *ending.0), env: PhantomData };
    let returned = run(&scope);
    let table = ending.end();
    let returned = returned?;
    table.entries.into_iter().filter(|entry| !entry.taken).try_for_each(Entry::whole)?;
    Ok(returned)
}

/// Ends the scope when it is dropped, by a panic also.
struct Ending<'a, T: Operation, B: Backend>(&'a mut Engine<T, B>);

impl<T: Operation, B: Backend> Ending<'_, T, B> {
    /// Ends the scope and returns what was in it.
    fn end(mut self) -> ScopedTable {
        self.take()
    }

    fn take(&mut self) -> ScopedTable {
        finish(self.0);
        mem::take(&mut self.0.scoped)
    }
}

impl<T: Operation, B: Backend> Drop for Ending<'_, T, B> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// How often in a row, a millisecond apart, the kernel may refuse a wait before there is no hope.
const REFUSALS: u32 = 1000;

/// Waits until nothing of the scope is in flight. There is no returning before: the memory is about to be somebody else's.
fn finish<T: Operation, B: Backend>(engine: &mut Engine<T, B>) {
    let mut refusals = 0;
    while engine.scoped.in_flight > 0 {
        let Err(error) = engine.pump() else {
            refusals = 0;
            continue;
        };
        if matches!(error, Error::Forked) {
            // The kernel writes the parent's memory, not this copy.
            engine.scoped.in_flight = 0;
            return;
        }
        refusals += 1;
        if refusals < REFUSALS {
            // A kernel that is short of memory may have some again.
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let _ = writeln!(
            io::stderr(),
            "engine: a scope cannot wait for {} requests in flight ({error}), and cannot return while the kernel may use \
             their memory: aborting",
            engine.scoped.in_flight
        );
        process::abort();
    }
}

/// Takes a completion to the request of a scope.
pub(crate) fn settle<T: Operation, B: Backend>(
    engine: &mut Engine<T, B>,
    user_data: u64,
    result: io::Result<u32>,
) {
    let index = (user_data as u32 & !SCOPED) as usize;
    let Some(entry) = engine.scoped.entries.get_mut(index) else { return };
    if entry.generation != (user_data >> 32) as u32 || entry.result.is_some() {
        return;
    }
    let mut progress = entry.progress;
    let verdict = judge(&entry.request(), &mut progress, result);
    entry.progress = progress;
    match verdict {
        Verdict::Done(result) => {
            entry.result = Some(result);
            engine.scoped.in_flight -= 1;
            return;
        }
        Verdict::Rest => engine.counts.short_transfers += 1,
        Verdict::Again => engine.counts.retries += 1,
    }
    request_next(engine, user_data);
}

/// Makes the next request of an operation whose last one is over; later, if there is no room.
pub(crate) fn request_next<T: Operation, B: Backend>(engine: &mut Engine<T, B>, user_data: u64) {
    let index = (user_data as u32 & !SCOPED) as usize;
    let Some(entry) = engine.scoped.entries.get_mut(index) else { return };
    if entry.generation != (user_data >> 32) as u32 || entry.result.is_some() {
        return;
    }
    let result = if entry.progress.cancelled {
        Err(cancelled())
    } else {
        let request = entry.request().rest(entry.progress.done);
        // SAFETY: memory and file are borrowed until the scope ends, which waits for this request; the one before it is
        // over.
        match unsafe { add_request(&mut *engine.backend, request, user_data) } {
            Ok(()) => return,
            Err(Error::Full) => {
                engine.stalled.push(user_data);
                engine.attention = true;
                return;
            }
            Err(error) => Err(error.into()),
        }
    };
    entry.result = Some(result);
    engine.scoped.in_flight -= 1;
}

impl<T: Operation, B: Backend> Engine<T, B> {
    /// Waits for a completion, whosesoever it is, and takes those of the scope to their requests.
    /// Whether there was one, or one was refused or cancelled: there is none if nothing is in flight.
    fn pump(&mut self) -> Result<bool, Error> {
        let before = (self.scoped.in_flight, self.held.len());
        for id in mem::take(&mut self.stalled) {
            self.request_next(id);
        }
        if (self.scoped.in_flight, self.held.len()) != before {
            // One was refused or cancelled, and nothing else need come.
            return Ok(true);
        }
        self.backend.wait(1)?;
        let mut any = false;
        while let Some((user_data, result)) = self.backend.next() {
            any = true;
            if user_data as u32 & SCOPED != 0 {
                self.settle_foreign(user_data, result);
            } else {
                // The operation stays where it is until somebody asks.
                self.hold(user_data, result);
            }
        }
        Ok(any)
    }
}

impl<'env, T: Operation, B: Backend> Scope<'_, 'env, T, B> {
    /// Makes room and starts a request.
    fn add(&self, fd: BorrowedFd<'env>, action: Raw) -> io::Result<Ticket> {
        let engine = &mut **self.engine.borrow_mut();
        let index = engine.scoped.entries.len() as u32;
        let generation = engine.scoped.generation;
        let id = Id::new(generation, index | SCOPED);
        let progress = Progress::default();
        let fd = fd.as_raw_fd();
        let entry = Entry { action, fd, generation, progress, result: None, taken: false };
        loop {
            let in_backend = engine.scoped.in_flight + engine.slots.taken().saturating_sub(engine.held.len());
            // Places that were leaked count, and nothing comes of them.
            if in_backend >= engine.slots.len() && in_backend > 0 && engine.pump()? {
                continue;
            }
            // SAFETY: memory and file are borrowed for `'env`, so they are there, and the memory is nobody else's, until the
            // scope is over, which waits for this request.
            match unsafe { add_request(&mut *engine.backend, entry.request(), id.0) } {
                Ok(()) => break,
                Err(Error::Full) if engine.pump()? => {}
                Err(error) => return Err(error.into()),
            }
        }
        engine.scoped.entries.push(entry);
        engine.scoped.in_flight += 1;
        Ok(Ticket(id.0))
    }

    /// Waits for one operation, and returns its result: bytes, the mask of a poll, or 0.
    ///
    /// # Errors
    ///
    /// That of the operation; [`io::ErrorKind::InvalidInput`] for a ticket that is not of this scope or was asked for before.
    pub fn wait(&self, ticket: Ticket) -> io::Result<usize> {
        let engine = &mut **self.engine.borrow_mut();
        let index = (ticket.0 as u32 & !SCOPED) as usize;
        loop {
            let entry = engine.scoped.entries.get_mut(index);
            let Some(entry) =
                entry.filter(|entry| entry.generation == (ticket.0 >> 32) as u32 && !entry.taken)
            else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            if let Some(result) = entry.result.take() {
                entry.result = Some(Ok(0));
                entry.taken = true;
                return result;
            }
            engine.pump()?;
        }
    }

    /// Waits for all operations so far. Those whose results were not asked for have to be whole.
    ///
    /// # Errors
    ///
    /// What the kernel says. Errors of operations are told by [`wait`](Self::wait) and at the end of the scope.
    pub fn wait_all(&self) -> io::Result<()> {
        let engine = &mut **self.engine.borrow_mut();
        while engine.scoped.in_flight > 0 {
            engine.pump()?;
        }
        Ok(())
    }

    /// Asks to end an operation early; see [`Engine::cancel`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn cancel(&self, ticket: Ticket) -> io::Result<()> {
        let engine = &mut **self.engine.borrow_mut();
        let index = (ticket.0 as u32 & !SCOPED) as usize;
        let Some(entry) = engine.scoped.entries.get_mut(index) else { return Ok(()) };
        if entry.generation != (ticket.0 >> 32) as u32 || entry.result.is_some() {
            return Ok(());
        }
        entry.progress.cancelled = true;
        Ok(engine.backend.cancel(ticket.0)?)
    }
}

impl<T: Operation, B: Backend> fmt::Debug for Scope<'_, '_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
