//! What comes out of an engine.

use std::fmt;
use std::io;
use std::mem;
use std::ptr::NonNull;
use std::time::Instant;

use crate::backend::{AnyBackend, Backend, add_to};
use crate::engine::{Engine, Id};
use crate::error::Rejected;
use crate::operation::Operation;
use crate::slots::Slot;
use crate::trace::Trace;

/// An operation that is over, and what became of it.
#[derive(Debug)]
pub struct Completion<T> {
    /// What it was called when it was added.
    pub id: Id,
    /// What was added, with all that it owns.
    pub operation: T,
    /// Bytes transferred, the mask of a poll, or 0; or why it failed.
    pub result: io::Result<usize>,
    /// Bytes transferred, also before an error.
    pub transferred: usize,
}

/// Iterator over operations that are done.
///
/// What is not taken stays for the next one. It ends when nothing more is done and it has yielded what the wait was for. An error on the way
/// ends it early, and is returned by the next wait.
///
/// [`next_done`](Self::next_done) hands operations out where they are, which is cheaper than moving each out and in again.
#[must_use = "completions that are not taken stay in the engine"]
pub struct Completions<'a, T: Operation, B: Backend = AnyBackend> {
    engine: &'a mut Engine<T, B>,
    /// How many operations the engine will have completed when this is what the wait was for.
    enough: u64,
    /// Until when; for ever, if there is none.
    deadline: Option<Instant>,
}

impl<'a, T: Operation, B: Backend> Completions<'a, T, B> {
    #[inline]
    pub(crate) fn new(engine: &'a mut Engine<T, B>, wanted: usize) -> Self {
        let enough = engine.counts.completed + wanted as u64;
        Self { engine, enough, deadline: None }
    }

    pub(crate) fn with_deadline(engine: &'a mut Engine<T, B>, deadline: Option<Instant>) -> Self {
        Self { deadline, ..Self::new(engine, 1) }
    }

    /// How many more to wait for.
    fn wanted(&self) -> usize {
        self.enough.saturating_sub(self.engine.counts.completed) as usize
    }

    /// Hands out the next operation that is done, in its place: to be looked at, changed and [added again](Done::add_again), or
    /// taken.
    ///
    /// ```
    /// use std::fs::File;
    /// use engine::{Options, operation::Read};
    ///
    /// let mut engine = Options::new(1).build()?;
    /// engine.add(Read::new(File::open("/proc/self/exe")?, vec![0; 512], 0))?;
    /// for block in 1..=8 {
    ///     let mut completions = engine.wait()?;
    ///     let mut done = completions.next_done().expect("one is in flight");
    ///     assert_eq!(done.result()?, 512);
    ///     done.operation().offset = block * 512;
    ///     done.add_again()?;
    /// }
    /// # std::io::Result::Ok(())
    /// ```
    #[inline(always)]
    pub fn next_done(&mut self) -> Option<Done<'_, T, B>> {
        match self.engine.next_whole() {
            // SAFETY: the place of a live operation, which is transferred whole.
            Some((slot, count)) => Some(unsafe { Done::new(self.engine, slot, count) }),
            None => self.next_other(),
        }
    }

    /// As [`next_done`](Self::next_done), for what is not as usual.
    #[cold]
    #[inline(never)]
    fn next_other(&mut self) -> Option<Done<'_, T, B>> {
        loop {
            match self.look_further() {
                Further::Found(user_data, result) => return Some(self.done_slowly(user_data, result)),
                Further::More => {}
                Further::Nothing => return None,
            }
        }
    }

    /// Hands out what the engine has said is done.
    fn done_slowly(&mut self, user_data: u64, result: io::Result<usize>) -> Done<'_, T, B> {
        let slot =
            self.engine.slots.get_mut(user_data as u32 as usize).expect("the place of a live operation");
        let transferred = slot.progress_mut().done;
        match result {
            Ok(result) => slot.judge(Some(result)),
            Err(error) => {
                slot.judge(None);
                self.engine.error = Some(error);
            }
        }
        let slot = NonNull::from(slot);
        // SAFETY: the engine has compared the name, and has counted what was transferred.
        unsafe { Done::new(self.engine, slot, transferred) }
    }

    /// Looks at what was held back, and then at the back end; waits, if that was not enough.
    fn look_further(&mut self) -> Further {
        let wanted = self.wanted();
        let engine = &mut *self.engine;
        if let Some((user_data, result)) = engine.held.pop_front().or_else(|| engine.backend.next()) {
            let settled = engine.settle(user_data, result);
            return settled.map_or(Further::More, |(user_data, result)| Further::Found(user_data, result));
        }
        let wanted = wanted.min(engine.in_flight());
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if wanted == 0 || left.is_some_and(|left| left.is_zero()) {
            return Self::submit_continued(engine);
        }
        let waited = engine.attend().and_then(|()| match left {
            _ if !engine.held.is_empty() => Ok(()),
            None => {
                let wanted = engine.waitable(wanted);
                Ok(engine.backend.wait(wanted)?)
            }
            Some(left) => Ok(engine.backend.wait_timeout(left)?),
        });
        if let Err(error) = waited {
            engine.failed = Some(error);
            engine.attention = true;
            return Further::Nothing;
        }
        if let Some((user_data, result)) = engine.backend.next() {
            engine.hold(user_data, result);
        }
        // Nothing: time is up, or what is in flight will not come.
        if engine.held.is_empty() { Further::Nothing } else { Further::More }
    }

    /// Ends the iteration with everything on its way: whoever sleeps on the descriptor next is to be woken for what was
    /// continued, too, and for what had no room for that until others were taken.
    fn submit_continued(engine: &mut Engine<T, B>) -> Further {
        let attended = if engine.stalled.is_empty() { Ok(()) } else { engine.attend() };
        let submitted = attended.and_then(|()| {
            if mem::take(&mut engine.continued) {
                engine.backend.submit()?;
                return Ok(Further::More);
            }
            // Some were not to be continued any more.
            Ok(if engine.held.is_empty() { Further::Nothing } else { Further::More })
        });
        submitted.unwrap_or_else(|error| {
            engine.failed = Some(error);
            engine.attention = true;
            Further::Nothing
        })
    }
}

/// What there is beyond what was seen at once.
enum Further {
    Found(u64, io::Result<usize>),
    /// Look again.
    More,
    Nothing,
}

impl<T: Operation, B: Backend> Iterator for Completions<'_, T, B> {
    type Item = Completion<T>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_done().map(Done::into_completion)
    }
}

impl<T: Operation, B: Backend> fmt::Debug for Completions<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("wanted", &self.wanted()).finish_non_exhaustive()
    }
}

/// An operation that is over, still in its place in the engine; see [`Completions::next_done`].
///
/// Dropped, it leaves the engine and is dropped as well.
pub struct Done<'a, T: Operation, B: Backend = AnyBackend> {
    engine: &'a mut Engine<T, B>,
    /// Invariant: a place of the engine's that is taken, by an operation that no back end has.
    slot: NonNull<Slot<T>>,
}

impl<'a, T: Operation, B: Backend> Done<'a, T, B> {
    /// # Safety
    ///
    /// The type's invariant, and so many bytes of the operation's memory were transferred.
    #[inline(always)]
    unsafe fn new(engine: &'a mut Engine<T, B>, slot: NonNull<Slot<T>>, transferred: usize) -> Self {
        engine.counts.completed += 1;
        let mut done = Self { engine, slot };
        if cfg!(feature = "tracing") {
            done.end_trace(transferred);
        }
        // SAFETY: this fn's contract.
        unsafe { done.operation().finish(transferred) };
        done
    }

    fn end_trace(&mut self, transferred: usize) {
        // An error of an earlier operation may still be there.
        let failed = self.slot().is_judged() && self.slot().progress_mut().failed;
        let errno = || self.engine.error.as_ref().and_then(io::Error::raw_os_error).unwrap_or(0);
        let errno = failed.then(errno);
        self.slot().trace.end(transferred, errno);
    }

    /// What it was called when it was added.
    #[must_use]
    pub fn id(&mut self) -> Id {
        Id(self.slot().name())
    }

    /// Bytes transferred, the mask of a poll, or 0. Ask before the operation is changed.
    ///
    /// # Errors
    ///
    /// Why it failed; a second time, only the errno of that.
    #[inline]
    pub fn result(&mut self) -> io::Result<usize> {
        if self.slot().is_judged() {
            // SAFETY: a place of the table, which is borrowed with the engine (the type's invariant).
            return self.engine.result_of(unsafe { self.slot.as_mut() }.progress_mut());
        }
        Ok(self.operation().transfer_len().unwrap_or(0))
    }

    /// Bytes transferred, also before an error.
    #[must_use]
    pub fn transferred(&mut self) -> usize {
        let whole = self.operation().transfer_len();
        // What is no transfer has a result that is not one of bytes.
        whole.map_or(0, |whole| if self.slot().is_judged() { self.slot().progress_mut().done } else { whole })
    }

    #[inline(always)]
    fn slot(&mut self) -> &mut Slot<T> {
        // SAFETY: a place of the table, which is borrowed with the engine (the type's invariant).
        unsafe { self.slot.as_mut() }
    }

    /// The operation, with all that it owns.
    #[inline(always)]
    pub fn operation(&mut self) -> &mut T {
        // SAFETY: the place is taken (the type's invariant).
        unsafe { self.slot().operation() }
    }

    /// Adds the operation again, as it is by now.
    ///
    /// # Errors
    ///
    /// What the back end says; the operation comes back.
    #[inline(always)]
    pub fn add_again(self) -> Result<Id, Rejected<T>> {
        // Should the operation's own code panic, it is leaked, place and all.
        let mut this = mem::ManuallyDrop::new(self);
        let id = Id(this.slot().rename());
        let mut slot = this.slot;
        // SAFETY: a place of the table, which is borrowed with the engine (the type's invariant).
        let slot = unsafe { slot.as_mut() };
        // SAFETY: the place is taken (the type's invariant).
        let operation = unsafe { slot.operation() };
        // SAFETY: as in `Engine::add`; the place is named anew, and stays taken.
        match unsafe { add_to(&mut *this.engine.backend, operation, id.0) } {
            Ok(()) => {
                this.slot().trace = Trace::begin(|| operation.request());
                Ok(id)
            }
            Err(error) => {
                let done = mem::ManuallyDrop::into_inner(this);
                Err(Rejected { error, operation: done.into_completion().operation })
            }
        }
    }

    /// Takes the operation out of the engine.
    #[inline(always)]
    pub fn into_completion(self) -> Completion<T> {
        let mut this = mem::ManuallyDrop::new(self);
        let id = Id(this.slot().name());
        let whole = this.operation().transfer_len();
        let (result, transferred) = if this.slot().is_judged() {
            let transferred = this.transferred();
            (this.result(), transferred)
        } else {
            (Ok(whole.unwrap_or(0)), whole.unwrap_or(0))
        };
        // SAFETY: the place is taken (the type's invariant), and `this` is not used or dropped any more.
        let operation = unsafe { this.engine.slots.take(id.0 as u32 as usize) };
        Completion { id, operation, result, transferred }
    }
}

impl<T: Operation, B: Backend> Drop for Done<'_, T, B> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the place is taken (the type's invariant), and nobody uses it after this.
        unsafe { leave(self.engine, self.slot) };
    }
}

/// Takes an operation out of its place and drops it. Out of line and by value, so that a [`Done`] that is added again needs no memory.
///
/// # Safety
///
/// As of [`Done`], which is not used any more.
#[inline(never)]
unsafe fn leave<T: Operation, B: Backend>(engine: &mut Engine<T, B>, slot: NonNull<Slot<T>>) {
    // SAFETY: a place of the table, which is borrowed with the engine (this fn's contract).
    let index = unsafe { slot.as_ref() }.name() as u32;
    // SAFETY: the place is taken (this fn's contract).
    drop(unsafe { engine.slots.take(index as usize) });
}

impl<T: Operation, B: Backend> fmt::Debug for Done<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").finish_non_exhaustive()
    }
}
