//! The task that submits and takes completions.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::unix::AsyncFd;
use ::tokio::runtime::{Handle, RuntimeFlavor};

use super::flight::Flight;
use super::shared::{Shared, cancel_endless, deliver};
use super::watched::watch;
use crate::completion::Completion;
use crate::engine::Engine;

/// How often it looks before others of the runtime have their turn.
const ROUNDS: usize = 16;

/// How often in a row the kernel may refuse to say what is done.
const REFUSALS: u32 = 64;

/// Submits what futures have added, delivers what is done, and sleeps on the engine's descriptor in between.
///
/// Dropped with its runtime, or because the engine fails for good, it leaves the rest to a thread.
pub(super) struct Driver {
    shared: Arc<Shared>,
    /// That of the engine, until the end.
    fd: Option<AsyncFd<OwnedFd>>,
    /// Kept for its memory.
    done: Vec<Completion<Flight>>,
    /// Tasks that are ready have their turn before a submit, so that one submit is for all of them. On one thread they
    /// have it anyhow.
    lets_others_go_first: bool,
    others_have_gone: bool,
    refusals: u32,
    closing: bool,
}

/// What a look has found.
enum Look {
    /// Look again: something may have been queued by it.
    Again,
    Nothing,
    /// The engine is closed and nothing is in flight; or the kernel does not let it work any more.
    Over,
}

impl Driver {
    /// Makes the driver; in the context of its runtime.
    pub(super) fn new(shared: Arc<Shared>) -> io::Result<Self> {
        let fd = shared.gate.visit(|engine, _| watch(engine.as_fd())).transpose()?;
        Ok(Self {
            done: Vec::with_capacity(shared.capacity),
            shared,
            fd,
            lets_others_go_first: Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread,
            others_have_gone: false,
            refusals: 0,
            closing: false,
        })
    }

    fn look(&mut self) -> Look {
        let Self { shared, done, closing, .. } = self;
        let looked = shared.gate.visit(|engine, is_closing| {
            if is_closing && !*closing {
                *closing = true;
                cancel_endless(engine);
            }
            let again = collect(engine, done)?;
            io::Result::Ok((again, is_closing && engine.in_flight() == 0))
        });
        let nr = done.len();
        if nr > 0 {
            // Before the futures are woken, which may want them.
            shared.permits.add_permits(nr);
            // Outside of the lock: wakers and buffers are somebody else's code.
            done.drain(..).for_each(deliver);
        }
        match looked {
            None | Some(Ok((_, true))) => Look::Over,
            Some(Ok((again, false))) => {
                self.refusals = 0;
                if again { Look::Again } else { Look::Nothing }
            }
            Some(Err(_)) => {
                self.refusals += 1;
                if self.refusals == REFUSALS { Look::Over } else { Look::Again }
            }
        }
    }
}

/// Starts what was added, and takes what is done. Says whether that may have queued something.
fn collect(engine: &mut Engine<Flight>, done: &mut Vec<Completion<Flight>>) -> io::Result<bool> {
    let before = engine.counts.retries + engine.counts.short_transfers;
    done.extend(engine.completions()?);
    Ok(engine.attention || engine.counts.retries + engine.counts.short_transfers != before)
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.bell.listen(cx.waker());
        if this.lets_others_go_first && this.shared.bell.is_rung() && !this.others_have_gone {
            this.others_have_gone = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.others_have_gone = false;
        for _ in 0..ROUNDS {
            this.shared.bell.answer();
            match this.look() {
                Look::Over => return Poll::Ready(()),
                Look::Again => continue,
                Look::Nothing => {}
            }
            let Some(fd) = &this.fd else { return Poll::Ready(()) };
            match fd.poll_read_ready(cx) {
                // What was there is taken. If more has come meanwhile, the next look sees it, or it is told anew.
                Poll::Ready(Ok(mut ready)) => ready.clear_ready(),
                // The runtime is shutting down.
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
        // The runtime lets go of the descriptor first.
        self.fd = None;
        Arc::clone(&self.shared).end_elsewhere();
    }
}
