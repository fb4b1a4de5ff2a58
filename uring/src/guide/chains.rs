//! Order: links, drain, and time limits.
//!
//! Requests of one batch run in any order and at the same time. Where one has to wait for another, there are two ways
//! to say so without going back to user space in between.
//!
//! # Links
//!
//! [`IO_LINK`](crate::SqeFlags::IO_LINK) ties a request to the next one pushed, which starts when this one has
//! succeeded: data first, then its durability.
//!
//! ```
//! use uring::{Ring, SqeFlags, op};
//!
//! # let path = std::env::temp_dir().join(format!("uring-guide-chains-{}", std::process::id()));
//! # let mut options = std::fs::OpenOptions::new();
//! let file = options.write(true).create_new(true).open(&path)?;
//! # std::fs::remove_file(&path)?;
//! let mut ring: Ring = Ring::new(8)?;
//! // SAFETY: `file` outlives the wait, and the data lives for ever.
//! let (write, sync) = unsafe {
//!     (op::rw::Write::new(&file, b"durable".as_ptr(), 7, 0), op::sync::Fsync::new(&file))
//! };
//! ring.push(write.flags(SqeFlags::IO_LINK).user_data(1))?;
//! ring.push(sync.datasync().user_data(2))?;
//! let results: Vec<_> = ring.wait(2)?.map(|completion| completion.raw_result()).collect();
//! assert_eq!(results, [7, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If one fails *or is short*, all behind it complete with `ECANCELED`; after an
//! [`IO_HARDLINK`](crate::SqeFlags::IO_HARDLINK) the next one starts all the same. Other chains and requests without a
//! link go on beside a chain.
//!
//! # Time limits
//!
//! A [`LinkTimeout`](crate::op::timeout::LinkTimeout) behind a link cancels what is before it, if that takes too long:
//!
//! ```
//! use std::time::Duration;
//! use uring::{Ring, SqeFlags, op};
//! use uring::op::timeout::{LinkTimeout, Timespec};
//!
//! let (silent, _writer) = std::io::pipe()?;
//! let limit = Timespec::from(Duration::from_millis(1));
//! let mut byte = [0];
//! let mut ring: Ring = Ring::new(8)?;
//! // SAFETY: all of it outlives the wait, and nobody looks at `byte` before.
//! let (read, timeout) = unsafe {
//!     (op::rw::Read::new(&silent, byte.as_mut_ptr(), 1, u64::MAX), LinkTimeout::new(&raw const limit))
//! };
//! ring.push(read.flags(SqeFlags::IO_LINK).user_data(1))?;
//! ring.push(timeout.user_data(2))?;
//! for completion in ring.wait(2)? {
//!     let error = completion.result().unwrap_err().raw_os_error();
//!     assert_eq!(error, Some(if completion.user_data() == 1 { libc::ECANCELED } else { libc::ETIME }));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To limit a *wait* instead, whatever it waits for, use [`wait_with`](crate::Ring::wait_with).
//!
//! # Drain
//!
//! [`IO_DRAIN`](crate::SqeFlags::IO_DRAIN) holds a request back until all pushed before it have completed, and all
//! pushed after it until it has: a barrier across the ring, which costs all that io_uring gains. Once in a while, such
//! as for an fsync of everything, it saves the count of what is in flight.
//!
//! # What goes wrong
//!
//! - **A chain in two parts.** It ends where a submit ends, whatever the flag of its last request says. Ask for
//!   [`space`](crate::Ring::space) for all of it before its first push; a submit for want of space in the middle starts
//!   the second part without waiting for the first.
//! - **A chain broken by a short read.** All behind it say `ECANCELED`, and the culprit has a count instead of an
//!   error.
//! - **Too much in the chain.** The flag on the last request ties it to the first one of the next chain.
//! - **A drain for ever.** A request that goes on, such as a multishot poll, never completes, so a drain behind it
//!   never starts, nor does anything after. Nothing tells but that completions stay away; keep both in different rings.
