//! Many requests, one system call.
//!
//! A system call is a good part of what a small read costs. A ring makes one for as many requests as were pushed since
//! the last one, and the same call waits for completions. That, and a device that has enough to do at all times, is
//! what io_uring is faster by; a single request at a time is not faster than `pread(2)`.
//!
//! ```
//! use uring::{Ring, op::rw::Read};
//!
//! const BLOCK: usize = 512;
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let mut blocks = [[0; BLOCK]; 32];
//! let mut ring: Ring = Ring::new(32)?;
//! for (nth, block) in blocks.iter_mut().enumerate() {
//!     // SAFETY: `program` and the blocks outlive the wait, and nobody looks at them before.
//!     let read = unsafe { Read::new(&program, block.as_mut_ptr(), BLOCK, (nth * BLOCK) as u64) };
//!     ring.push(read.user_data(nth as u64))?;
//! }
//! for completion in ring.wait(32)? {
//!     // In any order: the name tells which it is.
//!     assert!(completion.user_data() < 32);
//!     assert_eq!(completion.result()? as usize, BLOCK);
//! }
//! assert_eq!(ring.stats().enters, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # To keep a device busy
//!
//! A batch that is waited for as a whole leaves the device idle while the last requests of each batch end. Push a new
//! request for each completion instead, and wait for one:
//!
//! ```
//! use uring::{Ring, op::rw::Read};
//!
//! const BLOCK: usize = 4096;
//! const DEPTH: usize = 8;
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let blocks = program.metadata()?.len().div_ceil(BLOCK as u64);
//! let mut buffers = [[0; BLOCK]; DEPTH];
//! let mut ring: Ring = Ring::new(DEPTH)?;
//! // The buffers that no request uses, and what comes next.
//! let mut idle: Vec<usize> = (0..DEPTH).collect();
//! let (mut next, mut read) = (0, 0);
//! while next < blocks || idle.len() < DEPTH {
//!     while next < blocks && let Some(nth) = idle.pop() {
//!         // SAFETY: the buffers and `program` are there until all completions were taken, below; no request uses
//!         // the buffer.
//!         let request = unsafe { Read::new(&program, buffers[nth].as_mut_ptr(), BLOCK, next * BLOCK as u64) };
//!         ring.push(request.user_data(nth as u64))?;
//!         next += 1;
//!     }
//!     for completion in ring.wait(1)? {
//!         read += u64::from(completion.result()?);
//!         idle.push(completion.user_data() as usize);
//!     }
//! }
//! assert_eq!(read, program.metadata()?.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! - **The queue is full.** Its size says how many requests can be pushed between two submits, not how many can be in
//!   flight. [`push`](crate::Ring::push) then fails with [`NoSpace`](crate::Error::NoSpace) and gives the request back:
//!   submit, and push it again. [`space`](crate::Ring::space) tells beforehand.
//! - **As many system calls as requests.** [`stats`](crate::Ring::stats) counts them; `submit` after every push is what
//!   it mostly is.
//! - **One slow request holds up the rest.** Where a request can neither be done at once nor be polled for, a worker
//!   thread of the kernel does it, and a submit that meets no free one makes one. Threads named `iou-wrk-PID` in `top
//!   -H` show that. Buffered writes and file systems without asynchronous reads are the usual reasons.
//! - **A wait for more than fits.** `wait(n)` waits for as many as the completion queue has places at most; see
//!   [`overflow`](super::overflow).
