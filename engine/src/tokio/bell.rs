//! How the driver is told that there is something to do.

use std::task::Waker;

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// A bell that wakes the driver once for any number of rings, until it has answered.
///
/// The driver [listens](Self::listen), then [answers](Self::answer), then looks for work: a ring whose work it has not seen comes after the
/// answer, and so wakes it again.
#[derive(Debug)]
pub(super) struct Bell {
    rung: AtomicBool,
    driver: Mutex<Option<Waker>>,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self { rung: AtomicBool::new(false), driver: Mutex::new(None) }
    }

    /// Wakes the driver, unless it has been and has not yet answered.
    #[inline]
    pub(super) fn ring(&self) {
        // What was done before is visible to the driver when it has answered: this write, or an earlier one that it has
        // not read yet, is in the order of the one atomic before its answer.
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    fn wake(&self) {
        // Only the driver's own task is ever woken here, which takes no lock of ours for that.
        if let Some(driver) = &*lock(&self.driver) {
            driver.wake_by_ref();
        }
    }

    /// Names whom to wake.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut driver = lock(&self.driver);
        match &mut *driver {
            Some(driver) => driver.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whether somebody has rung since the last answer.
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
    }

    /// Lets the next ring wake again.
    pub(super) fn answer(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }
}
