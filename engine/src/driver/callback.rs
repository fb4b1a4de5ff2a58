//! What is called when an operation is over, and where.

use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use super::stats::Counts;
use super::workers::Producer;
use crate::operation::Operations;

/// An operation that is over, with all that it owns, and what became of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<F, B> {
    /// What was submitted.
    pub operation: Operations<F, B>,
    /// Bytes transferred, the mask of a poll, or 0; or why it failed.
    pub result: io::Result<usize>,
    /// Bytes transferred, also before an error.
    pub transferred: usize,
}

impl<F, B> Outcome<F, B> {
    /// The buffer, if there is exactly one.
    #[must_use]
    pub fn into_buffer(self) -> Option<B> {
        self.operation.into_buffer()
    }
}

/// Takes the outcome of an operation: a closure, or a type of your own, which the driver then keeps without a box.
///
/// ```
/// use std::fs::File;
/// use std::sync::mpsc::Sender;
///
/// use engine::driver::{Callback, Outcome};
///
/// struct Report {
///     block: u64,
///     to: Sender<(u64, std::io::Result<usize>)>,
/// }
///
/// impl Callback<File, Vec<u8>> for Report {
///     fn complete(self, outcome: Outcome<File, Vec<u8>>) {
///         let _ = self.to.send((self.block, outcome.result));
///     }
/// }
/// ```
pub trait Callback<F, B>: Send + 'static {
    /// Called once, on a thread of the driver's. Should it panic, the driver goes on.
    fn complete(self, outcome: Outcome<F, B>);
}

impl<F, B, T: FnOnce(Outcome<F, B>) + Send + 'static> Callback<F, B> for T {
    fn complete(self, outcome: Outcome<F, B>) {
        self(outcome);
    }
}

/// A callback of any kind.
pub type Boxed<F, B> = Box<dyn FnOnce(Outcome<F, B>) + Send>;

/// Makes the call.
pub(super) fn call<F, B, C: Callback<F, B>>(callback: C, outcome: Outcome<F, B>, counts: &Counts) {
    // What the callback has left half done is its own, or shared with others that are told by a poisoned lock.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback.complete(outcome))) {
        counts.panics.fetch_add(1, Ordering::Relaxed);
        // Even dropping what was thrown may panic; twice is enough.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            mem::forget(again);
        }
    }
}

/// Where callbacks are called.
pub(super) enum Caller<F, B, C> {
    /// On the I/O thread.
    Here,
    /// On others.
    Workers(Producer<(C, Outcome<F, B>)>),
}

impl<F, B, C: Callback<F, B>> Caller<F, B, C> {
    pub(super) fn call(&self, callback: C, outcome: Outcome<F, B>, counts: &Counts) {
        match self {
            Self::Here => call(callback, outcome, counts),
            Self::Workers(producer) => producer.push((callback, outcome)),
        }
    }
}
