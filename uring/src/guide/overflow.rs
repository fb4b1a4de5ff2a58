//! More completions than there is room for.
//!
//! The completion queue has twice as many places as the submission queue, and more requests than that may be in flight.
//! Completions that find no place are kept by the kernel in memory of its own, in order, and come when there is room:
//! none is lost. That room is made by taking completions; the ring asks the kernel for the rest by itself.
//!
//! ```
//! use uring::{Ring, op::rw::Read};
//!
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let mut bytes = [0; 64];
//! let mut ring: Ring = Ring::builder(8).cq_entries(8).build()?;
//! let mut taken = 0;
//! for (nth, byte) in bytes.iter_mut().enumerate() {
//!     while ring.space() == 0 {
//!         if ring.submit()? == 0 {
//!             // A kernel that takes no more requests while completions overflow.
//!             taken += ring.completions()?.count();
//!         }
//!     }
//!     // SAFETY: `program` and `bytes` outlive the loop below, which takes all completions.
//!     ring.push(unsafe { Read::new(&program, byte, 1, nth as u64) })?;
//! }
//! // Eight times as many completions as places.
//! while taken < 64 {
//!     taken += ring.wait(1)?.count();
//! }
//! assert_eq!(&bytes[..4], b"\x7fELF");
//! assert_eq!(ring.lost(), (0, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It is a way out, not a way to go: each such completion is an allocation in the kernel, charged to the process, and
//! one more copy. Where more is in flight than the queue has places, as with a slow consumer or with requests that go
//! on by themselves, make the queue larger ([`cq_entries`](crate::ring::Builder::cq_entries), 16 bytes a place).
//!
//! # To keep within the room
//!
//! Whoever has no more than [`entries`](crate::Ring::entries)`().1` requests in flight that complete once each never
//! overflows. The count is the caller's to keep: pushed, less taken.
//!
//! # What goes wrong
//!
//! - **A submit that accepts less than was pushed.** Kernels refuse more requests while completions overflow (`EBUSY`),
//!   or for want of memory (`EAGAIN`). [`submit`](crate::Ring::submit) then returns how many it got rid of, the rest
//!   stays [`queued`](crate::Ring::queued), and the next push may say [`NoSpace`](crate::Error::NoSpace): take
//!   completions, then go on.
//! - **`EBADR`** from a wait: the kernel had no memory even to keep a completion, and lost it. The ring cannot be
//!   trusted any more, and what is in flight cannot be told; [`lost`](crate::Ring::lost) counts. Only a machine out of
//!   memory does so.
//! - **A program that looks at the shared memory by itself**, by another library on the same descriptor, sees the first
//!   completions and then none, since nobody asks for the rest. All calls here that take completions ask:
//!   [`wait`](crate::Ring::wait), [`completions`](crate::Ring::completions), [`peek`](crate::Ring::peek). The one that
//!   does not is [`next_completion`](crate::Ring::next_completion), which goes on with what one of these has found.
