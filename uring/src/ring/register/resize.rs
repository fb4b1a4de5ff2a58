//! Queues of other sizes.

use std::io;
use std::mem;

use uring_sys::{
    IORING_REGISTER_RESIZE_RINGS, IORING_SETUP_CLAMP, IORING_SETUP_CQE_MIXED, IORING_SETUP_CQSIZE,
    IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SQE_MIXED, io_uring_params,
};

use super::refused;
use crate::entry::{Completion, Submission};
use crate::error::{Error, Result};
use crate::ring::Ring;
use crate::ring::core::Maps;
use crate::ring::layout::Layout;
use crate::ring::mapping::Mapping;
use crate::ring::setup::{Memory, map_error};
use crate::ring::sizes::Asked;

/// What says no.
const CALL: &str = "io_uring_register";

impl<S: Submission, C: Completion> Ring<S, C> {
    /// Gives the queues other sizes, in places, within the limits of [`new`](Self::new) and
    /// [`Builder::cq_entries`](crate::ring::Builder::cq_entries) (`IORING_REGISTER_RESIZE_RINGS`, since 6.13). Without
    /// `cq_entries` the completion queue gets twice the places of the submission queue.
    ///
    /// Requests in flight go on, and what was pushed and not submitted stays in the queue, as do completions that were
    /// not taken. As the first submit does, it binds the ring to the thread.
    ///
    /// Kernels without a fix of March 2026, which 7.0 has, may crash if meanwhile a request completes or another thread
    /// polls the descriptor: on those of unknown age resize a ring that has nothing in flight.
    ///
    /// ```
    /// use uring::Ring;
    ///
    /// let mut ring: Ring = Ring::builder(8).single_issuer().defer_taskrun().build()?;
    /// match ring.resize(64, Some(1024)) {
    ///     Ok(()) => assert_eq!(ring.entries(), (64, 1024)),
    ///     // Everything is as it was.
    ///     Err(refused) => assert_eq!(ring.entries(), (8, 16), "{refused}"),
    /// }
    /// # Ok::<(), uring::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * `EINVAL` before 6.13, for a ring without [`defer_taskrun`](crate::ring::Builder::defer_taskrun) or in
    ///   [memory](crate::ring::Builder::memory) of the caller's, and for sizes out of range.
    /// * `EOVERFLOW` if more waits in a queue than it would have places for: submit, or take completions. In a ring of
    ///   mixed entries a queue can shrink while it is empty only.
    /// * `ENOMEM` if there is no memory for the new queues, which may count against `RLIMIT_MEMLOCK`, until the old ones
    ///   are gone beside these.
    /// * `EEXIST` in another thread than the ring's, and for a ring that is still
    ///   [disabled](crate::ring::Builder::disabled).
    ///
    /// The ring is as it was, unless the text says that it is lost: that the kernel has made new queues, and that they
    /// could not be mapped. Then all waits fail with `EBADR`.
    pub fn resize(&mut self, entries: usize, cq_entries: Option<usize>) -> Result<()> {
        self.submit.check()?;
        self.reap.check()?;
        if self.reap.lost {
            return Err(self.reap.lost_completions());
        }
        let sizes = self.check_sizes(entries, cq_entries)?;
        if sizes == (self.submit.sq.entries(), self.reap.cq.entries()) {
            return Ok(());
        }
        self.check_room(sizes)?;
        let (sq_entries, cq_entries) = sizes;
        let next = io_uring_params { sq_entries, cq_entries, ..self.submit.core.maps().params };
        let flags = IORING_SETUP_CQSIZE;
        let mut answer = io_uring_params { sq_entries, cq_entries, flags, ..Default::default() };
        let memory = self.find_memory(&next, &mut answer)?;
        // A ring that waits to be bound is bound and enabled by this, as by an enter.
        let _ = self.submit.core.first_door();
        self.reap.publish();
        // The kernels of 6.13 to 7.2 copy large entries by half, and none where an index wraps: it is shown none, and
        // what it has copied of the completions is copied once more.
        self.submit.publish();
        self.submit.sq.withdraw();
        let (opcode, arg) = (IORING_REGISTER_RESIZE_RINGS, (&raw mut answer).cast());
        // SAFETY: the opcode takes one of these, which outlives the call. The memory that it names stays mapped: it is
        // `Core`'s as soon as the kernel has it.
        let told = unsafe { self.submit.core.register(opcode, arg, 1) };
        if let Err(error) = told {
            self.submit.sq.publish();
            return Err(refusal(error));
        }
        match self.place(memory, next, &answer) {
            Ok(maps) => {
                // SAFETY: the kernel has just moved the ring there.
                unsafe { self.move_to(maps) };
                Ok(())
            }
            Err(error) => {
                self.reap.lose();
                Err(Error::kernel(
                    "mmap",
                    error,
                    "the ring is lost: it has new queues, which could not be mapped",
                ))
            }
        }
    }

    /// Refuses what the kernel would refuse without a word why, and rounds as it does.
    fn check_sizes(&self, entries: usize, cq_entries: Option<usize>) -> Result<(u32, u32)> {
        let flags = self.submit.core.setup_flags();
        let sizes = Asked { entries, cq_entries, clamps: flags & IORING_SETUP_CLAMP != 0 }.check(CALL)?;
        if flags & IORING_SETUP_DEFER_TASKRUN == 0 {
            return Err(Error::invalid(CALL, "only a ring with `defer_taskrun` can be resized"));
        }
        if matches!(self.submit.core.memory, Memory::Lent { .. }) {
            return Err(Error::invalid(CALL, "a ring in memory of the caller's keeps its size"));
        }
        // Newer kernels are asked for rings without an array (6.6), and it is them that can.
        if self.submit.core.maps().params.sq_off.array != 0 {
            return Err(refusal(io::Error::from_raw_os_error(libc::EINVAL)));
        }
        Ok(sizes.rounded())
    }

    /// Refuses what has no room for what is there.
    fn check_room(&self, (entries, cq_entries): (u32, u32)) -> Result<()> {
        let is_mixed = |flag| self.submit.core.setup_flags() & flag != 0;
        let (sq, cq) = (&self.submit.sq, &self.reap.cq);
        let full = |what| Err(Error::kernel(CALL, io::Error::from_raw_os_error(libc::EOVERFLOW), what));
        let (queued, ready) = (sq.queued(), cq.ready());
        if queued > entries {
            return full(format!("{queued} requests are queued, for {entries} places: submit them first"));
        }
        if ready > cq_entries {
            return full(format!("{ready} completions are there, for {cq_entries} places: take some first"));
        }
        // A large one could lie across the new end.
        if queued > 0 && entries < sq.entries() && is_mixed(IORING_SETUP_SQE_MIXED) {
            return full("a queue of mixed entries shrinks while it is empty only: submit first".to_owned());
        }
        if ready > 0 && cq_entries < cq.entries() && is_mixed(IORING_SETUP_CQE_MIXED) {
            return full(
                "a queue of mixed completions shrinks while it is empty only: take them first".to_owned(),
            );
        }
        Ok(())
    }

    /// Finds memory, or sees that there is room to map that of the kernel: later there is no way back.
    fn find_memory(
        &self,
        next: &io_uring_params,
        answer: &mut io_uring_params,
    ) -> Result<(Mapping, Mapping)> {
        let layout = Layout::of(next);
        if let Some(memory) = self.submit.core.memory.find(layout, answer)? {
            return Ok(memory);
        }
        let rings = Mapping::reserve(layout.rings_end(next)).map_err(map_error)?;
        Ok((rings, Mapping::reserve(layout.sqes).map_err(map_error)?))
    }

    /// Maps the new queues.
    fn place(
        &self,
        (rings, sqes): (Mapping, Mapping),
        params: io_uring_params,
        answer: &io_uring_params,
    ) -> io::Result<Maps> {
        if (answer.sq_entries, answer.cq_entries) != (params.sq_entries, params.cq_entries) {
            // No kernel does so; whatever it uses of this memory has to stay.
            mem::forget((rings, sqes));
            return Err(io::Error::from_raw_os_error(libc::EPROTO));
        }
        match (self.submit.core.memory, self.submit.core.descriptor()) {
            (Memory::Kernel, Some(fd)) => {
                drop((rings, sqes));
                Maps::of_ring(fd, &params)
            }
            _ => Ok(Maps { rings, sqes, params }),
        }
    }

    /// Goes over to new queues.
    ///
    /// # Safety
    ///
    /// The kernel uses those of `maps`, which have room for all that waits in the old ones, and the latter no more.
    unsafe fn move_to(&mut self, maps: Maps) {
        let core = &self.submit.core;
        // SAFETY: `Core` owns the new mappings from below on, and the old ones until then.
        unsafe { self.submit.sq.move_to(&maps, core.gate()) };
        // SAFETY: as above.
        unsafe { self.reap.cq.move_to(&maps) };
        let old = core.replace(maps);
        self.submit.renew(self.reap.cq.head());
        self.reap.renew(self.submit.sq.head());
        // Nothing points there any more.
        drop(old);
    }
}

#[cold]
fn refusal(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EOVERFLOW) => {
            Error::kernel(CALL, error, "more waits in a queue than it would have places for")
        }
        Some(libc::EEXIST) => Error::kernel(
            CALL,
            error,
            "other sizes: the ring is bound to the thread that first used it, or is not enabled yet",
        ),
        _ => refused(error, "other sizes, since Linux 6.13"),
    }
}
