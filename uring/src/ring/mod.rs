//! The ring: one descriptor, its shared memory, and the doors to the kernel.
//!
//! | room | what is in it |
//! |---|---|
//! | [`setup`] | `io_uring_setup`: flags, fall-backs, refusals |
//! | [`mapping`] | the shared memory |
//! | [`index`] | the shared counters and their orderings |
//! | [`sqe`] | one request |
//! | [`submission`], [`completion`] | the two queues |
//! | [`enter`] | `io_uring_enter` |
//! | [`register`] | `io_uring_register` |
//! | [`thread`] | descriptors registered with a thread |
//! | [`ledger`] | what is in flight, for kernels that must be told |

pub(crate) mod completion;
pub(crate) mod enter;
pub(crate) mod index;
mod ledger;
mod mapping;
pub(crate) mod register;
pub(crate) mod setup;
#[cfg(test)]
mod simulated;
pub(crate) mod sqe;
pub(crate) mod submission;
mod thread;

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};

use uring_sys::{
    IORING_FEAT_LINKED_FILE, IORING_FEAT_REG_REG_RING, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_R_DISABLED,
    io_uring_params,
};

use self::completion::CompletionQueue;
use self::index::Index;
use self::ledger::Ledger;
use self::mapping::Mapping;
use self::setup::{Request, map_error};
use self::submission::SubmissionQueue;
use self::thread::Registration;
use crate::UserData;
use crate::codes::Op;
use crate::error::{Error, Result};
use crate::fork::Gate;
use crate::restriction::Restrictions;

/// A thread that never is: threads are named from 1 on, one by one.
const NO_THREAD: u64 = u64::MAX;

/// What both queues stand on; they keep it alive.
///
/// Field order matters to nobody: `Drop` takes the parts down by hand.
#[derive(Debug)]
pub(crate) struct Core {
    fd: OwnedFd,
    rings: ManuallyDrop<Mapping>,
    sqes: ManuallyDrop<Mapping>,
    gate: Gate,
    sq_flags: Index,
    params: io_uring_params,
    /// Set by the first enter: it enables a ring that was made disabled, in the thread that will use it,
    /// and registers the descriptor there.
    registration: OnceLock<Option<Registration>>,
    /// What `registration` holds, for the one thread that it is good for: `NO_THREAD` is none.
    door_thread: AtomicU64,
    door_index: AtomicU32,
    restrictions: Option<Restrictions>,
    ledger: Option<Ledger>,
    has_buffers: AtomicBool,
    has_files: AtomicBool,
}

impl Core {
    /// Makes a ring and its two queues.
    pub(crate) fn new(request: &Request) -> Result<(Arc<Self>, SubmissionQueue, CompletionQueue)> {
        let gate = Gate::new().map_err(map_error)?;
        let (fd, params) = request.setup()?;
        let rings = Mapping::rings(fd.as_fd(), &params).map_err(map_error)?;
        let sqes = Mapping::sqes(fd.as_fd(), &params).map_err(map_error)?;
        // SAFETY: `Core` owns both mappings, and whoever is given the queue keeps the `Arc` beside it.
        let sq = unsafe { SubmissionQueue::new(&rings, &sqes, &gate, &params) };
        // SAFETY: as above.
        let cq = unsafe { CompletionQueue::new(&rings, &params) };
        // SAFETY: `Core` owns the mapping and the index; the kernel gave the offset.
        let sq_flags = unsafe { Index::new(&rings, params.sq_off.flags) };
        let mut core = Self {
            fd,
            rings: ManuallyDrop::new(rings),
            sqes: ManuallyDrop::new(sqes),
            gate,
            sq_flags,
            params,
            registration: OnceLock::new(),
            door_thread: AtomicU64::new(NO_THREAD),
            door_index: AtomicU32::new(0),
            restrictions: request.restrictions.clone(),
            ledger: None,
            has_buffers: AtomicBool::new(false),
            has_files: AtomicBool::new(false),
        };
        if !core.can_cancel_any() {
            core.ledger = Some(Ledger::default());
        }
        if let Some(restrictions) = &core.restrictions {
            if restrictions.required_flags() != 0 && core.ledger.is_some() {
                // There a request to cancel must not carry the flag that all have to carry, so nothing could
                // be cancelled, and a drop might wait for ever.
                return Err(Error::kernel(
                    "io_uring_register",
                    io::Error::from_raw_os_error(libc::EOPNOTSUPP),
                    "`require_fixed_files` takes Linux 5.19 or newer",
                ));
            }
            core.register_restrictions(&mut restrictions.to_raw())?;
            if !request.defer_taskrun {
                core.enable()
                    .map_err(|error| Error::kernel("io_uring_register", error, "enabling the ring"))?;
            }
        }
        Ok((Arc::new(core), sq, cq))
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn sq_flags(&self) -> Index {
        self.sq_flags
    }

    pub(crate) fn features(&self) -> u32 {
        self.params.features
    }

    pub(crate) fn setup_flags(&self) -> u32 {
        self.params.flags
    }

    /// Whether only the thread that first enters may ever enter.
    pub(crate) fn is_bound_to_thread(&self) -> bool {
        self.setup_flags() & IORING_SETUP_DEFER_TASKRUN != 0
    }

    /// Whether one request can cancel all others (`IORING_ASYNC_CANCEL_ANY`, since 5.19).
    ///
    /// No feature bit tells; the opcode `SOCKET` came with the same kernel.
    pub(crate) fn can_cancel_any(&self) -> bool {
        let features = self.features();
        if features & IORING_FEAT_REG_REG_RING != 0 {
            return true;
        }
        features & IORING_FEAT_LINKED_FILE != 0
            && self.probe_ops().is_ok_and(|probe| probe.supports(Op::SOCKET))
    }

    /// Makes the ring ready for the first thread that enters.
    fn prepare(&self) -> Option<Registration> {
        if self.setup_flags() & IORING_SETUP_R_DISABLED != 0 {
            // One that `new` has enabled already says EBADFD here; one that stays disabled says it to the
            // enter that follows, which the caller sees.
            let _ = self.enable();
        }
        // A restricted ring may refuse to register descriptors, and to take them back.
        if self.restrictions.is_some() { None } else { Registration::new(self.fd.as_fd()) }
    }

    /// What is in flight, where the kernel has to be told what to cancel.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    #[cold]
    pub(crate) fn note_added(&self, requests: impl Iterator<Item = UserData>) {
        if let Some(ledger) = &self.ledger {
            requests.for_each(|user_data| ledger.add(user_data));
        }
    }

    #[cold]
    pub(crate) fn note_taken(&self, requests: impl Iterator<Item = UserData>) {
        if let Some(ledger) = &self.ledger {
            requests.for_each(|user_data| ledger.remove(user_data));
        }
    }

    /// Flags that the restrictions demand of every entry.
    pub(crate) fn required_flags(&self) -> u8 {
        self.restrictions.as_ref().map_or(0, Restrictions::required_flags)
    }
}

impl AsFd for Core {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.gate.owner().is_wiped() {
            // The mappings were not inherited; something else may lie at their addresses by now.
            return;
        }
        if let Some(Some(registration)) = self.registration.take() {
            registration.release(self.fd.as_fd());
        }
        // SAFETY: dropped once, here, and not used after.
        unsafe { ManuallyDrop::drop(&mut self.rings) };
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.sqes) };
    }
}
