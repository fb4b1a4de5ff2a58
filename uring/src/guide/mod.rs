//! A guide to [`Ring`](crate::Ring), in chapters.
//!
//! Each chapter says what its subject is for, shows the shortest program that works, and tells what goes wrong in
//! practice and how one sees it. The programs are whole, do real I/O and are run as tests of this crate.
//!
//! | chapter | about |
//! |---|---|
//! | [`first_read`] | a request, from its making to its result |
//! | [`batches`] | many requests, one system call |
//! | [`registered`] | files and buffers that the kernel knows beforehand |
//! | [`provided`] | buffers that the kernel chooses, and requests that go on |
//! | [`chains`] | order: links, drain, and time limits |
//! | [`cancellation`] | to end what is in flight |
//! | [`sqpoll`] | to submit without system calls |
//! | [`overflow`] | more completions than there is room for |
//! | [`threads`] | rings in more than one thread |
//! | [`fork`] | and in more than one process |
//!
//! What the programs vouch for in `unsafe` is one [contract](crate::op#contract), which is worth reading first.

pub mod batches;
pub mod cancellation;
pub mod chains;
pub mod first_read;
pub mod fork;
pub mod overflow;
pub mod provided;
pub mod registered;
pub mod sqpoll;
pub mod threads;
