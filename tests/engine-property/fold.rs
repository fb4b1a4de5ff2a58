//! What an operation makes of what its requests came to: the rules of the engine, told once more.

use crate::model::{End, WRITE_ZERO, What};
use crate::script::{Answer, Event};

/// How often an operation is told to try again, in a row, until it says so.
const TRIES: usize = 64;

/// What an operation makes of what its requests came to.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    pub(crate) end: Option<End>,
    pub(crate) transferred: usize,
    pub(crate) retries: u64,
    pub(crate) shorts: u64,
    /// The end was no answer of the kernel's.
    pub(crate) injected: bool,
    /// There was a request after the end.
    pub(crate) more: bool,
}

/// Tells it from the events, as the rules of the engine say: the rest is asked for, and the same again after an
/// interruption.
pub(crate) fn fold(events: &[Event], what: &What, scoped: bool) -> Folded {
    let mut folded = Folded::default();
    let mut tries = 0;
    for &event in events {
        folded.more = folded.end.is_some();
        if folded.more {
            break;
        }
        let (answer, injected): (Answer, bool) = match event {
            Event::Result { answer, injected } => (answer, injected),
            Event::Refused(errno) if scoped => {
                folded.end = Some(Err(errno));
                folded.injected = true;
                continue;
            }
            Event::Refused(errno) => (Err(errno), true),
        };
        folded.injected = injected;
        folded.transferred += if what.len().is_some() { answer.unwrap_or(0) as usize } else { 0 };
        let all = what.len() == Some(folded.transferred);
        tries = if answer == Err(libc::EAGAIN) {
            tries + 1
        } else if answer.is_ok() {
            0
        } else {
            tries
        };
        folded.end = match answer {
            Ok(count) if what.len().is_none() => Some(Ok(count as usize)),
            Ok(_) if all => Some(Ok(folded.transferred)),
            Ok(0) if what.is_read() => Some(Ok(folded.transferred)),
            Ok(0) => Some(Err(WRITE_ZERO)),
            Ok(_) => None,
            Err(libc::EINTR) => None,
            Err(libc::EAGAIN) if tries < TRIES => None,
            Err(libc::EINVAL) if what.is_read() && folded.transferred > 0 => Some(Ok(folded.transferred)),
            Err(errno) => Some(Err(errno)),
        };
        match (folded.end, answer) {
            (None, Ok(_)) => folded.shorts += 1,
            (None, Err(_)) => folded.retries += 1,
            _ => {}
        }
    }
    folded
}
