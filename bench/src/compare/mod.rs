//! Peers side by side in one process.
//!
//! All peers do the same reads of the same small file. A round gives each of them one slice of a few
//! milliseconds, in random order; what counts is the ratio of thread CPU time within a round, of which the
//! median over all rounds is shown. Whatever moves the machine's speed moves both sides of a ratio. The
//! baseline runs twice: how far the second one is from 1 says what the other ratios are worth.

mod libaio;
pub(crate) mod peer;
#[cfg(feature = "peers")]
mod rings;
pub(crate) mod slices;

use std::process::ExitCode;

use aio::AioContext;
use uring::URingContext;

use self::libaio::Libaio;
use self::peer::{Context, Peer, Sync};
use crate::case::Mode;
use crate::cli::{CompareOptions, RingsOptions};
use crate::clock;
use crate::micro;
use crate::report::{Host, table};
use crate::target::Target;

pub(crate) fn run(options: &CompareOptions) -> anyhow::Result<ExitCode> {
    let target = micro::hot_file(options.slices.dir.as_deref())?;
    let mut notes = Vec::new();
    let mut rows = table::plain(&slices::HEADER);
    for (index, &depth) in options.depth.iter().enumerate() {
        if index > 0 {
            rows.add_row([""; slices::HEADER.len()]);
        }
        let mut peers = peers(&target, depth, &mut notes)?;
        let series = slices::alternate(&mut peers, &options.slices, clock::thread_cpu)?;
        slices::add_rows(&mut rows, depth, &series);
    }
    table::align(&mut rows, 2);
    println!(
        "Random reads of 4 KiB from 1 MiB in the page cache ({}); {} rounds, slices of {} ms; Linux {}\n",
        target.file_system,
        options.slices.rounds,
        options.slices.slice,
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

/// Compares rings, where the others have been compiled in.
pub(crate) fn rings(options: &RingsOptions) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "peers")]
    return rings::run(options);
    #[cfg(not(feature = "peers"))]
    {
        let _ = options;
        anyhow::bail!(
            "liburing and the others are not compiled in: cargo run --release -p bench --features peers -- rings"
        )
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::SliceOptions;

    #[test]
    fn every_peer_has_one_figure_a_round() {
        let target = micro::hot_file(None).unwrap();
        let file = target.file(Mode::Buffered).unwrap();
        let mut peers: Vec<Box<dyn Peer>> = vec![
            Box::new(Sync::new("pread", file, 2, target.size).unwrap()),
            Box::new(Context::new("AioContext", AioContext::new(2).unwrap(), file, 2, target.size).unwrap()),
        ];
        let options = SliceOptions { rounds: 3, slice: 1, dir: None };
        let series = slices::alternate(&mut peers, &options, clock::thread_cpu).unwrap();
        assert!(series.iter().all(|series| series.nanos.len() == 3));
    }
}
