//! rustix, whose io_uring is its three system calls: the rest is written here, with nothing that this loop can
//! do without. It is what a ring costs.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::ensure;
use memmap2::{MmapOptions, MmapRaw};
use rustix::io_uring::{
    IORING_OFF_SQ_RING, IORING_OFF_SQES, IoringEnterFlags, IoringFeatureFlags, IoringOp, IoringRegisterOp,
    IoringSetupFlags, IoringSqeFlags, io_uring_cqe, io_uring_enter, io_uring_params, io_uring_ptr,
    io_uring_register, io_uring_rsrc_update, io_uring_setup, io_uring_sqe,
};

use super::ring::{Ring, Setup};
use crate::cli::{MicroOp, RingFlags};
use crate::micro::{BLOCK, Reads};

/// # Invariants
///
/// The pointers lead into the two mappings, to what the kernel says is there, and the masks are less than the
/// number of entries. Between two batches nothing is queued or in flight, so that a batch of at most as many
/// operations as there are entries has room.
pub(super) struct RustixRing {
    fd: OwnedFd,
    /// `fd`, or its index if it is registered; `enter_flags` say which.
    enter_fd: RawFd,
    enter_flags: IoringEnterFlags,
    file: RawFd,
    sqe_flags: IoringSqeFlags,
    batch: u32,
    tail: u32,
    head: u32,
    sq_mask: u32,
    cq_mask: u32,
    sq_tail: *const AtomicU32,
    cq_head: *const AtomicU32,
    cq_tail: *const AtomicU32,
    sqes: *mut io_uring_sqe,
    cqes: *const io_uring_cqe,
    _rings: MmapRaw,
    _entries: MmapRaw,
}

impl RustixRing {
    /// Runs batches of what `sqe` makes.
    ///
    /// # Safety
    ///
    /// The memory that the entries name is valid and left alone until their completions have been taken, which
    /// they have when this returns `Ok`.
    unsafe fn run(
        &mut self,
        batches: u64,
        expected: usize,
        mut sqe: impl FnMut(usize) -> io_uring_sqe,
    ) -> anyhow::Result<()> {
        let batch = self.batch;
        for _ in 0..batches {
            for index in 0..batch {
                let slot = self.sqes.wrapping_add((self.tail & self.sq_mask) as usize);
                // SAFETY: the slot is one of the queue's (type invariant), and the kernel does not look at it
                // before the tail has passed it.
                unsafe { slot.write(sqe(index as usize)) };
                self.tail = self.tail.wrapping_add(1);
            }
            // SAFETY: the mapping lives as long as this does. The kernel sees the entries before the tail.
            unsafe { &*self.sq_tail }.store(self.tail, Ordering::Release);
            self.enter()?;
            // SAFETY: as above. The kernel has written the entries before the tail.
            let tail = unsafe { &*self.cq_tail }.load(Ordering::Acquire);
            let mut good = 0;
            while self.head != tail {
                let slot = self.cqes.wrapping_add((self.head & self.cq_mask) as usize);
                // SAFETY: the slot is one of the queue's (type invariant), and the kernel has written it: it
                // lies between head and tail.
                let cqe = unsafe { slot.read() };
                good += u32::from(cqe.res == expected as i32);
                self.head = self.head.wrapping_add(1);
            }
            // SAFETY: as above. The entries have been read before the kernel sees the head.
            unsafe { &*self.cq_head }.store(self.head, Ordering::Release);
            ensure!(good == batch, "{good} of {batch} operations succeeded");
        }
        Ok(())
    }

    /// Submits a batch and waits for it.
    #[inline]
    fn enter(&self) -> anyhow::Result<()> {
        // SAFETY: it is the ring's descriptor, or the index of it that the kernel wants in its place.
        let fd = unsafe { BorrowedFd::borrow_raw(self.enter_fd) };
        // SAFETY: the caller of `run` answers for the memory that the entries name.
        let submitted = unsafe { io_uring_enter(fd, self.batch, self.batch, self.enter_flags) }?;
        ensure!(submitted == self.batch, "{submitted} of {} operations were submitted", self.batch);
        Ok(())
    }

    /// Registers the ring with the thread, or gives the registration back.
    fn register_ring(&mut self, op: IoringRegisterOp) -> rustix::io::Result<()> {
        let mut update = io_uring_rsrc_update::default();
        if op == IoringRegisterOp::RegisterRingFds {
            update.offset = u32::MAX;
            let fd = self.fd.as_raw_fd() as usize;
            update.data = io_uring_ptr::new(ptr::without_provenance_mut(fd));
        } else {
            update.offset = self.enter_fd as u32;
        }
        // SAFETY: `update` is one entry that the kernel may read and write, and outlives the call.
        unsafe { io_uring_register(&self.fd, op, (&raw mut update).cast_const().cast(), 1) }?;
        self.enter_fd = update.offset as RawFd;
        Ok(())
    }

    /// An entry, all but its operation and memory.
    fn sqe(op: IoringOp, index: usize) -> io_uring_sqe {
        io_uring_sqe { opcode: op, user_data: (index as u64).into(), ..Default::default() }
    }
}

impl<'a> Ring<'a> for RustixRing {
    fn new(setup: &Setup<'a>) -> anyhow::Result<Self> {
        let best = setup.flags == RingFlags::Best;
        let mut params = io_uring_params::default();
        if best {
            params.flags = IoringSetupFlags::SINGLE_ISSUER | IoringSetupFlags::DEFER_TASKRUN;
        }
        // SAFETY: `params` asks for nothing that lies elsewhere.
        let fd = unsafe { io_uring_setup(setup.batch as u32, &mut params) }?;
        ensure!(
            params.features.contains(IoringFeatureFlags::SINGLE_MMAP),
            "this kernel maps the queues one by one"
        );
        let (sq, cq) = (params.sq_off, params.cq_off);
        let after_sq = sq.array as usize + params.sq_entries as usize * size_of::<u32>();
        let after_cq = cq.cqes as usize + params.cq_entries as usize * size_of::<io_uring_cqe>();
        let map = |offset, length| MmapOptions::new().offset(offset).len(length).populate().map_raw(&fd);
        let rings = map(IORING_OFF_SQ_RING, after_sq.max(after_cq))?;
        let entries = map(IORING_OFF_SQES, params.sq_entries as usize * size_of::<io_uring_sqe>())?;
        let at = |offset: u32| rings.as_mut_ptr().wrapping_add(offset as usize);
        let array = at(sq.array).cast::<u32>();
        for index in 0..params.sq_entries {
            // SAFETY: the array has `sq_entries` elements, and the kernel looks at none before a submission.
            unsafe { array.wrapping_add(index as usize).write(index) };
        }
        let mut made = Self {
            enter_fd: fd.as_raw_fd(),
            enter_flags: IoringEnterFlags::GETEVENTS,
            file: setup.file.as_raw_fd(),
            sqe_flags: IoringSqeFlags::empty(),
            batch: setup.batch as u32,
            tail: 0,
            head: 0,
            sq_mask: params.sq_entries - 1,
            cq_mask: params.cq_entries - 1,
            sq_tail: at(sq.tail).cast(),
            cq_head: at(cq.head).cast(),
            cq_tail: at(cq.tail).cast(),
            sqes: entries.as_mut_ptr().cast(),
            cqes: at(cq.cqes).cast(),
            _rings: rings,
            _entries: entries,
            fd,
        };
        if best {
            made.register_ring(IoringRegisterOp::RegisterRingFds)?;
            made.enter_flags |= IoringEnterFlags::REGISTERED_RING;
            if setup.op == MicroOp::Read {
                let files = (&raw const made.file).cast::<c_void>();
                // SAFETY: `files` names one descriptor, which is open, and outlives the call.
                unsafe { io_uring_register(&made.fd, IoringRegisterOp::RegisterFiles, files, 1) }?;
                made.file = 0;
                made.sqe_flags = IoringSqeFlags::FIXED_FILE;
            }
        }
        Ok(made)
    }

    fn nops(&mut self, batches: u64) -> anyhow::Result<()> {
        // SAFETY: the operation names no memory.
        unsafe { self.run(batches, 0, |index| Self::sqe(IoringOp::Nop, index)) }
    }

    unsafe fn reads(&mut self, reads: &mut Reads, batches: u64) -> anyhow::Result<()> {
        let mut draw = reads.draw();
        let (fd, flags) = (self.file, self.sqe_flags);
        let read = |index| {
            let (block, offset) = draw.next(index);
            let mut sqe = Self::sqe(IoringOp::Read, index);
            (sqe.fd, sqe.flags, sqe.len.len) = (fd, flags, BLOCK as u32);
            sqe.addr_or_splice_off_in.addr = io_uring_ptr::new(block.cast());
            sqe.off_or_addr2.off = offset;
            sqe
        };
        // SAFETY: each entry names a block of its own, which `reads` keeps for the batch and, after an error,
        // for good (contract of this function).
        unsafe { self.run(batches, BLOCK, read) }?;
        reads.resume(draw);
        Ok(())
    }
}

impl Drop for RustixRing {
    fn drop(&mut self) {
        if self.enter_flags.contains(IoringEnterFlags::REGISTERED_RING) {
            // What cannot be given back is the thread's until its end, which is the program's.
            let _ = self.register_ring(IoringRegisterOp::UnregisterRingFds);
        }
    }
}
