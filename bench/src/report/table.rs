//! The table for people.

use comfy_table::{CellAlignment, Table, presets};

use super::{Figures, Outcome, Report};
use crate::case::Case;

const HEADER: [&str; 11] = [
    "op",
    "mode",
    "depth",
    "engine",
    "IOPS",
    "MiB/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "CPU µs/op",
    "syscalls/op",
];

/// Columns that hold words, from the left.
const WORDS: usize = 2;

pub(crate) fn print(report: &Report) {
    println!("{}", render(report));
}

fn render(report: &Report) -> String {
    let mut notes: Vec<&str> = Vec::new();
    let mut table = plain(&HEADER);
    for (index, (case, outcome)) in report.outcomes.iter().enumerate() {
        let previous = index.checked_sub(1).map(|index| report.outcomes[index].0);
        let group = |case: Case| (case.op, case.mode);
        if previous.is_some_and(|previous| group(previous) != group(*case)) {
            table.add_row([""; HEADER.len()]);
        }
        table.add_row(row(case, outcome, report.block_size, &mut notes));
    }
    align(&mut table, WORDS);
    if let Some(engine) = table.column_mut(3) {
        engine.set_cell_alignment(CellAlignment::Left);
    }
    let mut text = headline(report);
    text.push_str("\n\n");
    text.push_str(&table.trim_fmt());
    text.push('\n');
    for (index, note) in notes.iter().enumerate() {
        text.push_str(&format!("\n[{}] {note}", index + 1));
    }
    if report.file_system == "tmpfs" {
        text.push_str("\nThere is no disk below tmpfs: what is direct elsewhere is memory here, too.");
    }
    if report.host.is_loaded() {
        let load = report.host.load_average_1min;
        text.push_str(&format!(
            "\nThe load average was {load} at the start: IOPS and latencies suffer, CPU time hardly does."
        ));
    }
    text.push_str(&format!(
        "\nRead and written content verified: {}, in {:.1} s. Latency is from the submitting call to the end of\n\
         the waiting one; CPU time is the process's, with the kernel's workers for it. pread has a depth of 1.",
        bytes(report.verified_bytes()),
        report.elapsed.as_secs_f64(),
    ));
    text
}

fn headline(report: &Report) -> String {
    format!(
        "{} ({}, {}), random blocks of {}; Linux {}, {} CPUs",
        report.target,
        report.file_system,
        bytes(report.size),
        bytes(report.block_size),
        report.host.kernel,
        report.host.cpus,
    )
}

fn row<'a>(case: &Case, outcome: &'a Outcome, block_size: u64, notes: &mut Vec<&'a str>) -> Vec<String> {
    let mut row = vec![
        case.op.name().to_owned(),
        case.mode.name().to_owned(),
        case.depth.to_string(),
        case.engine.call(case.op).to_owned(),
    ];
    match outcome {
        Outcome::Measured(sample) => {
            let Figures { iops, throughput_mib_per_s, cpu_us_per_op, system_calls_per_op, latency_ns } =
                Figures::new(sample, block_size);
            let micros = |nanos: u64| number(nanos as f64 / 1e3);
            row.extend([
                number(iops),
                number(throughput_mib_per_s),
                micros(latency_ns.p50),
                micros(latency_ns.p99),
                micros(latency_ns.p99_9),
                number(cpu_us_per_op),
                format!("{system_calls_per_op:.3}"),
            ]);
        }
        Outcome::Unavailable(reason) => row.push(format!("n/a {}", mark(reason, notes))),
        Outcome::Failed(reason) => row.push(format!("FAILED {}", mark(reason, notes))),
    }
    row.resize(HEADER.len(), String::new());
    row
}

/// The mark of a note, which cases with the same reason share.
fn mark<'a>(reason: &'a str, notes: &mut Vec<&'a str>) -> String {
    let index = notes.iter().position(|note| *note == reason).unwrap_or_else(|| {
        notes.push(reason);
        notes.len() - 1
    });
    format!("[{}]", index + 1)
}

/// A table without lines.
pub(crate) fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

/// Aligns numbers to the right, and the first `words` columns to the left.
pub(crate) fn align(table: &mut Table, words: usize) {
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A number to three digits or to whole ones, with its thousands apart.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// A size in the largest unit that it fills, whole or to two digits.
pub(crate) fn bytes(size: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| size >= 1 << shift) {
        Some((shift, unit)) if size.is_multiple_of(1 << shift) => format!("{} {unit}", size >> shift),
        Some((shift, unit)) => format!("{:.2} {unit}", size as f64 / (1_u64 << shift) as f64),
        None => format!("{size} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        for (value, text) in [
            (0.5, "0.50"),
            (9.996, "10.0"),
            (99.96, "100"),
            (1234.5, "1 234"),
            (1_234_567.0, "1 234 567"),
            (123_456.0, "123 456"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn sizes_have_the_unit_that_suits() {
        assert_eq!(bytes(4096), "4 KiB");
        assert_eq!(bytes(1000), "1000 bytes");
        assert_eq!(bytes(256 << 20), "256 MiB");
        assert_eq!(bytes(1 << 30), "1 GiB");
        assert_eq!(bytes((1 << 30) + (1 << 29)), "1.50 GiB");
        assert_eq!(bytes(9_999_600), "9.54 MiB");
    }

    #[test]
    fn a_case_that_was_not_measured_says_why() {
        let text = render(&super::super::tests::example());
        assert!(text.contains("FAILED [1]") && text.contains("[1] wrong content"), "{text}");
        assert!(text.contains("n/a [2]") && text.contains("[2] forbidden"), "{text}");
        assert!(text.contains("20 000"), "{text}");
    }

    #[test]
    fn lines_of_the_table_are_equally_wide() {
        let text = render(&super::super::tests::example());
        let widths: Vec<_> = text
            .lines()
            .skip(2)
            .take_while(|line| !line.is_empty())
            .map(|line| line.chars().count())
            .collect();
        assert!(widths.len() > 4 && widths.iter().all(|width| *width <= widths[0]), "{text}");
    }
}
