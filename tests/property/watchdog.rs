//! A case that never ends: a completion is lost, and somebody waits for it.

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

/// Ends the process and says where it was, unless it is dropped in time. A thread that is blocked in a system call can
/// be told nothing, so such a case is not shrunk.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// The step that runs.
    pub(crate) step: Arc<AtomicUsize>,
    _alive: Sender<()>,
}

impl Watchdog {
    pub(crate) fn new(plan: &Plan) -> Watchdog {
        let step = Arc::new(AtomicUsize::new(0));
        let (alive, ended) = channel();
        let (plan, seen) = (plan.clone(), Arc::clone(&step));
        thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let step = seen.load(Ordering::Relaxed);
                // Not through the capture of the harness, which prints nothing when the process ends like this.
                let _ = writeln!(stderr(), "This case hangs in step {step}: {plan}");
                exit(101);
            }
        });
        Watchdog { step, _alive: alive }
    }
}
