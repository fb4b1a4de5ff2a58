//! What liburing's tests check, and what its and other wrappers' users have asked for.

pub(crate) mod common;

mod cancel;
mod events;
mod files;
mod lifetimes;
mod links;
mod messages;
mod polling;
mod provided;
mod queues;
mod resources;
mod setup;
mod waiting;
