//! What a run came to, and the ways to show it.

pub(crate) mod json;
pub(crate) mod plot;
pub(crate) mod table;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::case::Case;
use crate::cli::RunOptions;
use crate::measure::Sample;
use crate::target::Target;

/// How a case ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Measured(Box<Sample>),
    /// Not offered here; the text says why.
    Unavailable(String),
    /// An operation failed, or a byte was wrong.
    Failed(String),
}

/// All that a report needs.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) host: Host,
    pub(crate) target: String,
    pub(crate) file_system: &'static str,
    pub(crate) size: u64,
    pub(crate) block_size: u64,
    pub(crate) seed: u64,
    pub(crate) elapsed: Duration,
    pub(crate) outcomes: Vec<(Case, Outcome)>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Host {
    pub(crate) kernel: String,
    pub(crate) architecture: &'static str,
    pub(crate) cpus: usize,
    /// Before anything was measured.
    pub(crate) load_average_1min: f64,
}

/// The numbers of one measured case.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) iops: f64,
    pub(crate) throughput_mib_per_s: f64,
    pub(crate) cpu_us_per_op: f64,
    pub(crate) system_calls_per_op: f64,
    pub(crate) latency_ns: Latency,
}

/// Points of a latency distribution, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) min: u64,
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p99_9: u64,
    pub(crate) max: u64,
}

impl Host {
    pub(crate) fn here() -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            load_average_1min: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
            kernel: kernel.trim().to_owned(),
            architecture: std::env::consts::ARCH,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Host {
    /// Whether others had so much to do that it shows.
    pub(crate) fn is_loaded(&self) -> bool {
        self.load_average_1min > self.cpus as f64 / 2.0
    }
}

impl Report {
    pub(crate) fn new(
        host: Host,
        options: &RunOptions,
        target: &Target,
        elapsed: Duration,
        outcomes: Vec<(Case, Outcome)>,
    ) -> Self {
        Self {
            host,
            target: target.description.clone(),
            file_system: target.file_system,
            size: target.size,
            block_size: options.block_size,
            seed: options.seed,
            elapsed,
            outcomes,
        }
    }

    pub(crate) fn failed(&self) -> bool {
        self.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
    }

    pub(crate) fn measured(&self) -> impl Iterator<Item = (Case, &Sample)> {
        self.outcomes.iter().filter_map(|(case, outcome)| match outcome {
            Outcome::Measured(sample) => Some((*case, sample.as_ref())),
            Outcome::Unavailable(_) | Outcome::Failed(_) => None,
        })
    }

    pub(crate) fn verified_bytes(&self) -> u64 {
        self.measured().map(|(_, sample)| sample.verified_bytes).sum()
    }
}

impl Figures {
    pub(crate) fn new(sample: &Sample, block_size: u64) -> Self {
        let ops = sample.ops as f64;
        let iops = ops / sample.elapsed.as_secs_f64();
        Self {
            iops,
            throughput_mib_per_s: iops * block_size as f64 / f64::from(1 << 20),
            cpu_us_per_op: sample.cpu.as_secs_f64() * 1e6 / ops,
            system_calls_per_op: sample.system_calls as f64 / ops,
            latency_ns: Latency::of(&sample.latency),
        }
    }
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            min: histogram.min(),
            mean: histogram.mean(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p99_9: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::case::{EngineKind, Mode, Op};

    use super::*;

    /// A report of a made-up run in which each kind of outcome occurs.
    pub(crate) fn example() -> Report {
        let mut latency = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for value in 1..=1000 {
            latency.record(value * 100).unwrap();
        }
        let sample = Sample {
            ops: 1000,
            elapsed: Duration::from_millis(50),
            cpu: Duration::from_millis(2),
            system_calls: 500,
            latency,
            verified_bytes: 4_096_000,
        };
        let case = |engine, depth| Case { op: Op::Read, mode: Mode::Buffered, depth, engine };
        Report {
            host: Host {
                kernel: "6.1.0".to_owned(),
                architecture: "x86_64",
                cpus: 2,
                load_average_1min: 0.1,
            },
            target: "file".to_owned(),
            file_system: "ext4",
            size: 1 << 20,
            block_size: 4096,
            seed: 1,
            elapsed: Duration::from_secs(2),
            outcomes: vec![
                (case(EngineKind::Pread, 1), Outcome::Measured(Box::new(sample.clone()))),
                (case(EngineKind::Aio, 1), Outcome::Failed("wrong content".to_owned())),
                (case(EngineKind::Uring, 1), Outcome::Unavailable("forbidden".to_owned())),
                (case(EngineKind::Aio, 32), Outcome::Measured(Box::new(sample))),
            ],
        }
    }

    #[test]
    fn figures_are_per_operation_and_per_second() {
        let report = example();
        let (_, sample) = report.measured().next().unwrap();
        let figures = Figures::new(sample, report.block_size);
        assert_eq!(figures.iops, 20_000.0);
        assert_eq!(figures.throughput_mib_per_s, 78.125);
        assert_eq!(figures.cpu_us_per_op, 2.0);
        assert_eq!(figures.system_calls_per_op, 0.5);
        let Latency { p50, p99, p99_9, max, .. } = figures.latency_ns;
        for (found, expected) in [(p50, 50_000), (p99, 99_000), (p99_9, 99_900), (max, 100_000)] {
            // Three significant digits are what the histogram keeps.
            assert!(found.abs_diff(expected) <= expected / 1000, "{found} for {expected}");
        }
    }
}
