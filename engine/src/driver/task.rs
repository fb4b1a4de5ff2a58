//! What the engine of an I/O thread keeps in flight.

use std::sync::Arc;

use super::batch::Merged;
use super::chain::{ChainId, Ordered};
use crate::buffer::IoBufMut;
use crate::eventfd::EventFd;
use crate::file::IoFile;
use crate::operation::{Operation, Operations, Poll};
use crate::request::Request;
use crate::verdict::is_stream;

/// An operation that was submitted to the driver.
pub(super) struct Job<F, B, C> {
    pub(super) operation: Operations<F, B>,
    pub(super) callback: C,
    pub(super) chain: Option<ChainId>,
    /// It has been started before, in a request with others, and is not merged again.
    pub(super) alone: bool,
    /// The engine was asked to cancel it.
    pub(super) cancelled: bool,
}

impl<F, B, C> Job<F, B, C> {
    pub(super) fn new(operation: Operations<F, B>, callback: C, chain: Option<ChainId>) -> Self {
        Self { operation, callback, chain, alone: false, cancelled: false }
    }
}

impl<F: IoFile, B: IoBufMut, C> Job<F, B, C> {
    /// Whether it may wait for somebody else for ever: a poll, a transfer through a pipe or a socket.
    pub(super) fn is_endless(&mut self) -> bool {
        match &mut self.operation {
            Operations::Poll(_) => true,
            operation => operation.transfer_len().is_some() && is_stream(operation.request().file.fd),
        }
    }
}

impl<F, B, C> Ordered for Job<F, B, C> {
    fn is_barrier(&self) -> bool {
        matches!(
            self.operation,
            Operations::Sync(_)
                | Operations::Allocate(_)
                | Operations::Discard(_)
                | Operations::WriteZeroes(_)
        )
    }
}

/// One request of an I/O thread, and who asked for it.
pub(super) enum Task<F, B, C> {
    One(Job<F, B, C>),
    Merged(Merged<F, B, C>),
    /// The wait for the thread's doorbell.
    Bell(Poll<Arc<EventFd>>),
}

impl IoFile for EventFd {}

impl<F: IoFile, B: IoBufMut, C> Task<F, B, C> {
    /// Whether it may be in flight for ever.
    pub(super) fn is_endless(&mut self) -> bool {
        match self {
            Self::One(job) => job.is_endless(),
            Self::Merged(_) => false,
            Self::Bell(_) => true,
        }
    }
}

// SAFETY: the guarantees of the operation of `One` and of `Bell`, which nobody but an engine calls, and of `Merged`.
unsafe impl<F: IoFile, B: IoBufMut, C: 'static> Operation for Task<F, B, C> {
    #[inline]
    fn request(&mut self) -> Request<'_> {
        match self {
            Self::One(job) => job.operation.request(),
            Self::Merged(merged) => merged.request(),
            Self::Bell(poll) => poll.request(),
        }
    }

    #[inline]
    fn transfer_len(&mut self) -> Option<usize> {
        match self {
            Self::One(job) => job.operation.transfer_len(),
            Self::Merged(merged) => merged.transfer_len(),
            Self::Bell(poll) => poll.transfer_len(),
        }
    }

    unsafe fn finish(&mut self, transferred: usize) {
        match self {
            // SAFETY: this fn's contract.
            Self::One(job) => unsafe { job.operation.finish(transferred) },
            // SAFETY: as above.
            Self::Merged(merged) => unsafe { merged.finish(transferred) },
            // SAFETY: as above.
            Self::Bell(poll) => unsafe { poll.finish(transferred) },
        }
    }
}
