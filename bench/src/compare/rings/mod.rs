//! Implementations of io_uring side by side: liburing in C, this workspace's, other crates'.
//!
//! As in [`compare`](super), with two differences. Each slice has a ring of its own; and the whole is run
//! several times, each of which comes to one ratio for each peer, the median of its rounds.

mod io_uring;
mod liburing;
mod ours;
mod report;
mod ring;
mod rustix;

use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use uring::{Ring, URingContext};

use self::io_uring::IoUringCrate;
use self::liburing::Liburing;
use self::ours::Ours;
use self::report::{Report, Scenario};
use self::ring::{Fresh, Setup};
use self::rustix::RustixRing;
use super::peer::Peer;
use super::slices;
use crate::case::Mode;
use crate::cli::{MicroOp, RingFlags, RingsOptions};
use crate::clock;
use crate::micro;
use crate::report::Host;

/// All implementations, the baseline first and again as the control.
fn peers<'a>(setup: Setup<'a>) -> Vec<Box<dyn Peer + 'a>> {
    vec![
        Fresh::<Liburing>::boxed("liburing", setup),
        Fresh::<Liburing>::boxed("liburing again (control)", setup),
        Fresh::<Ours<'_, Ring>>::boxed("Ring", setup),
        Fresh::<Ours<'_, URingContext>>::boxed("URingContext", setup),
        Fresh::<IoUringCrate>::boxed("io-uring", setup),
        Fresh::<RustixRing>::boxed("rustix", setup),
    ]
}

pub(crate) fn run(options: &RingsOptions) -> anyhow::Result<ExitCode> {
    let host = Host::here();
    let target = micro::hot_file(options.slices.dir.as_deref())?;
    let file = target.file(Mode::Buffered).map_err(|reason| anyhow::anyhow!("{reason}"))?;
    let mut notes = Vec::new();
    let mut scenarios = Vec::new();
    for (op, batch, flags) in plan(options) {
        let setup = Setup { op, batch, flags, file, size: target.size };
        let mut peers = peers(setup);
        // The kernel may be older than the flags, or forbid the interface.
        match peers.iter_mut().try_for_each(|peer| peer.renew().with_context(|| peer.name())) {
            Ok(()) => scenarios.push((setup, Scenario::new(setup, &peers))),
            Err(error) => notes.push(format!("{} is not there: {error:#}", report::name(op, batch, flags))),
        }
    }
    let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {elapsed:>3}")?;
    let bar = ProgressBar::new(u64::from(options.runs) * scenarios.len() as u64).with_style(style);
    for _ in 0..options.runs {
        for (setup, scenario) in &mut scenarios {
            // No more rings at a time than there are peers: a thread has room for sixteen registered ones.
            let mut peers = peers(*setup);
            scenario.add(&slices::alternate(&mut peers, &options.slices, clock::thread_cpu)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let scenarios = scenarios.into_iter().map(|(_, scenario)| scenario).collect();
    let report = Report::new(host, &target, options, scenarios, notes);
    if options.json {
        report.print_json()?
    } else {
        report.print_table()
    }
    Ok(ExitCode::SUCCESS)
}

/// Crosses the lists.
fn plan(options: &RingsOptions) -> Vec<(MicroOp, usize, RingFlags)> {
    let mut plan = Vec::new();
    for &op in &options.op {
        let usual: &[usize] = match op {
            MicroOp::Nop => &[1, 8, 32],
            MicroOp::Read => &[1, 32],
        };
        for &batch in if options.batch.is_empty() { usual } else { &options.batch } {
            plan.extend(options.flags.iter().map(|&flags| (op, batch, flags)));
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::slice;

    use super::ring::Ring;
    use super::*;
    use crate::micro::{BLOCK, Reads};

    const ALL: [(MicroOp, RingFlags); 4] = [
        (MicroOp::Nop, RingFlags::Plain),
        (MicroOp::Nop, RingFlags::Best),
        (MicroOp::Read, RingFlags::Plain),
        (MicroOp::Read, RingFlags::Best),
    ];

    #[test]
    fn every_ring_is_made_anew_more_often_than_a_thread_may_register_rings() {
        let target = micro::hot_file(None).unwrap();
        let file = target.file(Mode::Buffered).unwrap();
        for (op, flags) in ALL {
            let mut peers = peers(Setup { op, batch: 3, flags, file, size: target.size });
            for _ in 0..20 {
                for peer in &mut peers {
                    peer.renew().unwrap();
                    peer.run(2).unwrap();
                }
            }
        }
    }

    #[test]
    fn every_ring_reads_what_pread_reads() {
        fn check<'a, R: Ring<'a>>(setup: Setup<'a>) {
            let mut ring = R::new(&setup).unwrap();
            let mut reads = Reads::new(setup.batch, setup.size).unwrap();
            let mut draw = reads.draw();
            // SAFETY: an error ends the test, and with `reads` leaked.
            let done = unsafe { ring.reads(&mut reads, 3) };
            if let Err(error) = done {
                std::mem::forget(reads);
                panic!("{error:#}");
            }
            for _ in 0..2 * setup.batch {
                draw.next(0);
            }
            for index in 0..setup.batch {
                let (block, offset) = draw.next(index);
                // SAFETY: the block is one of `reads`, which lives, and all reads have completed.
                let found = unsafe { slice::from_raw_parts(block, BLOCK) };
                let mut expected = [0; BLOCK];
                setup.file.read_exact_at(&mut expected, offset).unwrap();
                assert!(found == expected, "block {index} of {}", std::any::type_name::<R>());
            }
            // All agree on what comes next.
            assert_eq!(reads.draw().next(0), draw.next(0));
        }
        let target = micro::hot_file(None).unwrap();
        let file = target.file(Mode::Buffered).unwrap();
        for flags in [RingFlags::Plain, RingFlags::Best] {
            let setup = Setup { op: MicroOp::Read, batch: 5, flags, file, size: target.size };
            check::<Liburing>(setup);
            check::<Ours<'_, uring::Ring>>(setup);
            check::<Ours<'_, URingContext>>(setup);
            check::<IoUringCrate>(setup);
            check::<RustixRing>(setup);
        }
    }

    #[test]
    fn a_failed_operation_ends_the_comparison() {
        let target = micro::hot_file(None).unwrap();
        // Reads of a directory are refused.
        let directory = std::fs::File::open("/").unwrap();
        for flags in [RingFlags::Plain, RingFlags::Best] {
            let setup = Setup { op: MicroOp::Read, batch: 2, flags, file: &directory, size: target.size };
            for mut peer in peers(setup) {
                assert!(peer.renew().is_err(), "{}", peer.name());
                assert!(peer.run(1).is_err(), "{}", peer.name());
            }
        }
    }
}
