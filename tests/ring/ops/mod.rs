//! Every request, against what the system call does.

pub(crate) mod common;

mod cancel;
mod command;
mod direct;
mod file;
mod futex;
mod memory;
mod path;
mod pipe;
mod poll;
mod process;
mod ring;
mod rw;
mod select;
mod sync;
mod timeout;
mod xattr;
