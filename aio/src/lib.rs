//! Linux kernel AIO: queue reads, writes, syncs and polls, submit them in one system call, iterate over what is done.
//!
//! Kernel AIO is the older of the two asynchronous interfaces of Linux, and the one that is there when io_uring is not: in
//! containers whose default seccomp profile forbids io_uring, and where an administrator has turned that off. With direct I/O it
//! keeps a disk as busy as io_uring does.
//!
//! ```
//! use std::fs::File;
//!
//! use aio::AioContext;
//!
//! let file = File::open("/proc/self/exe")?;
//! let mut chunks = vec![[0_u8; 512]; 4];
//! let mut context = AioContext::new(4)?;
//! for (n, chunk) in chunks.iter_mut().enumerate() {
//!     // SAFETY: `chunks` lives longer than `context`, and is not touched before every completion is taken.
//!     unsafe { context.add_read(chunk.as_mut_ptr(), chunk.len(), &file, n as u64 * 512, n as u64)? };
//! }
//! let mut done = 0;
//! while done < 4 {
//!     for (user_data, result) in context.wait()? {
//!         println!("chunk {user_data}: {} bytes", result?);
//!         done += 1;
//!     }
//! }
//! assert_eq!(&chunks[0][..4], b"\x7fELF");
//! # std::io::Result::Ok(())
//! ```
//!
//! [`AioContext`] has it all in one place; [`AioContext::split`] makes a [`Submitter`] and a [`Completer`] of it for two threads.
//! The crate `uring` has the same names over io_uring. What the kernel's AIO cannot do is not here: no nop, no fallocate, no
//! registered files or buffers. And where a ring has room again after a submit, an entry here is free when its completion has
//! been taken: after [`Error::NoSpace`], take completions.
//!
//! # What is promised
//!
//! - One completion for each accepted request, whatever the kernel says to it, and none for others.
//! - The number of requests queued, in flight and not yet taken never exceeds the number of entries:
//!   [`Error::NoSpace`] comes first, and changes nothing.
//! - A context that is dropped waits for the kernel, so that no memory is written after its owner is gone.
//! - Completions are read from a ring that the kernel shares with the process, without a system call; where the ring is
//!   of an unknown kind, or with [`Builder::force_syscall`], by [io_getevents(2)].
//! - After the start nothing is allocated, except for vectors that grow.
//!
//! # What blocks
//!
//! Asynchronous is what the file makes of it. [`AioContext::submit`] returns at once for direct I/O on preallocated files and
//! block devices, for syncs and for polls. Elsewhere it does the work itself and returns when it is done:
//!
//! | What | Cure |
//! |---|---|
//! | reads and writes through the page cache, and all of tmpfs | open with `O_DIRECT`, or leave the call to a thread |
//! | direct writes that extend the file | preallocate it with `fallocate` |
//! | direct I/O over pages that are dirty in the cache | do not mix, or sync first |
//! | more requests than the device queues | fewer in flight |
//! | a read from an empty pipe or socket, which a signal ends with `EINTR` | [`AioContext::add_poll_fd`] first |
//!
//! [`RwFlags::NOWAIT`] turns blocking into a completion with `EAGAIN`, for a read that is not in the cache as for a pipe that
//! is empty; hand such a request to a thread then.
//!
//! # Kernels
//!
//! Linux 5.10 or newer. The system's allowance of entries is `/proc/sys/fs/aio-max-nr`, 65 536 unless somebody has changed it.
//!
//! [io_getevents(2)]: https://man7.org/linux/man-pages/man2/io_getevents.2.html

#[cfg(not(target_os = "linux"))]
compile_error!("kernel AIO is an interface of Linux");

mod builder;
mod completer;
mod completion;
mod context;
mod deadline;
mod error;
mod eventfd;
mod flags;
mod fork;
mod handle;
mod iocb;
mod queued;
mod requests;
mod ring;
mod row;
mod shared;
mod slot;
mod spsc;
mod stats;
mod submission;
mod submitter;
mod sys;

pub use builder::Builder;
pub use completer::Completer;
pub use completion::Completions;
pub use context::AioContext;
pub use error::{Error, Failure, Rejected, Result};
pub use flags::{IoPriority, RwFlags};
pub use queued::Queued;
pub use stats::Stats;
pub use submitter::Submitter;

/// What a request carries through the kernel to its completion; any value, also one that is in use already.
pub type UserData = u64;
