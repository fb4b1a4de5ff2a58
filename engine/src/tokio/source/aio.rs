//! [`Aio`]: a source and its readiness.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::task::{Context, Poll};

use super::AioSource;
use super::event::AioEvent;
use super::reactor::AioReactor;
use super::registry::MOST;
use super::submitter::Submitter;
use crate::error::Error;
use crate::sync::lock;

/// Associates a source with the reactor that tells when its requests are done.
///
/// [`submit`](Self::submit) has the source submit, [`poll_ready`](Self::poll_ready) waits until all is done, and after
/// [`clear_ready`](Self::clear_ready) the source can submit again.
///
/// The source is reached through [`Deref`], and mutably by [`get_mut`](Self::get_mut) while nothing is in flight. Dropped before, it
/// is kept by the reactor until the kernel is done.
pub struct Aio<E: AioSource> {
    /// Until the drop.
    source: Option<E>,
    index: u32,
    /// Requests of one submission.
    most: usize,
    reactor: AioReactor,
}

impl<E: AioSource> Aio<E> {
    /// Registers a source of one request at a time.
    pub fn new_for_aio(source: E, reactor: &AioReactor) -> Self {
        Self::new(source, reactor, 1)
    }

    /// Registers a source of several requests at a time, which is ready when all of them are done, as `lio_listio(3)` has
    /// it.
    pub fn new_for_lio(source: E, reactor: &AioReactor) -> Self {
        Self::new(source, reactor, MOST)
    }

    fn new(mut source: E, reactor: &AioReactor, most: usize) -> Self {
        let index = lock(&reactor.shared().registry).insert();
        source.register(index.into());
        Self { source: Some(source), index, most, reactor: reactor.clone() }
    }

    fn source(&self) -> &E {
        match &self.source {
            Some(source) => source,
            None => unreachable!("only a drop takes it, or `into_inner`"),
        }
    }

    /// Has the source submit its requests.
    ///
    /// # Errors
    ///
    /// What the source says: then it may have requests in flight nevertheless, or not ([`is_in_flight`](Self::is_in_flight)).
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) if requests are in flight, or their event was not
    /// [cleared](Self::clear_ready). [`InvalidInput`](io::ErrorKind::InvalidInput) if the source has submitted nothing.
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the reactor's runtime is gone.
    pub fn submit(&mut self) -> io::Result<()> {
        let mut registry = lock(&self.reactor.shared().registry);
        let Some((context, entry)) = registry.context_and_entry(self.index) else {
            return Err(Error::Closed.into());
        };
        if entry.pending > 0 || entry.ready {
            let text = "requests are in flight, or their event is to be cleared first";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
        }
        entry.results.clear();
        entry.generation += 1;
        let (index, most) = (self.index, self.most);
        let Some(source) = &mut self.source else { unreachable!("only a drop takes it, or `into_inner`") };
        let submitted =
            source.submit(&mut Submitter { context: &mut *context, entry: &mut *entry, index, most });
        if entry.pending == 0 {
            let nothing = || Err(io::Error::new(io::ErrorKind::InvalidInput, "the source submits nothing"));
            return submitted.and_then(|()| nothing());
        }
        // What is not accepted now stays queued.
        let accepted = context.submit();
        let left = accepted.is_err() || context.queued() > 0;
        drop(registry);
        if left {
            self.reactor.shared().bell.ring();
        }
        submitted
    }

    /// Waits until everything that was submitted is done. It stays ready until that is [cleared](Self::clear_ready).
    ///
    /// Of several tasks that poll, the last one is woken. Before anything was submitted, it is pending.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the reactor's runtime is gone; of the requests it says nothing. What they
    /// say is in the [`AioEvent`].
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<AioEvent>> {
        let mut registry = lock(&self.reactor.shared().registry);
        let gone = registry.context.is_none();
        let entry = registry.entry(self.index);
        if entry.ready {
            let results = entry.results.clone();
            return Poll::Ready(Ok(AioEvent {
                token: self.index.into(),
                generation: entry.generation,
                results,
            }));
        }
        if gone {
            return Poll::Ready(Err(Error::Closed.into()));
        }
        match &mut entry.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// As [`poll_ready`](Self::poll_ready), as a future.
    ///
    /// # Errors
    ///
    /// As [`poll_ready`](Self::poll_ready).
    pub async fn ready(&self) -> io::Result<AioEvent> {
        std::future::poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// Makes the source not ready any more, so that it can submit again. The event of an earlier submission does nothing.
    pub fn clear_ready(&self, event: AioEvent) {
        let mut registry = lock(&self.reactor.shared().registry);
        let entry = registry.entry(self.index);
        if event.token == u64::from(self.index) && event.generation == entry.generation {
            entry.ready = false;
        }
    }

    /// Whether requests are in flight.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        lock(&self.reactor.shared().registry).entry(self.index).pending > 0
    }

    /// The source, unless requests are in flight.
    pub fn get_mut(&mut self) -> Option<&mut E> {
        if self.is_in_flight() { None } else { self.source.as_mut() }
    }

    /// Deregisters the source and gives it back.
    ///
    /// # Errors
    ///
    /// Itself, if requests are in flight: their memory is the kernel's.
    pub fn into_inner(mut self) -> Result<E, Self> {
        if self.is_in_flight() {
            return Err(self);
        }
        match self.source.take() {
            Some(mut source) => {
                lock(&self.reactor.shared().registry).remove(self.index);
                source.deregister();
                Ok(source)
            }
            None => Err(self),
        }
    }
}

impl<E: AioSource> Drop for Aio<E> {
    fn drop(&mut self) {
        let Some(mut source) = self.source.take() else { return };
        let mut registry = lock(&self.reactor.shared().registry);
        if registry.entry(self.index).pending > 0 {
            registry.adopt(self.index, Box::new(source));
            drop(registry);
            self.reactor.shared().bell.ring();
            return;
        }
        registry.remove(self.index);
        drop(registry);
        source.deregister();
    }
}

impl<E: AioSource> Deref for Aio<E> {
    type Target = E;

    fn deref(&self) -> &E {
        self.source()
    }
}

impl<E: AioSource + fmt::Debug> fmt::Debug for Aio<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aio").field("source", &self.source).finish_non_exhaustive()
    }
}
