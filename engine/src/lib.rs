//! One safe engine for asynchronous file I/O, over io_uring, kernel AIO and threads.
//!
//! [`Engine`] takes operations that own what the kernel needs, a file and a buffer, and gives both back with the result.
//! A program that uses it has no `unsafe`, and nothing that it does can harm memory: dropping, leaking and panicking are sound
//! anywhere. One code path serves where io_uring is there, where a container forbids it and kernel AIO is left, and where there
//! is neither.
//!
//! ```
//! use std::fs::File;
//! use std::sync::Arc;
//!
//! use engine::Options;
//! use engine::operation::Read;
//!
//! let file = Arc::new(File::open("/proc/self/exe")?);
//! let mut engine = Options::new(32).build()?;
//! for block in 0..32 {
//!     engine.add(Read::new(file.clone(), vec![0; 4096], block * 4096))?;
//! }
//! let mut bytes = 0;
//! for completion in engine.wait_nr(32)? {
//!     bytes += completion.result?;
//! }
//! println!("{bytes} bytes by {}", engine.backend());
//! # std::io::Result::Ok(())
//! ```
//!
//! # What to know
//!
//! - **Operations.** [`operation`] has them: reads and writes of one buffer or several, syncs, allocation, holes and zeroes,
//!   polls. An engine is for one type of operation, which [`Operations`](operation::Operations) is if there are several; paired with
//!   anything else it carries that along.
//! - **Buffers.** `Vec<u8>`, `Box<[u8]>`, [`AlignedBuf`], buffers of a [`BufferPool`], `BytesMut` with the feature `bytes`, parts of
//!   each ([`IoBuf::slice`]), and types of your own ([`IoBuf`], [`IoBufMut`]), over a guest's memory for instance. Plain slices go with
//!   [`Engine::scope`].
//! - **Results.** A transfer that the kernel cuts short is continued until it is whole or the file ends; what a signal interrupts is done
//!   again. Each operation completes once.
//! - **Back ends.** [`Options::build`] takes the best that works, and [`Engine::backend`] tells which and why not a better
//!   one. [`Backend`] is there for others.
//! - **Direct I/O.** [`DirectIo::probe`] tells what a file that is opened with `O_DIRECT` asks for. [`Options::bounce`] makes unaligned
//!   operations work.
//! - **Blocking.** io_uring and threads start operations without waiting. Kernel AIO does what goes through the page cache within
//!   [`Engine::submit`]; [`Options::offload_buffered`] leaves that to threads.
//! - **Speed.** Nothing is allocated on the way. [`Completions::next_done`] hands an operation out where it is, to be added again
//!   without a move: a small read takes 90 instructions then, two thirds of them io_uring's.
//!
//! # On top
//!
//! [`driver`] runs an engine in a thread and calls back. The module `tokio`, with the feature of that name, has futures.
//!
//! # How it is built
//!
//! `engine` puts operations into `slots` and words their requests; a back end (`backend`) carries requests out and returns
//! numbers; `settle` takes them to their operations, `verdict` decides what they mean, and `completion` hands operations out. A request's name is its slot's index and
//! a generation, so that none is taken for another. What is not an operation in a slot has bits of its own in that name: `scope` for
//! slices, `bounce` for unaligned transfers, [`OWN`] for a back end's own requests.

#[cfg(not(target_os = "linux"))]
compile_error!("io_uring and kernel AIO are interfaces of Linux");

mod backend;
mod bounce;
mod buffer;
mod completion;
mod direct;
pub mod driver;
mod engine;
mod error;
mod eventfd;
mod file;
pub mod operation;
mod options;
mod registration;
mod request;
mod scope;
mod settle;
mod slots;
mod stats;
mod sync;
#[cfg(any(feature = "tokio", loom))]
pub mod tokio;
mod trace;
mod verdict;

pub use uring::RwFlags;

pub use crate::backend::{Aio, AnyBackend, Assisted, Backend, BackendKind, Choice, OWN, Threads, Uring};
pub use crate::buffer::{AlignedBuf, BufferPool, IoBuf, IoBufMut, PooledBuf, Slice};
pub use crate::completion::{Completion, Completions, Done};
pub use crate::direct::{DirectIo, DirectIoSource};
pub use crate::engine::{Engine, Id};
pub use crate::error::{Error, Rejected};
pub use crate::file::{IoFile, RegisteredFile};
pub use crate::operation::Operation;
pub use crate::options::Options;
pub use crate::registration::Registration;
pub use crate::request::{Action, FileRef, IoVecs, Request};
pub use crate::scope::{Scope, Ticket};
pub use crate::stats::Stats;
