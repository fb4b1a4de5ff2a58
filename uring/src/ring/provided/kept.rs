//! What keeps the memory of provided buffers alive as long as the kernel may use it.

use std::io;
use std::mem;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory::Memory;
use crate::ring::core::Core;

/// The rings of buffers that were registered with one ring.
///
/// A request that has taken a buffer writes to it although the group is unregistered meanwhile, so the memory is freed
/// after the ring's end only. Its owner cannot hold the ring for that: what a drop of the ring has to wait for would then
/// wait for the owner.
#[derive(Debug, Default)]
pub(crate) struct Provided(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Invariant: while it is here, the ring lives, whose end takes it away before the drop, under the lock.
    core: Option<NonNull<Core>>,
    kept: Vec<Arc<Memory>>,
}

// SAFETY: the pointer is to a `Core`, which is `Sync`, and is followed under the lock only.
unsafe impl Send for State {}

impl Provided {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the ring, which is at its final place.
    pub(crate) fn open(&self, core: &Arc<Core>) {
        self.state().core = NonNull::new(Arc::as_ptr(core).cast_mut());
    }

    /// Ends what owners may still ask of the ring, which is about to end.
    pub(crate) fn close(&self) {
        self.state().core = None;
    }

    /// Lets go of what is mapped of the ring, which has ended what it used it for; the owners keep their memory.
    pub(crate) fn detach(&self) {
        self.state().kept.iter().for_each(|memory| memory.detach());
    }

    /// Frees the memory: the kernel has let go of the ring.
    pub(crate) fn free(&self) {
        let kept = mem::take(&mut self.state().kept);
        drop(kept);
    }

    pub(super) fn keep(&self, memory: Arc<Memory>) {
        self.state().kept.push(memory);
    }

    /// Keeps it no longer: nothing uses it any more.
    pub(super) fn release(&self, memory: &Arc<Memory>) {
        self.state().kept.retain(|kept| !Arc::ptr_eq(kept, memory));
    }

    /// Asks something of the ring; `EBADF` if that is gone.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&Core) -> io::Result<T>) -> io::Result<T> {
        let state = self.state();
        let Some(core) = state.core else { return Err(io::Error::from_raw_os_error(libc::EBADF)) };
        // SAFETY: the ring lives as long as the lock is held (the invariant of the field).
        ask(unsafe { core.as_ref() })
    }
}

/// What is left here is the kernel's for good: the ring has not ended.
impl Drop for State {
    fn drop(&mut self) {
        mem::forget(mem::take(&mut self.kept));
    }
}
