//! Peers side by side in one process.
//!
//! All peers do the same reads of the same small file. A round gives each of them one slice of a few
//! milliseconds, in random order; what counts is the ratio of thread CPU time within a round, of which the
//! median over all rounds is shown. Whatever moves the machine's speed moves both sides of a ratio. The
//! baseline runs twice: how far the second one is from 1 says what the other ratios are worth.

mod libaio;
mod peer;

use std::process::ExitCode;
use std::time::Duration;

use aio::AioContext;
use uring::URingContext;

use self::libaio::Libaio;
use self::peer::{Context, Peer, Sync};
use crate::case::Mode;
use crate::cli::CompareOptions;
use crate::clock;
use crate::micro;
use crate::random::Random;
use crate::report::{Host, table};
use crate::target::Target;

const HEADER: [&str; 6] = ["depth", "peer", "CPU ns/op", "ratio", "min", "max"];

/// A peer's CPU time per operation, one figure a round.
#[derive(Debug)]
struct Series {
    name: &'static str,
    nanos: Vec<f64>,
}

pub(crate) fn run(options: &CompareOptions) -> anyhow::Result<ExitCode> {
    let target = micro::hot_file(options.dir.as_deref())?;
    let mut notes = Vec::new();
    let mut rows = table::plain(&HEADER);
    for (index, &depth) in options.depth.iter().enumerate() {
        if index > 0 {
            rows.add_row([""; HEADER.len()]);
        }
        let mut peers = peers(&target, depth, &mut notes)?;
        let series = alternate(&mut peers, options.rounds, Duration::from_millis(options.slice))?;
        for entry in &series {
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
    table::align(&mut rows, 2);
    println!(
        "Random reads of 4 KiB from 1 MiB in the page cache ({}); {} rounds, slices of {} ms; Linux {}\n",
        target.file_system,
        options.rounds,
        options.slice,
        Host::here().kernel,
    );
    println!("{}", rows.trim_fmt());
    println!(
        "\nratio: CPU time of the thread to that of {} in the same round; median, min and max of rounds.",
        libaio::NAME
    );
    for note in notes {
        println!("{note}");
    }
    Ok(ExitCode::SUCCESS)
}

/// All that can be had here, the baseline first and again as the control.
fn peers<'a>(
    target: &'a Target,
    depth: usize,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<Box<dyn Peer + 'a>>> {
    let file = target.file(Mode::Buffered).map_err(|reason| anyhow::anyhow!("{reason}"))?;
    let size = target.size;
    let aio = |force| AioContext::builder(depth).force_syscall(force).build();
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(Libaio::new(libaio::NAME, file, depth, size)?),
        Box::new(Libaio::new("libaio again (control)", file, depth, size)?),
        Box::new(Context::new("AioContext", aio(false)?, file, depth, size)?),
        Box::new(Context::new("AioContext, reaping by system call", aio(true)?, file, depth, size)?),
        Box::new(Sync::new("pread", file, depth, size)?),
    ];
    match URingContext::new(depth) {
        Ok(context) => peers.push(Box::new(Context::new("URingContext", context, file, depth, size)?)),
        Err(error) if notes.is_empty() => notes.push(format!("URingContext is not there: {error}")),
        Err(_) => {}
    }
    Ok(peers)
}

/// Gives each peer one slice a round.
fn alternate(peers: &mut [Box<dyn Peer + '_>], rounds: u32, slice: Duration) -> anyhow::Result<Vec<Series>> {
    let batches = calibrate(peers[0].as_mut(), slice)?;
    let mut series: Vec<_> =
        peers.iter().map(|peer| Series { name: peer.name(), nanos: Vec::new() }).collect();
    let mut order: Vec<_> = (0..peers.len()).collect();
    let mut random = Random::new(u64::from(std::process::id()));
    // The first round warms up caches and branch predictors, and is nobody's.
    for round in 0..=rounds {
        random.shuffle(&mut order);
        for &index in &order {
            let nanos = slice_nanos(peers[index].as_mut(), batches)?;
            if round > 0 {
                series[index].nanos.push(nanos);
            }
        }
    }
    Ok(series)
}

/// Batches that take about one slice.
fn calibrate(peer: &mut dyn Peer, slice: Duration) -> anyhow::Result<u64> {
    let mut batches = 1;
    loop {
        let per_op = slice_nanos(peer, batches)?;
        let taken = per_op * (batches * peer.batch() as u64) as f64;
        if taken >= slice.as_nanos() as f64 / 2.0 {
            return Ok(((batches as f64 * slice.as_nanos() as f64 / taken) as u64).max(1));
        }
        batches *= 2;
    }
}

/// Runs one slice; returns the thread's CPU time of one operation.
fn slice_nanos(peer: &mut dyn Peer, batches: u64) -> anyhow::Result<f64> {
    let start = clock::thread_cpu();
    peer.run(batches)?;
    let spent = clock::thread_cpu().saturating_sub(start);
    Ok(spent.as_nanos() as f64 / (batches * peer.batch() as u64) as f64)
}

impl Series {
    /// This peer's time by the baseline's, round by round.
    fn ratios(&self, baseline: &Self) -> Vec<f64> {
        self.nanos.iter().zip(&baseline.nanos).map(|(own, base)| own / base).collect()
    }
}

/// What a list of figures comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    /// Of at least one figure.
    fn of(mut figures: Vec<f64>) -> Self {
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

    #[test]
    fn every_peer_has_one_figure_a_round() {
        let target = micro::hot_file(None).unwrap();
        let file = target.file(Mode::Buffered).unwrap();
        let mut peers: Vec<Box<dyn Peer>> = vec![
            Box::new(Sync::new("pread", file, 2, target.size).unwrap()),
            Box::new(Context::new("AioContext", AioContext::new(2).unwrap(), file, 2, target.size).unwrap()),
        ];
        let series = alternate(&mut peers, 3, Duration::from_millis(1)).unwrap();
        assert!(series.iter().all(|series| series.nanos.len() == 3));
    }
}
