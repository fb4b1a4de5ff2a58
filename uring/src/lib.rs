//! io_uring: a thin, complete, sound context for file I/O, and the whole kernel interface below it.
//!
//! [`URingContext`] is a ring with three verbs: **add** requests, **submit** them, **wait** for their
//! completions, which come as an iterator. It allocates nothing on the way, makes one system call for a
//! batch, and keeps its promises when things go wrong: requests are neither lost nor doubled, signals and
//! full queues are its own business, and after a drop the kernel holds no memory of yours. [`Ring`] is what
//! it stands on, with all that the kernel has.
//!
//! ```
//! use uring::URingContext;
//!
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let (mut magic, mut class) = ([0; 4], [0; 1]);
//!
//! let mut ring = URingContext::new(16)?;
//! // SAFETY: `program`, `magic` and `class` outlive the wait below, and nobody looks at them before.
//! unsafe {
//!     ring.add_read(magic.as_mut_ptr(), magic.len(), &program, 0, 1)?;
//!     ring.add_read(class.as_mut_ptr(), class.len(), &program, 4, 2)?;
//! }
//! // One system call submits both and waits for both; they complete in any order.
//! for (user_data, result) in ring.wait_nr(2)? {
//!     println!("request {user_data} read {} bytes", result?);
//! }
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which of the two
//!
//! | | [`URingContext`] | [`Ring`] |
//! |---|---|---|
//! | for | reads, writes, polls, durability | every operation, flag and size of entries |
//! | a request is | a method: `add_read(…, user_data)` | a value of a type in [`op`], which is pushed |
//! | vectors and times | the context's | the caller's until the last completion |
//! | `wait` | for no more than is in flight | for as many as it is told, be it for ever |
//! | a completion is | `(user_data, io::Result<u32>)` | a [`Cqe`], with flags; some requests have many |
//! | kernel AIO instead | `aio::AioContext`, by the same methods | nothing |
//!
//! Take the context for file I/O: there is less to get wrong, and it costs about the same. Take the ring for all
//! else: chains, requests that go on, messages between rings, commands to drivers, other sizes of entries. They
//! are set up alike, end alike, and run on the same kernels. The [`guide`] is about the ring; the habits of the
//! kernel that it tells of are also the context's.
//!
//! # What a ring can do
//!
//! - **Requests**: [reads and writes](op::rw), [durability](op::sync), [files and paths](op::file), [sockets](op::net),
//!   [readiness](op::poll), [time](op::timeout), [futexes](op::futex), [children](op::process), [memory](op::memory),
//!   [commands to drivers](op::command), [messages to other rings](op::ring), [cancellation](op::cancel).
//! - **Order**: links and drain, which are [flags of every request](SqeFlags): the guide's [`chains`](guide::chains).
//! - **Requests that go on**, and buffers that the kernel chooses: [`provided`](guide::provided).
//! - **What the kernel knows beforehand**: files, buffers, credentials, eventfds and more by a ring's
//!   [`Registrar`](ring::Registrar): [`registered`](guide::registered).
//! - **Set-up**: a thread that submits, polled devices, rings of one thread, rings in the caller's memory, each a method
//!   of the [`Builder`](ring::Builder): [`sqpoll`](guide::sqpoll), [`threads`](guide::threads).
//! - **Waits** with a time limit, by any clock, with a signal mask, or for a batch that is worth it:
//!   [`Wait`](ring::Wait).
//! - **Sizes of entries**: 128 bytes, 32 bytes and mixed ones, as parameters of the type: [`Sqe128`], [`MixedSqe`],
//!   [`Cqe32`], [`MixedCqe`].
//! - **Less of it**: [`Restrictions`], and programs that look at requests, [`Filter`](ring::Filter).
//! - **Networks**: [busy polling](ring::Napi), [sends](op::net::SendZc) and [receives](ring::Zcrx) without copies.
//! - **What this kernel has** of all that: [`Capabilities`]. Each operation and flag says [since when](op#since-when) it
//!   is there.
//!
//! # What to know
//!
//! - **Memory.** A request's memory is the kernel's until its completion has been taken; that is the whole
//!   [contract](URingContext#contract), and the reason why what names memory is `unsafe`.
//! - **Full queues.** [`Error::NoSpace`] means: submit, then add again. Nothing has happened.
//! - **Completions.** Take them from [`wait`](URingContext::wait), from
//!   [`completions`](URingContext::completions) without waiting, or poll the context's own descriptor
//!   ([`AsFd`](std::os::fd::AsFd)) together with others. Those that overflow the ring are not lost and not
//!   held back.
//! - **Threads.** A context is `Send`; [`split`](URingContext::split) makes two halves for two threads.
//! - **Kernels.** Linux 5.10 and newer. What is newer than that falls back by itself, or its documentation
//!   says since when it is there; [`probe`](URingContext::probe) and [`features`](URingContext::features)
//!   tell what there is.
//!
//! The crate `aio` is this one's twin over kernel AIO, for where io_uring is forbidden: its `AioContext`
//! has the same methods. What differs: `AioContext::new(10)` takes ten requests in all, in flight or queued, so
//! that `NoSpace` there means to take completions first, while a ring has room again after `submit`; the
//! offset `u64::MAX` is `EINVAL` there; only polls can be cancelled; and [`Fixed`], `add_nop`, `add_timeout`
//! and `add_fallocate` are of the ring alone. `uring-sys` is the raw interface below.
//!
//! # How it is built
//!
//! `context` is what its user sees: a queue that adds and submits, and a reaper that takes completions,
//! which [`split`](URingContext::split) hands out one by one. Both stand on `ring`, where set-up, mapping,
//! shared indices, submission, completion, enter and register have a room each, and whose requests are made in
//! `op`. Memory that the kernel shares is reached through atomics and whole-entry copies only, never through
//! references; the orderings are in `ring::index`, and nowhere else.

#[cfg(not(target_os = "linux"))]
compile_error!("io_uring is an interface of Linux");

mod bits;
mod capabilities;
mod codes;
mod context;
mod entry;
mod error;
mod features;
mod flags;
mod fork;
pub mod guide;
pub mod op;
mod probe;
mod restriction;
pub mod ring;
mod stats;

pub use crate::capabilities::{Capabilities, ZcrxCapabilities};
pub use crate::codes::{Op, RegisterOp};
pub use crate::context::{Builder, Completer, Completions, Queued, Submitter, URingContext};
pub use crate::entry::{
    Completion, Cqe, Cqe32, CqeFlags, FileIndex, Fixed, MixedCqe, MixedSqe, Sqe, Sqe128, SqeFlags,
    Submission, Target,
};
pub use crate::error::{Error, Failure, PushError, Rejected, Result};
pub use crate::features::{Features, SetupFlags};
pub use crate::flags::{IoPriority, RwFlags};
pub use crate::probe::Probe;
pub use crate::restriction::Restrictions;
pub use crate::ring::Ring;
pub use crate::stats::Stats;

/// What a request is called by its caller; it comes back with the completion.
pub type UserData = u64;
