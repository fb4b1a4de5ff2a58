//! Who may still use the engine.

use crate::sync::{Mutex, lock};

/// Something that is used by many until it is closed, and then ended by one.
#[derive(Debug)]
pub(super) struct Gate<E>(Mutex<State<E>>);

#[derive(Debug)]
struct State<E> {
    /// Until somebody has taken it, to end it.
    inside: Option<E>,
    closing: bool,
}

impl<E> Gate<E> {
    pub(super) fn new(inside: E) -> Self {
        Self(Mutex::new(State { inside: Some(inside), closing: false }))
    }

    /// Does something new, unless it is closing: then what was given comes back.
    #[inline]
    pub(super) fn enter<G, R>(&self, given: G, f: impl FnOnce(&mut E, G) -> R) -> Result<R, G> {
        let mut state = lock(&self.0);
        match &mut *state {
            State { inside: Some(inside), closing: false } => Ok(f(inside, given)),
            _ => Err(given),
        }
    }

    /// Goes on with what was begun, and tells whether it is closing, unless it has been taken.
    pub(super) fn visit<R>(&self, f: impl FnOnce(&mut E, bool) -> R) -> Option<R> {
        let mut state = lock(&self.0);
        let State { inside, closing } = &mut *state;
        inside.as_mut().map(|inside| f(inside, *closing))
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        lock(&self.0).closing = true;
    }

    /// Whether nobody is let in any more.
    pub(super) fn is_closing(&self) -> bool {
        lock(&self.0).closing
    }

    /// Closes, and takes out what is inside; the first one gets it.
    pub(super) fn take(&self) -> Option<E> {
        let mut state = lock(&self.0);
        state.closing = true;
        state.inside.take()
    }
}
