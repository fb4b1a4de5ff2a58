//! Futures side by side in one process: the engine's on Tokio, and what else reads files for a task.
//!
//! As in [`compare`](crate::compare), with two differences: each peer has as many tasks as the depth says, each of which
//! reads one block after the other on a runtime of one thread; and what counts is the CPU time of the whole process, since
//! some peers have threads that help.

mod peers;
mod tasks;

use std::process::ExitCode;

use engine::BackendKind;

use self::tasks::{Blocking, OnEngine, TokioFs};
use crate::cli::CompareOptions;
use crate::clock;
use crate::compare::peer::Peer;
use crate::compare::slices;
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
        notes.clear();
        let mut peers = peers(&target, depth, &mut notes)?;
        let series = slices::alternate(&mut peers, &options.slices, clock::process_cpu)?;
        slices::add_rows(&mut rows, depth, &series);
    }
    table::align(&mut rows, 2);
    println!(
        "Random reads of 4 KiB from 1 MiB in the page cache ({}), one after the other in each of `depth` tasks, on one \
         thread; {} rounds, slices of {} ms; Linux {}\n",
        target.file_system,
        options.slices.rounds,
        options.slices.slice,
        Host::here().kernel,
    );
    println!("{}", rows.trim_fmt());
    println!(
        "\nratio: CPU time of the process to that of the first line in the same round; median, min and max of rounds."
    );
    for note in notes {
        println!("{note}");
    }
    Ok(ExitCode::SUCCESS)
}

/// All that can be had here, the baseline first and again as the control.
fn peers(target: &Target, depth: usize, notes: &mut Vec<String>) -> anyhow::Result<Vec<Box<dyn Peer>>> {
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    let over = [
        ("engine::tokio, io_uring", BackendKind::Uring),
        ("the same again (control)", BackendKind::Uring),
        ("engine::tokio, kernel AIO", BackendKind::Aio),
        ("engine::tokio, threads", BackendKind::Threads),
    ];
    for (name, kind) in over {
        match OnEngine::new(name, target, depth, kind) {
            Ok(peer) => peers.push(Box::new(peer)),
            Err(error) => notes.push(format!("{name}: {error:#}")),
        }
    }
    peers.push(Box::new(Blocking::new("spawn_blocking and pread", target, depth)?));
    peers.push(Box::new(TokioFs::new("tokio::fs", target, depth)?));
    peers::add(&mut peers, target, depth, notes);
    Ok(peers)
}
