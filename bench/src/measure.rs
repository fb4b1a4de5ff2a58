//! The measuring loop.
//!
//! A case is a series of bursts. Within a burst the depth is kept up, each operation has a block of memory of
//! its own, and nothing runs but the engine and the clock. Between bursts, off every clock, blocks are
//! checked, drawn and filled.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;

use crate::buffer::Blocks;
use crate::case::Op;
use crate::clock;
use crate::engine::Engine;
use crate::oracle::Oracle;
use crate::random::Random;

/// Longest latency that is told from longer ones: a minute, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// Operations of a burst, where memory and depth allow: many against the slack of filling and emptying the
/// queue.
const BURST: usize = 1024;

/// Memory of a burst's blocks, in bytes, where the depth allows.
const BURST_MEMORY: u64 = 32 << 20;

/// Unmeasured time at the start of a case.
const WARM_UP: Duration = Duration::from_millis(20);

/// What to do, on what, for how long.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) op: Op,
    pub(crate) depth: usize,
    pub(crate) file: &'a File,
    pub(crate) block_size: usize,
    /// Blocks of the target.
    pub(crate) blocks: u64,
    /// Measured time after which the case ends.
    pub(crate) duration: Duration,
    /// Time on the wall after which it ends in any case.
    pub(crate) deadline: Option<Instant>,
    pub(crate) seed: u64,
}

/// What a case came to.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) ops: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
    pub(crate) system_calls: u64,
    /// In nanoseconds, from just before the submitting call to just after the one that brought the
    /// completion.
    pub(crate) latency: Histogram<u64>,
    pub(crate) verified_bytes: u64,
}

impl Sample {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            ops: 0,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
            system_calls: 0,
            latency: Histogram::new_with_bounds(1, LONGEST, 3)?,
            verified_bytes: 0,
        })
    }

    /// Adds another turn of the same case.
    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        let Self { ops, elapsed, cpu, system_calls, latency, verified_bytes } = other;
        self.ops += ops;
        self.elapsed += *elapsed;
        self.cpu += *cpu;
        self.system_calls += system_calls;
        self.verified_bytes += verified_bytes;
        self.latency.add(latency)?;
        Ok(())
    }
}

/// One burst: its operations by index.
#[derive(Debug)]
struct Burst {
    offsets: Vec<u64>,
    submitted: Vec<Duration>,
    completed: Vec<Option<Completed>>,
    issued: usize,
    elapsed: Duration,
    cpu: Duration,
    system_calls: u64,
}

#[derive(Debug)]
struct Completed {
    at: Duration,
    result: io::Result<u32>,
}

/// Measures one case; `progress` is told the measured time so far.
///
/// `blocks` is the memory for [`burst_size`] operations. It is the caller's, so that it outlives the engine.
pub(crate) fn measure(
    engine: &mut impl Engine,
    task: &Task<'_>,
    blocks: &mut Blocks,
    oracle: &mut Oracle,
    mut progress: impl FnMut(Duration),
) -> anyhow::Result<Sample> {
    let mut random = Random::new(task.seed);
    let mut sample = Sample::new()?;
    let mut burst = Burst::new(blocks.count());
    let mut warm = false;
    loop {
        burst.draw(task, &mut random);
        if task.op == Op::Write {
            for (index, offset) in burst.offsets.iter().enumerate() {
                oracle.prepare(blocks.get_mut(index), *offset)?;
            }
        }
        let time = if warm { task.duration.saturating_sub(sample.elapsed) } else { WARM_UP };
        burst.run(engine, task, blocks, time)?;
        sample.verified_bytes += burst.check(task, blocks, oracle)?;
        if warm {
            burst.add_to(&mut sample);
            progress(sample.elapsed);
        }
        warm = true;
        let late = task.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if sample.elapsed >= task.duration || late && sample.ops > 0 {
            return Ok(sample);
        }
    }
}

/// Operations of one burst of a task.
pub(crate) fn burst_size(block_size: usize, depth: usize, blocks: u64) -> usize {
    let memory = (BURST_MEMORY / block_size as u64).max(1);
    // Operations on a block must not overlap each other, so a small file bounds the burst.
    (BURST.max(32 * depth) as u64).min(memory).max(depth as u64).min(blocks) as usize
}

impl Burst {
    fn new(size: usize) -> Self {
        Self {
            offsets: Vec::with_capacity(size),
            submitted: vec![Duration::ZERO; size],
            completed: (0..size).map(|_| None).collect(),
            issued: 0,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
            system_calls: 0,
        }
    }

    /// Draws random blocks; those to be written are different ones, as two writes to one block may land in
    /// any order.
    fn draw(&mut self, task: &Task<'_>, random: &mut Random) {
        let size = self.submitted.len();
        self.offsets.clear();
        let mut taken = HashSet::new();
        while self.offsets.len() < size {
            let mut block = random.below(task.blocks);
            if task.op == Op::Write {
                while !taken.insert(block) {
                    block = (block + 1) % task.blocks;
                }
            }
            self.offsets.push(block * task.block_size as u64);
        }
    }

    fn run(
        &mut self,
        engine: &mut impl Engine,
        task: &Task<'_>,
        blocks: &mut Blocks,
        time: Duration,
    ) -> anyhow::Result<()> {
        let Self { offsets, submitted, completed, .. } = self;
        completed.fill_with(|| None);
        let (mut last, mut issued, mut done) = (offsets.len(), 0, 0);
        let mut strange = None;
        let (calls, cpu, start) = (engine.system_calls(), clock::process_cpu(), Instant::now());
        while done < last {
            let first = issued;
            while issued < last && issued - done < task.depth {
                let block = blocks.pointer(issued);
                // SAFETY: the block is `block_size` bytes long and belongs to this operation alone until the
                // burst has been run, which waits for every completion; the caller drops the engine before
                // the memory.
                let queued =
                    unsafe { engine.queue(task.op, block, task.block_size, offsets[issued], issued as u64) };
                queued.context("queueing an operation")?;
                issued += 1;
            }
            submitted[first..issued].fill(start.elapsed());
            let (before, mut now) = (done, None);
            let waited = engine.wait(|index, result| {
                let at = *now.get_or_insert_with(|| start.elapsed());
                match completed.get_mut(index as usize) {
                    Some(slot @ None) if (index as usize) < issued => *slot = Some(Completed { at, result }),
                    _ => strange = Some(index),
                }
                done += 1;
            });
            waited.context("waiting for completions")?;
            ensure!(done > before, "no completion came although {} operations are in flight", issued - done);
            if now.is_some_and(|now| now >= time) {
                last = issued;
            }
        }
        self.elapsed = start.elapsed();
        self.cpu = clock::process_cpu().saturating_sub(cpu);
        self.system_calls = engine.system_calls() - calls;
        self.issued = issued;
        if let Some(index) = strange {
            bail!("a completion came twice or for nothing: {index}");
        }
        Ok(())
    }

    /// Checks every result and every byte; returns the number of bytes that were read and are right.
    fn check(&mut self, task: &Task<'_>, blocks: &mut Blocks, oracle: &mut Oracle) -> anyhow::Result<u64> {
        let operations = self.offsets.iter().zip(&mut self.completed).take(self.issued).enumerate();
        let mut bytes = 0;
        for (index, (&offset, completed)) in operations {
            let op = task.op.name();
            match completed.as_mut().map(|completed| &mut completed.result) {
                Some(Ok(transferred)) if *transferred as usize == task.block_size => {}
                Some(Ok(short)) => {
                    bail!("{op} of {} bytes at byte {offset}: only {short} done", task.block_size)
                }
                Some(Err(error)) => {
                    let error = std::mem::replace(error, io::ErrorKind::Other.into());
                    return Err(error).with_context(|| format!("{op} at byte {offset}"));
                }
                None => bail!("{op} at byte {offset}: no completion came"),
            }
            match task.op {
                Op::Read => {
                    oracle.check(task.file, blocks.get(index), offset)?;
                    bytes += task.block_size as u64;
                }
                Op::Write => oracle.written(offset),
            }
        }
        Ok(bytes)
    }

    fn add_to(&self, sample: &mut Sample) {
        sample.ops += self.issued as u64;
        sample.elapsed += self.elapsed;
        sample.cpu += self.cpu;
        sample.system_calls += self.system_calls;
        for (submitted, completed) in self.submitted.iter().zip(self.completed.iter().flatten()) {
            let latency = completed.at.saturating_sub(*submitted).as_nanos();
            sample.latency.saturating_record(u64::try_from(latency).unwrap_or(LONGEST).max(1));
        }
    }
}
