//! [`AioReactor`]: a context that a runtime watches.

use std::future::Future;
use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use ::aio::AioContext;
use ::tokio::io::unix::AsyncFd;
use ::tokio::runtime::Handle;

use super::registry::{Errands, Registry};
use crate::sync::{Mutex, lock};
use crate::tokio::bell::Bell;
use crate::tokio::watched::watch;

/// How often it looks before others of the runtime have their turn.
const ROUNDS: usize = 16;

/// How often in a row the kernel may refuse to say what is done.
const REFUSALS: u32 = 64;

/// A kernel AIO context that the runtime watches, for any number of [`Aio`](super::Aio)s; a handle, to be cloned.
///
/// It ends in a thread that is started for that, since `io_destroy(2)` waits: when handles and sources are gone and nothing is in flight, or with its
/// runtime.
#[derive(Clone, Debug)]
pub struct AioReactor(Arc<Last>);

#[derive(Debug)]
struct Last(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) registry: Mutex<Registry>,
    pub(super) bell: Bell,
}

impl Drop for Last {
    fn drop(&mut self) {
        lock(&self.0.registry).closing = true;
        self.0.bell.ring();
    }
}

impl AioReactor {
    /// Makes a context with room for `num_entries` requests, watched by the runtime in which this is called.
    ///
    /// # Errors
    ///
    /// As [`AioContext::new`].
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, or if that has no I/O driver (`enable_io`).
    pub fn new(num_entries: usize) -> io::Result<Self> {
        let runtime = Handle::current();
        // One more, to cancel polls by.
        let context = AioContext::new(num_entries.saturating_add(usize::from(num_entries > 0)))?;
        let fd = watch(context.as_fd())?;
        let shared = Arc::new(Shared { registry: Mutex::new(Registry::new(context)), bell: Bell::new() });
        let errands = Errands::default();
        runtime.spawn(Driver { shared: Arc::clone(&shared), fd: Some(fd), errands, refusals: 0 });
        Ok(Self(Arc::new(Last(shared))))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.0
    }
}

struct Driver {
    shared: Arc<Shared>,
    /// That of the context, until the end.
    fd: Option<AsyncFd<OwnedFd>>,
    errands: Errands,
    refusals: u32,
}

impl Driver {
    /// Delivers what is done. Says whether there is nothing more to do for ever.
    fn look(&mut self) -> bool {
        let mut registry = lock(&self.shared.registry);
        let looked = registry.look(&mut self.errands);
        let over = registry.context.is_none() || registry.closing && registry.is_idle();
        drop(registry);
        self.errands.run();
        self.refusals = if looked.is_err() { self.refusals + 1 } else { 0 };
        over || self.refusals == REFUSALS
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.bell.listen(cx.waker());
        for _ in 0..ROUNDS {
            this.shared.bell.answer();
            if this.look() {
                return Poll::Ready(());
            }
            if this.refusals > 0 {
                continue;
            }
            let Some(fd) = &this.fd else { return Poll::Ready(()) };
            match fd.poll_read_ready(cx) {
                // What was there is taken. If more has come meanwhile, the next look sees it, or it is told anew.
                Poll::Ready(Ok(mut ready)) => ready.clear_ready(),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.fd = None;
        let context = lock(&self.shared.registry).end(&mut self.errands);
        self.errands.run();
        let Some(context) = context else { return };
        let ending = Arc::new(Mutex::new(Some(context)));
        let (there, shared) = (Arc::clone(&ending), Arc::clone(&self.shared));
        let started = thread::Builder::new().name("aio-end".into()).spawn(move || end(&there, &shared));
        if started.is_err() {
            // No thread is to be had: better late than never.
            end(&ending, &self.shared);
        }
    }
}

/// Waits until the kernel is done, then lets the sources go that waited for that.
fn end(context: &Mutex<Option<AioContext>>, shared: &Arc<Shared>) {
    let Some(context) = lock(context).take() else { return };
    if context.close().is_err() {
        // The kernel may use memory of the sources at any later time: they stay for ever.
        mem::forget(Arc::clone(shared));
        return;
    }
    let mut errands = Errands::default();
    lock(&shared.registry).ended(&mut errands);
    errands.run();
}
