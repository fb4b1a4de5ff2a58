//! What liburing's tests check, and what its and other wrappers' users have asked for.

pub(crate) mod common;

mod cancel;
mod links;
mod polling;
mod queues;
mod setup;
mod waiting;
