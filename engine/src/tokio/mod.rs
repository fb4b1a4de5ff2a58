//! Futures for Tokio.
//!
//! [`AsyncEngine`] reads, writes and syncs files as futures, over whichever back end there is:
//!
//! ```
//! use std::fs::File;
//! use std::sync::Arc;
//!
//! use engine::Options;
//! use engine::tokio::{AsyncEngine, SyncLevel};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("journal");
//! let engine = AsyncEngine::new(&Options::new(32))?;
//! let journal = Arc::new(File::create_new(path)?);
//! engine.write_at_sync(journal.clone(), b"begin".as_slice(), 0, SyncLevel::Data).await?;
//!
//! // A buffer that could not be written comes back.
//! let read_only = Arc::new(File::open("/proc/self/exe")?);
//! let failed = engine.write_at(read_only, vec![1, 2, 3], 0).await.unwrap_err();
//! assert_eq!(failed.error.raw_os_error(), Some(libc::EBADF));
//! assert_eq!(failed.buffer, [1, 2, 3]);
//! # Ok(())
//! # }
//! ```
//!
//! [`Aio`] is for sources that submit to kernel AIO for themselves; see [`AioSource`].

#[cfg_attr(loom, allow(dead_code, reason = "its users need descriptors, which there are none of in a model"))]
mod bell;
#[cfg_attr(loom, allow(dead_code, reason = "as above"))]
mod gate;
#[cfg_attr(loom, allow(dead_code, reason = "as above"))]
mod handover;
#[cfg(all(test, loom))]
mod models;

#[cfg(not(loom))]
mod driver;
#[cfg(not(loom))]
mod flight;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod landing;
#[cfg(not(loom))]
mod operations;
#[cfg(not(loom))]
mod outcome;
#[cfg(not(loom))]
mod shared;
#[cfg(not(loom))]
mod source;
#[cfg(not(loom))]
mod watched;

#[cfg(not(loom))]
pub use self::handle::AsyncEngine;
#[cfg(not(loom))]
pub use self::operations::SyncLevel;
#[cfg(not(loom))]
pub use self::outcome::{Failed, Outcome, Transferred};
#[cfg(not(loom))]
pub use self::source::{Aio, AioEvent, AioReactor, AioSource, Submitter};
