//! What a ring is told once, by `io_uring_register`.

mod buffers;
mod common;
mod files;
mod owned;
mod restrictions;
