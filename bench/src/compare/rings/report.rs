//! What a comparison of rings came to.

use std::io::{self, Write};

use comfy_table::CellAlignment;
use serde::Serialize;

use super::liburing;
use super::ring::Setup;
use crate::cli::{MicroOp, RingFlags, RingsOptions};
use crate::compare::peer::Peer;
use crate::compare::slices::{Series, Spread};
use crate::report::{Host, table};
use crate::target::Target;

/// Grows when a key changes its meaning or goes; not when one is added.
const FORMAT: u32 = 1;

const HEADER: [&str; 8] = ["op", "flags", "batch", "ring", "CPU ns/op", "ratio", "min", "max"];

/// One kind of work, and how each ring did it.
#[derive(Debug)]
pub(super) struct Scenario {
    op: MicroOp,
    flags: RingFlags,
    batch: usize,
    rings: Vec<Runs>,
}

/// One figure for each run.
#[derive(Debug)]
struct Runs {
    name: &'static str,
    nanos: Vec<f64>,
    ratios: Vec<f64>,
}

/// All that was found out. Keys of its JSON are stable and carry their unit.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    format: u32,
    host: Host,
    file_system: &'static str,
    liburing_version: &'static str,
    runs: u32,
    rounds: u32,
    slice_ms: u64,
    scenarios: Vec<Summary>,
    /// What could not be measured, and why.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Summary {
    op: MicroOp,
    flags: RingFlags,
    batch: usize,
    /// The first is what the others are compared to, the second the same again.
    rings: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    cpu_ns_per_op: f64,
    ratio: Spread,
}

impl Scenario {
    pub(super) fn new(setup: Setup<'_>, peers: &[Box<dyn Peer + '_>]) -> Self {
        let rings =
            peers.iter().map(|peer| Runs { name: peer.name(), nanos: Vec::new(), ratios: Vec::new() });
        Self { op: setup.op, flags: setup.flags, batch: setup.batch, rings: rings.collect() }
    }

    /// Adds a run: the median of its rounds.
    pub(super) fn add(&mut self, series: &[Series]) {
        for (ring, own) in self.rings.iter_mut().zip(series) {
            ring.nanos.push(Spread::of(own.nanos.clone()).median);
            ring.ratios.push(Spread::of(own.ratios(&series[0])).median);
        }
    }

    fn summary(self) -> Summary {
        let line = |ring: Runs| Line {
            name: ring.name,
            cpu_ns_per_op: Spread::of(ring.nanos).median,
            ratio: Spread::of(ring.ratios),
        };
        let rings = self.rings.into_iter().map(line).collect();
        Summary { op: self.op, flags: self.flags, batch: self.batch, rings }
    }
}

impl Report {
    pub(super) fn new(
        host: Host,
        target: &Target,
        options: &RingsOptions,
        scenarios: Vec<Scenario>,
        notes: Vec<String>,
    ) -> Self {
        Self {
            format: FORMAT,
            host,
            file_system: target.file_system,
            liburing_version: liburing::VERSION,
            runs: options.runs,
            rounds: options.slices.rounds,
            slice_ms: options.slices.slice,
            scenarios: scenarios.into_iter().map(Scenario::summary).collect(),
            notes,
        }
    }

    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, self)?;
        writeln!(out)?;
        Ok(())
    }

    pub(super) fn print_table(&self) {
        println!("{}", self.render());
    }

    fn render(&self) -> String {
        let mut rows = table::plain(&HEADER);
        for (index, summary) in self.scenarios.iter().enumerate() {
            if index > 0 {
                rows.add_row([""; HEADER.len()]);
            }
            for line in &summary.rings {
                rows.add_row([
                    summary.op.name().to_owned(),
                    summary.flags.name().to_owned(),
                    summary.batch.to_string(),
                    line.name.to_owned(),
                    table::number(line.cpu_ns_per_op),
                    format!("{:.3}", line.ratio.median),
                    format!("{:.3}", line.ratio.min),
                    format!("{:.3}", line.ratio.max),
                ]);
            }
        }
        table::align(&mut rows, 2);
        if let Some(ring) = rows.column_mut(3) {
            ring.set_cell_alignment(CellAlignment::Left);
        }
        let mut text = format!(
            "Operations that do nothing, and random reads of 4 KiB from 1 MiB in the page cache ({}), a new ring for each \
             slice;\n{} runs of {} rounds, slices of {} ms; liburing {}; Linux {}\n\n{}\n",
            self.file_system,
            self.runs,
            self.rounds,
            self.slice_ms,
            self.liburing_version,
            self.host.kernel,
            rows.trim_fmt(),
        );
        text.push_str(
            "\nratio: CPU time of the thread to that of liburing in the same round, the median of a run's rounds; median,\n\
             min and max of runs. Ring and URingContext register their ring in any case, and ask for no index array. best: for\n\
             one thread, with deferred work, registered ring and registered file.",
        );
        if self.file_system == "tmpfs" {
            text.push_str(
                "\nReads of tmpfs may be left to workers of the kernel, whose time is not the thread's.",
            );
        }
        for note in &self.notes {
            text.push_str(&format!("\n{note}"));
        }
        text
    }
}

/// What a scenario is called in a sentence.
pub(super) fn name(op: MicroOp, batch: usize, flags: RingFlags) -> String {
    format!("{} {} batch {batch}", op.name(), flags.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Report {
        let series = |name, nanos| Series { name, nanos };
        let ring = |name| Runs { name, nanos: Vec::new(), ratios: Vec::new() };
        let mut scenario = Scenario {
            op: MicroOp::Nop,
            flags: RingFlags::Best,
            batch: 8,
            rings: vec![ring("base"), ring("other")],
        };
        scenario.add(&[series("base", vec![100.0, 10.0, 50.0]), series("other", vec![50.0, 5.0, 100.0])]);
        scenario.add(&[series("base", vec![10.0]), series("other", vec![9.0])]);
        Report {
            format: FORMAT,
            host: Host::here(),
            file_system: "ext4",
            liburing_version: "2.0",
            runs: 2,
            rounds: 3,
            slice_ms: 5,
            scenarios: vec![scenario.summary()],
            notes: vec!["a note".to_owned()],
        }
    }

    #[test]
    fn a_ratio_is_the_median_of_runs_each_of_which_is_the_median_of_its_rounds() {
        let report = example();
        let other = &report.scenarios[0].rings[1];
        assert_eq!(other.ratio, Spread { min: 0.5, median: 0.7, max: 0.9 });
        assert_eq!(other.cpu_ns_per_op, 29.5);
        assert_eq!(report.scenarios[0].rings[0].ratio, Spread { min: 1.0, median: 1.0, max: 1.0 });
    }

    #[test]
    fn keys_are_what_scripts_rely_on() {
        let value = serde_json::to_value(example()).unwrap();
        assert_eq!(value["format"], 1);
        assert_eq!((&value["runs"], &value["rounds"], &value["slice_ms"]), (&2.into(), &3.into(), &5.into()));
        let scenario = &value["scenarios"][0];
        assert_eq!((&scenario["op"], &scenario["flags"]), (&"nop".into(), &"best".into()));
        assert_eq!(scenario["batch"], 8);
        assert_eq!(scenario["rings"][1]["name"], "other");
        assert_eq!(scenario["rings"][1]["ratio"]["max"], 0.9);
    }

    #[test]
    fn the_table_has_each_ring_and_each_note() {
        let text = example().render();
        for part in ["nop", "best", "other", "29.5", "0.700", "liburing 2.0", "a note"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
