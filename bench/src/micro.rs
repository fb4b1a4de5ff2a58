//! One operation, again and again, with nothing measured in the process: an instruction counter does that
//! from outside.
//!
//! Two runs of N and 2N operations cancel everything but the loop: (Ir(2N) − Ir(N)) / N instructions make one
//! operation, where Ir is what this prints as `Collected`:
//!
//! ```sh
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null bench micro --engine uring --op nop --ops 12800
//! ```

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use aio::AioContext;
use anyhow::{anyhow, bail, ensure};
use engine::operation::Read;
use engine::{Engine, Options};
use uring::op::ring::Nop;
use uring::{Fixed, Ring, URingContext, op};

use crate::buffer::Blocks;
use crate::case::Mode;
use crate::cli::{MicroEngine, MicroOp, MicroOptions};
use crate::oracle::Oracle;
use crate::random::Random;
use crate::target::Target;

/// Bytes of a read.
pub(crate) const BLOCK: usize = 4096;

/// Bytes of the file: they stay in the page cache, and close to the CPU.
const HOT: u64 = 1 << 20;

pub(crate) fn run(options: &MicroOptions) -> anyhow::Result<ExitCode> {
    let batch = options.batch;
    let rounds = options.ops.div_ceil(batch as u64);
    match (options.op, options.engine) {
        (MicroOp::Nop, MicroEngine::Uring) => nops(&mut ring(batch, options.defer)?, batch, rounds)?,
        (MicroOp::Nop, MicroEngine::Ring) => {
            ring_nops(&mut whole_ring(batch, options.defer)?, batch, rounds)?
        }
        (MicroOp::Nop, engine) => bail!("{engine:?} has no operation that does nothing"),
        (MicroOp::Read, engine) => {
            let target = match &options.file {
                Some(path) => Target::existing(path, None, BLOCK as u64, false)?,
                None => hot_file(None)?,
            };
            let file = target.file(Mode::Buffered).map_err(|reason| anyhow::anyhow!("{reason}"))?;
            let mut reads = Reads::new(batch, target.size)?;
            match engine {
                MicroEngine::Pread => preads(file, &mut reads, rounds)?,
                MicroEngine::Aio => {
                    let mut queue = Queue { context: AioContext::new(batch)?, file };
                    reads.run(&mut queue, rounds)?;
                }
                MicroEngine::Uring if options.defer => {
                    let mut context = ring(batch, true)?;
                    context.register_files(&[file.as_fd()])?;
                    reads.run(&mut Queue { context, file: Fixed(0) }, rounds)?;
                }
                MicroEngine::Ring if options.defer => {
                    let context = whole_ring(batch, true)?;
                    context.registrar().register_files(&[file.as_fd().into()])?;
                    reads.run(&mut Queue { context, file: Fixed(0) }, rounds)?;
                }
                MicroEngine::Ring => {
                    reads.run(&mut Queue { context: whole_ring(batch, false)?, file }, rounds)?
                }
                MicroEngine::Uring => reads.run(&mut Queue { context: ring(batch, false)?, file }, rounds)?,
                MicroEngine::Engine => {
                    let mut owned = OwnedReads::new(file, batch, target.size)?;
                    if options.anew { owned.run_anew(rounds)? } else { owned.run(rounds)? }
                }
            }
        }
    }
    println!("{} operations", rounds * batch as u64);
    Ok(ExitCode::SUCCESS)
}

/// Makes the small file that reads come from.
pub(crate) fn hot_file(directory: Option<&Path>) -> anyhow::Result<Target> {
    let target = Target::temporary(directory, HOT, BLOCK as u64)?;
    let oracle = Oracle::made(0, BLOCK, HOT / BLOCK as u64);
    let file = target.file(Mode::Buffered).map_err(|reason| anyhow::anyhow!("{reason}"))?;
    oracle.fill_file(file, |_| {})?;
    target.sync()?;
    Ok(target)
}

pub(crate) fn ring(batch: usize, defer: bool) -> Result<URingContext, uring::Error> {
    let builder = URingContext::builder(batch);
    if defer { builder.defer_taskrun().build() } else { builder.build() }
}

pub(crate) fn whole_ring(batch: usize, defer: bool) -> Result<Ring, uring::Error> {
    let builder = Ring::builder(batch);
    if defer { builder.single_issuer().defer_taskrun().build() } else { builder.build() }
}

/// What there is to say if not all of a batch have succeeded; apart, so that the count stays in a register.
#[cold]
#[inline(never)]
fn too_few(good: usize, batch: usize) -> anyhow::Error {
    anyhow!("{good} of {batch} operations succeeded")
}

// Compiled alike wherever it is called from.
#[inline(never)]
pub(crate) fn ring_nops(ring: &mut Ring, batch: usize, rounds: u64) -> anyhow::Result<()> {
    for _ in 0..rounds {
        for index in 0..batch {
            ring.push(Nop::new().user_data(index as u64))?;
        }
        let mut good = 0;
        for completion in ring.wait(batch)? {
            good += usize::from(completion.raw_result() == 0);
        }
        if good != batch {
            return Err(too_few(good, batch));
        }
    }
    Ok(())
}

// Compiled alike wherever it is called from.
#[inline(never)]
pub(crate) fn nops(ring: &mut URingContext, batch: usize, rounds: u64) -> anyhow::Result<()> {
    for _ in 0..rounds {
        for index in 0..batch {
            ring.add_nop(index as u64)?;
        }
        let mut good = 0;
        for (_, result) in ring.wait_nr(batch)? {
            good += usize::from(matches!(result, Ok(0)));
        }
        if good != batch {
            return Err(too_few(good, batch));
        }
    }
    Ok(())
}

/// A context that takes reads of one file; compiled into the loop.
pub(crate) trait ReadQueue {
    type Error: std::error::Error + Send + Sync + 'static;

    /// Adds a read of [`BLOCK`] bytes.
    ///
    /// # Safety
    ///
    /// The block is valid, and nobody else touches it, until [`wait`](Self::wait) has handed out the
    /// completion or the queue has been dropped.
    unsafe fn add(&mut self, block: *mut u8, offset: u64, user_data: u64) -> Result<(), Self::Error>;

    /// Submits, waits for `nr` completions and hands them out.
    fn wait(&mut self, nr: usize) -> Result<impl Iterator<Item = (u64, io::Result<u32>)>, Self::Error>;
}

/// A context and the file that it reads.
#[derive(Debug)]
pub(crate) struct Queue<C, F> {
    pub(crate) context: C,
    pub(crate) file: F,
}

impl<F: AsFd + Copy> ReadQueue for Queue<AioContext, F> {
    type Error = aio::Error;

    #[inline]
    unsafe fn add(&mut self, block: *mut u8, offset: u64, user_data: u64) -> Result<(), Self::Error> {
        // SAFETY: the block is the kernel's until its completion is taken (contract of the trait); the file
        // is open as long as the queue holds it.
        unsafe { self.context.add_read(block, BLOCK, self.file, offset, user_data) }.map(drop)
    }

    #[inline]
    fn wait(&mut self, nr: usize) -> Result<impl Iterator<Item = (u64, io::Result<u32>)>, Self::Error> {
        self.context.wait_nr(nr)
    }
}

impl<F: uring::Target + Copy> ReadQueue for Queue<URingContext, F> {
    type Error = uring::Error;

    #[inline]
    unsafe fn add(&mut self, block: *mut u8, offset: u64, user_data: u64) -> Result<(), Self::Error> {
        // SAFETY: the block is the kernel's until its completion is taken (contract of the trait); the file
        // is open as long as the queue, or the table of registered files, holds it.
        unsafe { self.context.add_read(block, BLOCK, self.file, offset, user_data) }.map(drop)
    }

    #[inline]
    fn wait(&mut self, nr: usize) -> Result<impl Iterator<Item = (u64, io::Result<u32>)>, Self::Error> {
        self.context.wait_nr(nr)
    }
}

impl<F: uring::Target + Copy> ReadQueue for Queue<Ring, F> {
    type Error = uring::Error;

    #[inline]
    unsafe fn add(&mut self, block: *mut u8, offset: u64, user_data: u64) -> Result<(), Self::Error> {
        // SAFETY: as above.
        let read = unsafe { op::rw::Read::new(self.file, block, BLOCK, offset) };
        Ok(self.context.push(read.user_data(user_data))?)
    }

    #[inline]
    fn wait(&mut self, nr: usize) -> Result<impl Iterator<Item = (u64, io::Result<u32>)>, Self::Error> {
        Ok(self.context.wait(nr)?.map(|completion| (completion.user_data(), completion.result())))
    }
}

/// Random reads in batches: the loop that instruction counts and comparisons run.
#[derive(Debug)]
pub(crate) struct Reads {
    memory: Blocks,
    draw: Draw,
}

/// Where a batch's reads go and come from; copied into a loop, to stay in registers. A loop in C knows the fields.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Draw {
    random: Random,
    /// The file has a power of two of blocks, so that a mask draws one.
    mask: u64,
    start: *mut u8,
}

impl Reads {
    /// Reads from the first power of two of blocks of `size` bytes, each read of a batch to a block of its
    /// own.
    pub(crate) fn new(batch: usize, size: u64) -> anyhow::Result<Self> {
        let blocks = size / BLOCK as u64;
        ensure!(blocks > 0, "the file is smaller than one block of {BLOCK} bytes");
        let mut memory = Blocks::new(BLOCK, batch)?;
        let start = memory.pointer(0);
        let draw = Draw { random: Random::new(0), mask: (1 << blocks.ilog2()) - 1, start };
        Ok(Self { memory, draw })
    }

    /// What the next batches do; goes on where the last [`resume`](Self::resume) left off.
    pub(crate) fn draw(&self) -> Draw {
        self.draw.clone()
    }

    /// Notes how far a loop came.
    pub(crate) fn resume(&mut self, draw: Draw) {
        self.draw = draw;
    }

    pub(crate) fn batch(&self) -> usize {
        self.memory.count()
    }

    /// Runs `rounds` batches. The queue is borrowed for as long as it may use the memory: it is empty at the
    /// end, and on an error the caller drops it before this.
    pub(crate) fn run<Q: ReadQueue>(&mut self, queue: &mut Q, rounds: u64) -> anyhow::Result<()> {
        let (mut draw, batch) = (self.draw(), self.batch());
        for _ in 0..rounds {
            for index in 0..batch {
                let (block, offset) = draw.next(index);
                // SAFETY: `block` is one of the `batch` blocks of this size in `memory`, each used by one
                // read of the batch, and the whole batch has completed before the next one begins.
                unsafe { queue.add(block, offset, index as u64) }?;
            }
            let mut good = 0;
            for (_, result) in queue.wait(batch)? {
                good += usize::from(matches!(result, Ok(transferred) if transferred as usize == BLOCK));
            }
            if good != batch {
                return Err(too_few(good, batch));
            }
        }
        self.resume(draw);
        Ok(())
    }
}

impl Draw {
    /// The memory of the batch's read `index`, and the next offset.
    #[inline]
    pub(crate) fn next(&mut self, index: usize) -> (*mut u8, u64) {
        let offset = (self.random.next() & self.mask) * BLOCK as u64;
        (self.start.wrapping_add(index * BLOCK), offset)
    }
}

/// The same reads through the safe engine, which owns file and memory.
#[derive(Debug)]
pub(crate) struct OwnedReads {
    engine: Engine<OwnedRead>,
    spare: Vec<OwnedRead>,
    random: Random,
    mask: u64,
}

type OwnedRead = Read<Arc<File>, Box<[u8; BLOCK]>>;

impl OwnedReads {
    pub(crate) fn new(file: &File, batch: usize, size: u64) -> anyhow::Result<Self> {
        let blocks = size / BLOCK as u64;
        ensure!(blocks > 0, "the file is smaller than one block of {BLOCK} bytes");
        let file = Arc::new(file.try_clone()?);
        let spare = (0..batch).map(|_| Read::new(file.clone(), Box::new([0xa5; BLOCK]), 0)).collect();
        let engine = Options::new(batch).build()?;
        Ok(Self { engine, spare, random: Random::new(0), mask: (1 << blocks.ilog2()) - 1 })
    }

    pub(crate) fn batch(&self) -> usize {
        self.engine.capacity()
    }

    /// Runs `rounds` batches of operations that stay in their places.
    pub(crate) fn run(&mut self, rounds: u64) -> anyhow::Result<()> {
        let (mut random, mask, batch) = (self.random.clone(), self.mask, self.batch());
        while let Some(mut read) = self.spare.pop() {
            read.offset = (random.next() & mask) * BLOCK as u64;
            self.engine.add(read)?;
        }
        for _ in 0..rounds {
            let mut completions = self.engine.wait_nr(batch)?;
            for _ in 0..batch {
                let Some(mut done) = completions.next_done() else { bail!("a read is missing") };
                ensure!(done.result()? == BLOCK, "a short read");
                done.operation().offset = (random.next() & mask) * BLOCK as u64;
                done.add_again()?;
            }
        }
        self.random = random;
        for completion in self.engine.wait_nr(batch)? {
            self.spare.push(completion.operation);
        }
        Ok(())
    }

    /// The same with operations that are moved in and out.
    pub(crate) fn run_anew(&mut self, rounds: u64) -> anyhow::Result<()> {
        let (mut random, mask, batch) = (self.random.clone(), self.mask, self.batch());
        for _ in 0..rounds {
            while let Some(mut read) = self.spare.pop() {
                read.offset = (random.next() & mask) * BLOCK as u64;
                self.engine.add(read)?;
            }
            for completion in self.engine.wait_nr(batch)? {
                ensure!(completion.result? == BLOCK, "a short read");
                self.spare.push(completion.operation);
            }
            ensure!(self.spare.len() == batch, "{} of {batch} reads succeeded", self.spare.len());
        }
        self.random = random;
        Ok(())
    }
}

/// The same reads without a queue.
pub(crate) fn preads(file: &File, reads: &mut Reads, rounds: u64) -> anyhow::Result<()> {
    let (mut draw, batch) = (reads.draw(), reads.batch());
    let fd = file.as_raw_fd();
    for _ in 0..rounds {
        for index in 0..batch {
            let (block, offset) = draw.next(index);
            // SAFETY: `block` is one of the `batch` blocks of this size in `memory`, and nobody else uses it.
            let transferred = unsafe { libc::pread64(fd, block.cast(), BLOCK, offset as libc::off64_t) };
            ensure!(transferred == BLOCK as isize, "pread: {transferred}: {}", io::Error::last_os_error());
        }
    }
    reads.resume(draw);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_runs_the_loop() {
        for (engine, op, defer) in [
            (MicroEngine::Pread, MicroOp::Read, false),
            (MicroEngine::Aio, MicroOp::Read, false),
            (MicroEngine::Uring, MicroOp::Read, false),
            (MicroEngine::Uring, MicroOp::Read, true),
            (MicroEngine::Uring, MicroOp::Nop, false),
            (MicroEngine::Ring, MicroOp::Read, false),
            (MicroEngine::Ring, MicroOp::Nop, true),
            (MicroEngine::Engine, MicroOp::Read, false),
        ] {
            for anew in [false, true] {
                let options = MicroOptions { engine, op, batch: 8, ops: 20, file: None, defer, anew };
                assert_eq!(run(&options).unwrap(), ExitCode::SUCCESS, "{options:?}");
            }
        }
    }

    #[test]
    fn a_nop_needs_an_engine_that_has_one() {
        for engine in [MicroEngine::Pread, MicroEngine::Aio] {
            let options = MicroOptions {
                engine,
                op: MicroOp::Nop,
                batch: 1,
                ops: 1,
                file: None,
                defer: false,
                anew: false,
            };
            assert!(run(&options).is_err(), "{engine:?}");
        }
    }
}
