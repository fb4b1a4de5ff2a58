//! The default command: prepare a target, measure each case on it, report.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::buffer::Blocks;
use crate::case::{Case, EngineKind, Mode, Op, plan};
use crate::cli::RunOptions;
use crate::engine::aio::Aio;
use crate::engine::owned::Owned;
use crate::engine::pread::Pread;
use crate::engine::uring::Uring;
use crate::measure::{self, Sample, Task, burst_size};
use crate::oracle::Oracle;
use crate::report::{self, Host, Outcome, Report};
use crate::target::Target;

/// Size of the file that is made where none is given.
const TEMPORARY_SIZE: u64 = 256 << 20;

/// Measured time of a case, if none is asked for.
const USUAL_DURATION: Duration = Duration::from_secs(1);

/// Progress of one turn.
const TURN_UNITS: u64 = 1000;

/// All that a run without `--duration` may take: less than the minute that is promised.
const BUDGET: Duration = Duration::from_secs(50);

pub(crate) fn run(options: &RunOptions) -> anyhow::Result<ExitCode> {
    let (start, host) = (Instant::now(), Host::here());
    ensure!(
        options.block_size.is_multiple_of(8) && options.block_size <= 1 << 30,
        "--block-size: a multiple of 8, at most 1 GiB"
    );
    let writing = options.target.is_none() || options.write;
    let ops = match options.op.as_slice() {
        [] if writing => vec![Op::Read, Op::Write],
        [] => vec![Op::Read],
        ops => ops.to_vec(),
    };
    ensure!(
        writing || !ops.contains(&Op::Write),
        "--op write destroys what the target holds: say --write, too"
    );
    let target = match &options.target {
        None => {
            let size = options.size.unwrap_or(TEMPORARY_SIZE);
            Target::temporary(options.dir.as_deref(), size, options.block_size)?
        }
        Some(path) => Target::existing(path, options.size, options.block_size, options.write)?,
    };
    let cases = plan(&ops, &options.mode, &options.depth, &options.engine);
    ensure!(!cases.is_empty(), "nothing to measure");
    // A chart that cannot be written is better known before the run than after it.
    let chart =
        options.plot.as_deref().map(|path| File::create(path).with_context(|| path.display().to_string()));
    let chart = chart.transpose()?;
    let mut session = Session::new(options, &target, start)?;
    session.prepare()?;
    let outcomes = session.measure_all(&cases)?;
    let report = Report::new(host, options, &target, start.elapsed(), outcomes);
    if options.json {
        report::json::print(&report)?;
    } else {
        report::table::print(&report);
    }
    if let Some(mut chart) = chart {
        chart.write_all(report::plot::svg(&report)?.as_bytes()).context("writing the chart")?;
    }
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn oracle(options: &RunOptions, target: &Target) -> anyhow::Result<Oracle> {
    let block_size = options.block_size as usize;
    if target.writable {
        Ok(Oracle::made(options.seed, block_size, target.size / options.block_size))
    } else {
        Oracle::reread(block_size)
    }
}

/// Parts that a case is measured in. Writes have fewer: each is followed by a look at the whole target.
fn turns(op: Op) -> u32 {
    match op {
        Op::Read => 4,
        Op::Write => 2,
    }
}

/// The order of turns, by index of their cases, which are sorted.
fn schedule(cases: &[Case]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut start = 0;
    for group in cases.chunk_by(|a, b| (a.op, a.mode) == (b.op, b.mode)) {
        for _ in 0..turns(group[0].op) {
            order.extend(start..start + group.len());
        }
        start += group.len();
    }
    order
}

/// The state that cases share.
#[derive(Debug)]
struct Session<'a> {
    options: &'a RunOptions,
    target: &'a Target,
    oracle: Oracle,
    bar: ProgressBar,
    start: Instant,
    /// Longest time that checking a written target took so far.
    check_time: Duration,
}

impl<'a> Session<'a> {
    fn new(options: &'a RunOptions, target: &'a Target, start: Instant) -> anyhow::Result<Self> {
        let oracle = oracle(options, target)?;
        let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {elapsed:>3}  {wide_msg}")?;
        // Drawn on standard error, and only if that is a terminal.
        let bar = ProgressBar::new(1).with_style(style);
        Ok(Self { options, target, oracle, bar, start, check_time: Duration::ZERO })
    }

    /// Gives the target the content that the oracle knows, and leaves it in the page cache and on the device.
    fn prepare(&mut self) -> anyhow::Result<()> {
        if !self.target.writable {
            return Ok(());
        }
        self.begin("filling the file", self.target.size);
        let file = self.buffered()?;
        self.oracle.fill_file(file, |done| self.bar.set_position(done)).context("filling the target")?;
        self.target.sync().context("filling the target")
    }

    fn buffered(&self) -> anyhow::Result<&'a File> {
        self.target.file(Mode::Buffered).map_err(|reason| anyhow::anyhow!("{reason}"))
    }

    fn begin(&self, message: &str, length: u64) {
        self.bar.set_message(message.to_owned());
        self.bar.set_length(length);
        self.bar.set_position(0);
    }

    /// Measures each case in several turns, those of one operation and mode taking turns with each other:
    /// what else the machine does then hits all of them, and each turn has a fresh context.
    fn measure_all(&mut self, cases: &[Case]) -> anyhow::Result<Vec<(Case, Outcome)>> {
        let turns = schedule(cases);
        let mut outcomes: Vec<Option<Outcome>> = cases.iter().map(|_| None).collect();
        self.bar.set_length(turns.len() as u64 * TURN_UNITS);
        for (number, &index) in turns.iter().enumerate() {
            let case = cases[index];
            if matches!(outcomes[index], Some(Outcome::Unavailable(_) | Outcome::Failed(_))) {
                continue;
            }
            self.bar.set_position(number as u64 * TURN_UNITS);
            let to_do: Vec<_> = turns[number..].iter().map(|&index| cases[index]).collect();
            let outcome = self.measure_one(&case, number as u64, &to_do);
            if matches!(outcome, Outcome::Failed(_)) && case.op == Op::Write {
                // Nobody knows now what the target holds; the other cases shall not suffer for it.
                self.oracle = oracle(self.options, self.target)?;
                self.prepare()?;
                self.bar.set_length(turns.len() as u64 * TURN_UNITS);
            }
            outcomes[index] = Some(match (outcomes[index].take(), outcome) {
                (Some(Outcome::Measured(mut before)), Outcome::Measured(sample)) => {
                    before.add(&sample)?;
                    Outcome::Measured(before)
                }
                (_, outcome) => outcome,
            });
        }
        self.bar.finish_and_clear();
        Ok(cases.iter().zip(outcomes).filter_map(|(case, outcome)| Some((*case, outcome?))).collect())
    }

    fn measure_one(&mut self, case: &Case, turn: u64, to_do: &[Case]) -> Outcome {
        let file = match self.target.file(case.mode) {
            Ok(file) => file,
            Err(reason) => return Outcome::Unavailable(reason.to_owned()),
        };
        let (duration, deadline) = self.time(to_do);
        self.bar.set_message(case.to_string());
        let blocks = self.target.size / self.options.block_size;
        let block_size = self.options.block_size as usize;
        let task = Task {
            op: case.op,
            depth: case.depth,
            file,
            block_size,
            blocks,
            duration,
            deadline,
            seed: self.options.seed.wrapping_add(turn),
        };
        // Declared before the engine: the engine is dropped first, and waits until the kernel is done with
        // the memory.
        let mut memory = match Blocks::new(block_size, burst_size(block_size, case.depth, blocks)) {
            Ok(memory) => memory,
            Err(error) => return Outcome::Failed(format!("{error:#}")),
        };
        let bar = &self.bar;
        let units = TURN_UNITS as f64 / duration.as_secs_f64();
        let progress = |done: Duration| {
            bar.set_position(turn * TURN_UNITS + (done.as_secs_f64() * units).min(TURN_UNITS as f64) as u64);
        };
        let oracle = &mut self.oracle;
        let sample = match case.engine {
            EngineKind::Pread => {
                measure::measure(&mut Pread::new(file), &task, &mut memory, oracle, progress)
            }
            EngineKind::Aio => match Aio::new(file, case.depth) {
                Ok(mut engine) => measure::measure(&mut engine, &task, &mut memory, oracle, progress),
                Err(error) => return Outcome::Unavailable(error.to_string()),
            },
            EngineKind::Uring => match Uring::new(file, case.depth) {
                Ok(mut engine) => measure::measure(&mut engine, &task, &mut memory, oracle, progress),
                Err(error) => return Outcome::Unavailable(error.to_string()),
            },
            EngineKind::Engine => match Owned::new(file, case.depth) {
                Ok(mut engine) => measure::measure(&mut engine, &task, &mut memory, oracle, progress),
                Err(error) => return Outcome::Unavailable(error.to_string()),
            },
        };
        match sample.and_then(|sample| self.check_written(case, sample)) {
            Ok(sample) => Outcome::Measured(Box::new(sample)),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        }
    }

    /// Reads back what a writing case left, every byte of the target.
    fn check_written(&mut self, case: &Case, mut sample: Sample) -> anyhow::Result<Sample> {
        if case.op == Op::Read {
            return Ok(sample);
        }
        let start = Instant::now();
        self.bar.set_message(format!("reading back: {case}"));
        self.target.sync().context("syncing what was written")?;
        let file = self.target.closest_to_the_medium();
        // Drawn now and then, as nothing else moves the bar.
        let bytes = self.oracle.check_file(file, |_| self.bar.tick()).context("reading back")?;
        sample.verified_bytes += bytes;
        self.check_time = self.check_time.max(start.elapsed());
        Ok(sample)
    }

    /// Measured time of the next turn, and when it must end if the budget is to hold for all turns that are
    /// `to_do`.
    fn time(&self, to_do: &[Case]) -> (Duration, Option<Instant>) {
        let share_of_case = turns(to_do[0].op);
        if let Some(duration) = self.options.duration {
            return (duration / share_of_case, None);
        }
        let writes = to_do.iter().filter(|case| case.op == Op::Write).count();
        let left =
            BUDGET.saturating_sub(self.start.elapsed()).saturating_sub(self.check_time * writes as u32);
        let share = left / to_do.len() as u32;
        ((USUAL_DURATION / share_of_case).min(share), Some(Instant::now() + share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_of_an_operation_and_mode_take_turns() {
        let cases =
            plan(&[Op::Read, Op::Write], &[Mode::Direct], &[1], &[EngineKind::Pread, EngineKind::Aio]);
        assert_eq!(schedule(&cases), [0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3]);
    }
}
