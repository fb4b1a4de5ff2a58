//! What both queues stand on.

use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use uring_sys::{
    IORING_FEAT_CQE_SKIP, IORING_FEAT_LINKED_FILE, IORING_FEAT_NO_IOWAIT, IORING_FEAT_REG_REG_RING,
    IORING_SETUP_R_DISABLED, IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SQPOLL, IORING_SETUP_SUBMIT_ALL,
    io_cqring_offsets, io_sqring_offsets, io_uring_params,
};

use super::cq::Cq;
use super::door::Door;
use super::index::Index;
use super::ledger::Ledger;
use super::mapping::Mapping;
use super::provided::Provided;
use super::register::{Kept, Tenancy};
use super::release;
use super::setup::{Made, Memory, Request, map_error};
use super::sq::Sq;
use super::thread::Registration;
use crate::UserData;
use crate::codes::Op;
use crate::entry::{Completion, Submission};
use crate::error::{Error, Result};
use crate::fork::Gate;
use crate::op::file;
use crate::restriction::Restrictions;

/// A thread that never is: threads are named from 1 on, one by one.
const NO_THREAD: u64 = u64::MAX;

/// The memory of a ring, and what the kernel says of it.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) rings: Mapping,
    pub(crate) sqes: Mapping,
    pub(crate) params: io_uring_params,
}

/// The descriptor of a ring, its memory, and what is known of both.
///
/// Field order matters to nobody: `Drop` takes the parts down by hand.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) door: ManuallyDrop<Door>,
    /// Locked to be replaced only, when the ring is resized.
    pub(super) maps: Mutex<ManuallyDrop<Maps>>,
    gate: Gate,
    features: u32,
    setup_flags: u32,
    /// Whose the memory is.
    pub(super) memory: Memory,
    /// Set by the first enter: it enables a ring that was made disabled, in the thread that will use it,
    /// and registers the descriptor there.
    pub(super) registration: OnceLock<Option<Registration>>,
    /// What `registration` holds, for the one thread that it is good for: `NO_THREAD` is none.
    pub(super) door_thread: AtomicU64,
    pub(super) door_index: AtomicU32,
    /// Whether the first enter enables the ring.
    enables: bool,
    /// What absolute times are times of.
    pub(super) clock: AtomicI32,
    restrictions: OnceLock<Restrictions>,
    ledger: Option<Ledger>,
    /// Whether each completion is taken for that of a request, so that there must be no others.
    pub(crate) counts: AtomicBool,
    pub(super) has_buffers: AtomicBool,
    pub(super) tenancy: Arc<Tenancy>,
    pub(super) kept: Kept,
    pub(super) has_files: AtomicBool,
    /// Rings of provided buffers, which have owners of their own.
    pub(super) provided: Arc<Provided>,
    /// Hangs up when the kernel has freed the ring, where that has to be waited for.
    pub(super) released: OnceLock<OwnedFd>,
}

impl Core {
    /// Makes a ring and its two queues.
    pub(crate) fn new<S: Submission, C: Completion>(
        request: &Request<'_>,
    ) -> Result<(Arc<Self>, Sq<S>, Cq<C>)> {
        let gate = Gate::new().map_err(map_error)?;
        Self::of(gate, request, request.setup()?)
    }

    /// As [`new`](Self::new), of a ring that is made.
    pub(super) fn of<S: Submission, C: Completion>(
        gate: Gate,
        request: &Request<'_>,
        made: Made,
    ) -> Result<(Arc<Self>, Sq<S>, Cq<C>)> {
        let Made { door, params, memory } = made;
        if params.features & IORING_FEAT_CQE_SKIP != 0 {
            file::note_places();
        }
        let maps = match (memory, door.descriptor()) {
            (Some((rings, sqes)), _) => Maps { rings, sqes, params },
            (None, Some(fd)) => Maps::of_ring(fd, &params).map_err(map_error)?,
            (None, None) => {
                unreachable!("`Request::check_flags` lets no ring be without descriptor and memory")
            }
        };
        // SAFETY: `Core` owns the mappings, and whoever is given the queue keeps the `Arc` beside it.
        let sq = unsafe { Sq::new(&maps, &gate) };
        // SAFETY: as above.
        let cq = unsafe { Cq::new(&maps) };
        let mut core = Self {
            door: ManuallyDrop::new(door),
            maps: Mutex::new(ManuallyDrop::new(maps)),
            gate,
            features: params.features,
            setup_flags: params.flags,
            memory: request.memory,
            registration: OnceLock::new(),
            door_thread: AtomicU64::new(NO_THREAD),
            door_index: AtomicU32::new(0),
            // Who asked for a disabled ring enables it; the rest of them is disabled for our own ends.
            enables: params.flags & !request.flags & IORING_SETUP_R_DISABLED != 0,
            clock: AtomicI32::new(libc::CLOCK_MONOTONIC),
            restrictions: OnceLock::new(),
            ledger: None,
            counts: AtomicBool::new(false),
            has_buffers: AtomicBool::new(false),
            tenancy: Arc::default(),
            kept: Kept::default(),
            has_files: AtomicBool::new(false),
            provided: Arc::default(),
            released: OnceLock::new(),
        };
        if !core.can_cancel_any() {
            core.ledger = Some(Ledger::default());
        }
        if let Some(restrictions) = &request.restrictions {
            core.restrict(restrictions)?;
            // A ring that is bound to the thread that enables it is enabled by the first one that enters.
            if core.enables && params.flags & IORING_SETUP_SINGLE_ISSUER == 0 {
                core.enable()?;
            }
        }
        let core = Arc::new(core);
        core.provided.open(&core);
        Ok((core, sq, cq))
    }

    pub(super) fn maps(&self) -> MutexGuard<'_, ManuallyDrop<Maps>> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes other memory, and gives that of before.
    pub(super) fn replace(&self, maps: Maps) -> Maps {
        ManuallyDrop::into_inner(mem::replace(&mut *self.maps(), ManuallyDrop::new(maps)))
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn features(&self) -> u32 {
        self.features
    }

    pub(crate) fn setup_flags(&self) -> u32 {
        self.setup_flags
    }

    /// A word of the submission ring.
    pub(crate) fn sq_word(&self, offset: impl FnOnce(&io_sqring_offsets) -> u32) -> Index {
        let maps = self.maps();
        // SAFETY: `Core` owns the mapping, and who holds an index holds an `Arc<Core>` beside it and renews it when the
        // mapping is replaced; the kernel gave the offset.
        unsafe { Index::new(&maps.rings, offset(&maps.params.sq_off)) }
    }

    /// A word of the completion ring.
    pub(crate) fn cq_word(&self, offset: impl FnOnce(&io_cqring_offsets) -> u32) -> Index {
        let maps = self.maps();
        // SAFETY: as above.
        unsafe { Index::new(&maps.rings, offset(&maps.params.cq_off)) }
    }

    /// Whether only the thread that first enters may ever enter.
    pub(crate) fn is_bound_to_thread(&self) -> bool {
        self.setup_flags() & IORING_SETUP_SINGLE_ISSUER != 0
    }

    /// The descriptor, but for a ring that has none.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.door.descriptor()
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

    /// Whether requests are taken by a thread of the kernel's.
    pub(super) fn is_polled(&self) -> bool {
        self.setup_flags() & IORING_SETUP_SQPOLL != 0
    }

    /// Whether the kernel, before 6.16, does not count the notifications of sends without copies, and the ring may have
    /// such.
    pub(super) fn loses_count_of_notifications(&self) -> bool {
        let may = |restrictions: &Restrictions| {
            [Op::SEND_ZC, Op::SENDMSG_ZC].iter().any(|op| restrictions.allows(*op))
        };
        self.features() & IORING_FEAT_NO_IOWAIT == 0 && self.restrictions.get().is_none_or(may)
    }

    /// Makes the ring ready for the first thread that enters.
    pub(super) fn prepare(&self) -> Option<Registration> {
        if self.enables {
            // One that `new` has enabled already says EBADFD here; one that stays disabled says it to the
            // enter that follows, which the caller sees.
            let _ = self.enable();
        }
        // A restricted ring may refuse to register descriptors, and to take them back.
        if self.restrictions.get().is_some() { None } else { Registration::new(self.descriptor()?) }
    }

    /// Gives back what is registered with the calling thread, which may outlive the ring and would keep it.
    pub(super) fn leave_thread(&self) {
        if let Some(Some(registration)) = self.registration.get()
            && registration.is_mine()
        {
            self.door_thread.store(NO_THREAD, Ordering::Relaxed);
            registration.release(self.descriptor());
        }
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

    /// Restricts the ring, which is disabled, once and for all.
    pub(crate) fn restrict(&self, restrictions: &Restrictions) -> Result<()> {
        restrictions.check()?;
        if restrictions.required_flags() != 0 && self.ledger.is_some() {
            // There a request to cancel must not carry the flag that all have to carry, so nothing could
            // be cancelled, and a drop might wait for ever.
            return Err(Error::unsupported(
                "io_uring_register",
                "flags that every request has to carry take Linux 5.19 or newer",
            ));
        }
        // `SUBMIT_ALL`, which every ring has that can, came with the same kernel.
        let has_places = self.setup_flags() & IORING_SETUP_SUBMIT_ALL != 0;
        self.register_restrictions(&mut restrictions.to_raw(has_places))?;
        // The kernel takes them once only.
        let _ = self.restrictions.set(restrictions.clone());
        Ok(())
    }

    /// Flags that the restrictions demand of every entry.
    pub(crate) fn required_flags(&self) -> u8 {
        self.restrictions.get().map_or(0, Restrictions::required_flags)
    }
}

/// # Panics
///
/// For a ring without a descriptor.
impl AsFd for Core {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor().expect("a ring with REGISTERED_FD_ONLY has no descriptor")
    }
}

impl Maps {
    /// Maps what the kernel has allocated.
    pub(crate) fn of_ring(fd: BorrowedFd<'_>, params: &io_uring_params) -> io::Result<Self> {
        Ok(Self { rings: Mapping::rings(fd, params)?, sqes: Mapping::sqes(fd, params)?, params: *params })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let is_forked = self.gate.owner().is_wiped();
        if !is_forked {
            // A mapping of the descriptor keeps the ring.
            self.provided.detach();
            if let Some(Some(registration)) = self.registration.take() {
                // Before 6.3 the entry itself does not serve to take it back, but the descriptor does.
                registration.release(self.descriptor());
            }
            if let Door::Registered(entry) = &*self.door {
                entry.release(None);
            }
            let maps = self.maps.get_mut().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: dropped once, here, and not used after. In a forked child the mappings were not inherited;
            // something else may lie at their addresses by now.
            unsafe { ManuallyDrop::drop(maps) };
        }
        // SAFETY: dropped once, here, and not used after.
        unsafe { ManuallyDrop::drop(&mut self.door) };
        if is_forked {
            return;
        }
        let Some(reader) = self.released.get() else { return self.provided.free() };
        if release::wait(reader) {
            self.tenancy.end(false);
            self.provided.free();
        } else {
            // The kernel's for good, as what the owners have.
            mem::forget(mem::take(&mut self.kept));
        }
    }
}
