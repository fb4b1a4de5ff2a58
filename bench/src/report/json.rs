//! The machine-readable form: keys are stable and carry their unit.

use std::io::{self, Write};

use serde::Serialize;

use super::{Figures, Host, Outcome, Report};
use crate::case::Case;

/// Grows when a key changes its meaning or goes; not when one is added.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize)]
struct Document<'a> {
    format: u32,
    host: &'a Host,
    target: &'a str,
    file_system: &'a str,
    size_bytes: u64,
    block_size_bytes: u64,
    seed: u64,
    elapsed_s: f64,
    cases: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    case: Case,
    #[serde(flatten)]
    outcome: Ending<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Ending<'a> {
    Measured {
        ops: u64,
        elapsed_s: f64,
        verified_bytes: u64,
        #[serde(flatten)]
        figures: Figures,
    },
    Unavailable {
        reason: &'a str,
    },
    Failed {
        reason: &'a str,
    },
}

pub(crate) fn print(report: &Report) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &document(report))?;
    writeln!(out)?;
    Ok(())
}

fn document(report: &Report) -> Document<'_> {
    Document {
        format: FORMAT,
        host: &report.host,
        target: &report.target,
        file_system: report.file_system,
        size_bytes: report.size,
        block_size_bytes: report.block_size,
        seed: report.seed,
        elapsed_s: report.elapsed.as_secs_f64(),
        cases: report
            .outcomes
            .iter()
            .map(|(case, outcome)| line(*case, outcome, report.block_size))
            .collect(),
    }
}

fn line(case: Case, outcome: &Outcome, block_size: u64) -> Line<'_> {
    let outcome = match outcome {
        Outcome::Measured(sample) => Ending::Measured {
            ops: sample.ops,
            elapsed_s: sample.elapsed.as_secs_f64(),
            verified_bytes: sample.verified_bytes,
            figures: Figures::new(sample, block_size),
        },
        Outcome::Unavailable(reason) => Ending::Unavailable { reason },
        Outcome::Failed(reason) => Ending::Failed { reason },
    };
    Line { case, outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_scripts_rely_on() {
        let report = super::super::tests::example();
        let value = serde_json::to_value(document(&report)).unwrap();
        assert_eq!(value["format"], 1);
        assert_eq!(value["block_size_bytes"], 4096);
        assert_eq!(value["host"]["cpus"], 2);
        let case = &value["cases"][0];
        assert_eq!((&case["op"], &case["mode"]), (&"read".into(), &"buffered".into()));
        assert_eq!((&case["engine"], &case["depth"]), (&"pread".into(), &1.into()));
        assert_eq!(case["status"], "measured");
        assert_eq!(case["iops"], 20_000.0);
        assert_eq!(case["system_calls_per_op"], 0.5);
        assert_eq!(case["verified_bytes"], 4_096_000);
        assert!(case["latency_ns"]["p99_9"].is_u64());
        assert_eq!(value["cases"][1]["status"], "failed");
        assert_eq!(value["cases"][2]["reason"], "forbidden");
    }
}
