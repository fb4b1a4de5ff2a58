//! Rings in more than one thread.
//!
//! A queue has one producer and one consumer, so a ring belongs to one thread at a time: it is `Send` and not `Sync`.
//! The fastest program has **a ring for each thread**. They are cheap, and can share the kernel's worker threads
//! ([`attach_wq`](crate::ring::Builder::attach_wq)).
//!
//! # One thread submits, another takes
//!
//! [`split`](crate::Ring::split) makes two halves, one for either end. Neither ever waits for a lock of the other.
//! Memory goes with the requests: who takes a completion has what its request has read into.
//!
//! ```
//! use std::fs::File;
//! use std::thread;
//! use uring::{Ring, op::rw::Read};
//!
//! let program = File::open("/proc/self/exe")?;
//! let mut bytes = [0_u8; 4];
//! let ring: Ring = Ring::new(8)?;
//! let (mut submissions, mut completions) = ring.split()?;
//! thread::scope(|scope| {
//!     let taker = scope.spawn(move || -> uring::Result<usize> {
//!         let mut taken = 0;
//!         while taken < 4 {
//!             taken += completions.wait(1)?.filter(|completion| completion.raw_result() == 1).count();
//!         }
//!         Ok(taken)
//!     });
//!     for (nth, byte) in bytes.iter_mut().enumerate() {
//!         // SAFETY: `program` and `bytes` outlive the scope, which waits for who takes the completions.
//!         submissions.push(unsafe { Read::new(&program, byte, 1, nth as u64) })?;
//!     }
//!     submissions.submit()?;
//!     assert_eq!(taker.join().expect("it does not panic")?, 4);
//!     Ok::<(), uring::Error>(())
//! })?;
//! assert_eq!(&bytes, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One thread, for good
//!
//! A kernel that knows that only one thread submits saves some of its work
//! ([`single_issuer`](crate::ring::Builder::single_issuer), since 6.0), and more if it may leave completion work until
//! that thread asks ([`defer_taskrun`](crate::ring::Builder::defer_taskrun), since 6.1). Such a ring is bound to the
//! thread that first submits or waits, not to the one that makes it. One that is made
//! [disabled](crate::ring::Builder::disabled) is bound by [`enable`](crate::Ring::enable), and until then any thread
//! can prepare it:
//!
//! ```
//! use std::os::fd::AsFd;
//! use std::thread;
//! use uring::{Fixed, Ring, op::rw::Read};
//!
//! let builder = Ring::<uring::Sqe, uring::Cqe>::builder(8).disabled();
//! // A kernel that does not know these refuses them.
//! let bound = builder.clone().single_issuer().defer_taskrun();
//! let mut ring = bound.build().or_else(|_| builder.build())?;
//! let program = std::fs::File::open("/proc/self/exe")?;
//! ring.registrar().register_files(&[program.as_fd().into()])?;
//!
//! let worker = thread::spawn(move || -> Result<[u8; 4], uring::Error> {
//!     let mut magic = [0; 4];
//!     // From here on the ring is this thread's, which also drops it.
//!     let mut ring = ring;
//!     ring.enable()?;
//!     // SAFETY: nobody looks at `magic` before the wait; if that fails, the ring goes before it.
//!     ring.push(unsafe { Read::new(Fixed(0), magic.as_mut_ptr(), magic.len(), 0) })?;
//!     ring.wait(1)?.for_each(drop);
//!     Ok(magic)
//! });
//! assert_eq!(&worker.join().expect("it does not panic")?, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! - **`EEXIST`**: another thread than the one that the ring is bound to. A `split` of such a ring is refused.
//! - **`EBADFD`**: the ring is still disabled.
//! - **A drop in another thread** cannot wait for what is in flight in a ring that is bound: it says so on standard
//!   error and leaks the ring, and the memory of its requests must not be freed. Drop it in its thread.
//! - **Completions that come late.** With `defer_taskrun` nothing completes while the thread does something else: a
//!   loop that looks at a buffer instead of at the ring waits for ever.
//! - **A lock around a ring**, so that many threads can push: it is as slow as it sounds, and who holds it in a wait
//!   keeps all others from pushing. Use a ring for each thread, or split and lock the submitting half alone.
