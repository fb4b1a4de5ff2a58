//! The crate `io-uring`.

use std::os::fd::{AsRawFd, RawFd};

use anyhow::ensure;
use io_uring::{IoUring, opcode, squeue, types};

use super::ring::{Ring, Setup};
use crate::cli::{MicroOp, RingFlags};
use crate::micro::{BLOCK, Reads};

pub(super) struct IoUringCrate {
    ring: IoUring,
    batch: usize,
    best: bool,
    fd: RawFd,
}

impl IoUringCrate {
    /// Runs batches of what `entry` makes.
    ///
    /// # Safety
    ///
    /// The memory that the entries name is valid and left alone until their completions have been taken, which
    /// they have when this returns `Ok`.
    unsafe fn run(
        &mut self,
        batches: u64,
        expected: usize,
        mut entry: impl FnMut(usize) -> squeue::Entry,
    ) -> anyhow::Result<()> {
        let batch = self.batch;
        if self.best {
            // Only a submitter that is kept can make use of a registered descriptor; the queues are then to be
            // synchronised by hand.
            let (mut submitter, mut submission, mut completion) = self.ring.split();
            submitter.register_ring_fd()?;
            for _ in 0..batches {
                for index in 0..batch {
                    // SAFETY: handed on to the caller.
                    unsafe { submission.push(&entry(index)) }?;
                }
                submission.sync();
                submitter.submit_and_wait(batch)?;
                submission.sync();
                completion.sync();
                let good = completion.by_ref().filter(|cqe| cqe.result() == expected as i32).count();
                ensure!(good == batch, "{good} of {batch} operations succeeded");
            }
            // The crate does not do so when the ring is dropped, and a thread may have sixteen.
            submitter.unregister_ring_fd()?;
        } else {
            for _ in 0..batches {
                let mut submission = self.ring.submission();
                for index in 0..batch {
                    // SAFETY: handed on to the caller.
                    unsafe { submission.push(&entry(index)) }?;
                }
                drop(submission);
                self.ring.submit_and_wait(batch)?;
                let good = self.ring.completion().filter(|cqe| cqe.result() == expected as i32).count();
                ensure!(good == batch, "{good} of {batch} operations succeeded");
            }
        }
        Ok(())
    }
}

impl<'a> Ring<'a> for IoUringCrate {
    fn new(setup: &Setup<'a>) -> anyhow::Result<Self> {
        let best = setup.flags == RingFlags::Best;
        let mut builder = IoUring::builder();
        if best {
            builder.setup_single_issuer().setup_defer_taskrun();
        }
        let ring = builder.build(setup.batch as u32)?;
        let fd = setup.file.as_raw_fd();
        if best && setup.op == MicroOp::Read {
            ring.submitter().register_files(&[fd])?;
        }
        Ok(Self { ring, batch: setup.batch, best, fd })
    }

    fn nops(&mut self, batches: u64) -> anyhow::Result<()> {
        // SAFETY: the operation names no memory.
        unsafe { self.run(batches, 0, |index| opcode::Nop::new().build().user_data(index as u64)) }
    }

    unsafe fn reads(&mut self, reads: &mut Reads, batches: u64) -> anyhow::Result<()> {
        let mut draw = reads.draw();
        let fd = types::Fd(self.fd);
        let finish = |read: opcode::Read, offset, index| read.offset(offset).build().user_data(index as u64);
        if self.best {
            // SAFETY: each entry names a block of its own, which `reads` keeps for the batch and, after an
            // error, for good (contract of this function).
            unsafe {
                self.run(batches, BLOCK, |index| {
                    let (block, offset) = draw.next(index);
                    finish(opcode::Read::new(types::Fixed(0), block, BLOCK as u32), offset, index)
                })
            }?;
        } else {
            // SAFETY: as above.
            unsafe {
                self.run(batches, BLOCK, |index| {
                    let (block, offset) = draw.next(index);
                    finish(opcode::Read::new(fd, block, BLOCK as u32), offset, index)
                })
            }?;
        }
        reads.resume(draw);
        Ok(())
    }
}
