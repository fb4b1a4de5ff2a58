//! How to make a context that is not the default one.

use super::URingContext;
use crate::error::Result;
use crate::restriction::Restrictions;
use crate::ring::setup::{Request, TaskWork};

/// Options of a [`URingContext`].
///
/// ```
/// let ring = uring::URingContext::builder(64).cq_entries(1024).defer_taskrun().build()?;
/// # Ok::<(), uring::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder(Request<'static>);

impl Builder {
    pub(crate) fn new(num_entries: usize) -> Self {
        Self(Request { entries: num_entries, ..Request::default() })
    }

    /// Sizes the completion ring, in entries, at least as many as the submission queue has and at most
    /// 65536; the kernel rounds up to a power of two. By default it is twice the submission queue.
    ///
    /// Completions that do not fit are kept by the kernel and follow, at the price of a system call.
    pub fn cq_entries(mut self, num_entries: usize) -> Self {
        self.0.cq_entries = Some(num_entries);
        self
    }

    /// Binds the ring to the thread that first submits or waits, which saves about a tenth of the time
    /// of a small request (`IORING_SETUP_DEFER_TASKRUN`, since 6.1; older kernels do without).
    ///
    /// Another thread gets `EEXIST`, and [`split`](URingContext::split) is refused. Drop the context in that
    /// thread, too: elsewhere it cannot wait for requests in flight, says so and leaks, and registered files
    /// and buffers are held until the thread ends.
    pub fn defer_taskrun(mut self) -> Self {
        self.0.task_work = TaskWork::Deferred;
        self
    }

    /// Lets completions wait until the submitting thread enters the kernel anyway, instead of interrupting
    /// it (`IORING_SETUP_COOP_TASKRUN`, since 5.19; older kernels do without).
    ///
    /// It is for one thread that submits and waits. Where another one waits ([`split`](URingContext::split),
    /// a polled descriptor), completions come up to a scheduler tick late while the submitting thread computes.
    pub fn coop_taskrun(mut self) -> Self {
        // Deferred work waits, too, and for longer.
        if self.0.task_work == TaskWork::Interrupts {
            self.0.task_work = TaskWork::Cooperative;
        }
        self
    }

    /// Restricts the ring to an allow-list, from here on; with [`defer_taskrun`](Self::defer_taskrun) from the
    /// first submit on, since the ring is enabled only then.
    pub fn restrictions(mut self, restrictions: Restrictions) -> Self {
        self.0.restrictions = Some(restrictions);
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    ///
    /// As [`URingContext::new`].
    pub fn build(self) -> Result<URingContext> {
        URingContext::with(&self.0)
    }
}
