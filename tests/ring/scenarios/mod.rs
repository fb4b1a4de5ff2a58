//! What liburing's tests check ([`map`] says which of ours do), the bugs of other wrappers, and what their users have
//! asked for.

pub(crate) mod common;

mod cancel;
mod events;
mod files;
mod lifetimes;
mod links;
mod map;
mod messages;
mod named;
mod peers;
mod polling;
mod provided;
mod queues;
mod requests;
mod resources;
mod safe;
mod setup;
mod waiting;
