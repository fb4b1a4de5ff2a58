//! Ends the process when a case does not end: an operation was lost, and somebody waits for it in the kernel.

use std::io::{Write, stderr};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::plan::Plan;

/// Far more than a case takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(100);

/// Watches a case until it is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// The step that runs.
    pub(crate) step: Arc<AtomicUsize>,
    _alive: Sender<()>,
}

impl Watchdog {
    pub(crate) fn new(plan: &Plan) -> Watchdog {
        let (alive, ended) = channel();
        let step = Arc::new(AtomicUsize::new(0));
        let (plan, seen) = (plan.clone(), step.clone());
        thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                // Not through the capture of the harness, which prints nothing when the process ends like this.
                let step = seen.load(Ordering::Relaxed);
                let _ = writeln!(stderr(), "This case does not end, in step {step}: {plan}");
                exit(101);
            }
        });
        Watchdog { step, _alive: alive }
    }
}
