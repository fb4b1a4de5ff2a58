//! One safe engine for asynchronous file I/O, over io_uring, kernel AIO and threads.
//!
//! [`Engine`] takes operations that own what the kernel needs, a file and a buffer, and gives both back with the result. There is no
//! `unsafe` in a program that uses it, and nothing that it can do wrong with memory: dropping, leaking and panicking are sound
//! anywhere.
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

#[cfg(not(target_os = "linux"))]
compile_error!("io_uring and kernel AIO are interfaces of Linux");

mod backend;
mod bounce;
mod buffer;
mod completion;
mod direct;
mod engine;
mod error;
mod eventfd;
mod file;
pub mod operation;
mod options;
mod registration;
mod request;
mod scope;
mod slots;
mod stats;
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
