//! What a ring is told once, by `io_uring_register`.

mod common;
mod files;
