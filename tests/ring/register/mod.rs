//! What a ring is told once, by `io_uring_register`.

mod buffers;
mod cancel;
pub(crate) mod common;
mod event;
mod files;
mod owned;
mod personality;
mod restrictions;
mod ring_fds;
mod workers;
