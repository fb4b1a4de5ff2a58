//! How to make a context that is not the default one.

use super::URingContext;
use crate::error::Result;
use crate::restriction::Restrictions;
use crate::ring::setup::Request;

/// Options of a [`URingContext`].
///
/// ```
/// let ring = uring::URingContext::builder(64).cq_entries(1024).defer_taskrun().build()?;
/// # Ok::<(), uring::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder(Request);

impl Builder {
    pub(crate) fn new(num_entries: usize) -> Self {
        Self(Request { entries: num_entries, cq_entries: None, defer_taskrun: false, restrictions: None })
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
    /// Another thread gets `EEXIST`, and [`split`](URingContext::split) is refused. A context that is
    /// dropped elsewhere with requests in flight cannot wait for them: it says so and leaks.
    pub fn defer_taskrun(mut self) -> Self {
        self.0.defer_taskrun = true;
        self
    }

    /// Restricts the ring to an allow-list.
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
