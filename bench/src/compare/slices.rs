//! Slices of a few milliseconds, one for each peer in each round.

use std::time::Duration;

use anyhow::Context;
use comfy_table::Table;
use serde::Serialize;

use super::peer::Peer;
use crate::cli::SliceOptions;
use crate::random::Random;
use crate::report::table;

/// Columns of [`add_rows`].
pub(crate) const HEADER: [&str; 6] = ["depth", "peer", "CPU ns/op", "ratio", "min", "max"];

/// A peer's CPU time per operation, one figure a round.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) nanos: Vec<f64>,
}

/// Reads a clock of CPU time.
pub(crate) type Clock = fn() -> Duration;

/// Adds a row for each peer; the first one is what the others are compared to.
pub(crate) fn add_rows(rows: &mut Table, depth: usize, series: &[Series]) {
    for entry in series {
        let ratios = Spread::of(entry.ratios(&series[0]));
        let nanos = Spread::of(entry.nanos.clone()).median;
        rows.add_row([
            depth.to_string(),
            entry.name.to_owned(),
            table::number(nanos),
            format!("{:.3}", ratios.median),
            format!("{:.3}", ratios.min),
            format!("{:.3}", ratios.max),
        ]);
    }
}

/// Gives each peer one slice a round.
pub(crate) fn alternate(
    peers: &mut [Box<dyn Peer + '_>],
    options: &SliceOptions,
    clock: Clock,
) -> anyhow::Result<Vec<Series>> {
    let batches = calibrate(peers[0].as_mut(), options.slice(), clock)?;
    let mut series: Vec<_> =
        peers.iter().map(|peer| Series { name: peer.name(), nanos: Vec::new() }).collect();
    let mut order: Vec<_> = (0..peers.len()).collect();
    let mut random = Random::new(u64::from(std::process::id()) ^ clock().as_nanos() as u64);
    // The first round warms up caches and branch predictors, and is nobody's.
    for round in 0..=options.rounds {
        random.shuffle(&mut order);
        for &index in &order {
            let nanos = slice_nanos(peers[index].as_mut(), batches, clock)?;
            if round > 0 {
                series[index].nanos.push(nanos);
            }
        }
    }
    Ok(series)
}

/// Batches that take about one slice.
fn calibrate(peer: &mut dyn Peer, slice: Duration, clock: Clock) -> anyhow::Result<u64> {
    let mut batches = 1;
    loop {
        let per_op = slice_nanos(peer, batches, clock)?;
        let taken = per_op * (batches * peer.batch() as u64) as f64;
        if taken >= slice.as_nanos() as f64 / 2.0 {
            return Ok(((batches as f64 * slice.as_nanos() as f64 / taken) as u64).max(1));
        }
        batches *= 2;
    }
}

/// Runs one slice; returns the CPU time of one operation.
fn slice_nanos(peer: &mut dyn Peer, batches: u64, clock: Clock) -> anyhow::Result<f64> {
    peer.renew().with_context(|| peer.name())?;
    let start = clock();
    peer.run(batches).with_context(|| peer.name())?;
    let spent = clock().saturating_sub(start);
    Ok(spent.as_nanos() as f64 / (batches * peer.batch() as u64) as f64)
}

impl Series {
    /// This peer's time by the baseline's, round by round.
    pub(crate) fn ratios(&self, baseline: &Self) -> Vec<f64> {
        self.nanos.iter().zip(&baseline.nanos).map(|(own, base)| own / base).collect()
    }
}

/// What a list of figures comes to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one figure.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Self { min: figures[0], median, max: figures[figures.len() - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_an_odd_and_of_an_even_count() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let series = |nanos| Series { name: "", nanos };
        assert_eq!(series(vec![1.0, 30.0]).ratios(&series(vec![2.0, 60.0])), [0.5, 0.5]);
    }
}
