//! `io_uring_setup`: what is asked for, what the kernel has of it, and why it said no.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use uring_sys::{
    IORING_FEAT_CUR_PERSONALITY, IORING_FEAT_FAST_POLL, IORING_FEAT_NODROP, IORING_FEAT_POLL_32BITS,
    IORING_FEAT_RW_CUR_POS, IORING_FEAT_SINGLE_MMAP, IORING_FEAT_SUBMIT_STABLE, IORING_SETUP_ATTACH_WQ,
    IORING_SETUP_CLAMP, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CQE_MIXED, IORING_SETUP_CQE32,
    IORING_SETUP_CQSIZE, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_HYBRID_IOPOLL, IORING_SETUP_IOPOLL,
    IORING_SETUP_NO_MMAP, IORING_SETUP_NO_SQARRAY, IORING_SETUP_R_DISABLED, IORING_SETUP_REGISTERED_FD_ONLY,
    IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SQ_AFF, IORING_SETUP_SQ_REWIND, IORING_SETUP_SQE_MIXED,
    IORING_SETUP_SQE128, IORING_SETUP_SQPOLL, IORING_SETUP_SUBMIT_ALL, IORING_SETUP_TASKRUN_FLAG,
    io_uring_params, io_uring_setup,
};

use super::door::Door;
use super::layout::{Layout, page_size};
use super::mapping::Mapping;
use super::register::query;
use super::sizes::{Asked, Checked};
use super::thread::Registration;
use crate::entry::result;
use crate::error::{Error, Result};
use crate::features::SetupFlags;
use crate::restriction::Restrictions;

/// What Linux 5.10 has, and what the rest of this crate takes for granted.
const FLOOR: u32 = IORING_FEAT_SINGLE_MMAP
    | IORING_FEAT_NODROP
    | IORING_FEAT_SUBMIT_STABLE
    | IORING_FEAT_RW_CUR_POS
    | IORING_FEAT_CUR_PERSONALITY
    | IORING_FEAT_FAST_POLL
    | IORING_FEAT_POLL_32BITS;

/// Task work runs when this process enters the kernel anyway, instead of by an interrupt.
const COOPERATIVE: u32 = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
/// Task work runs only when completions are asked for, in the one thread that submits.
const DEFERRED: u32 = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

/// How completion work is to run, as far as the kernel has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TaskWork {
    #[default]
    Interrupts,
    Cooperative,
    Deferred,
}

/// Where the rings are to lie.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Memory {
    /// The kernel allocates, and the process maps.
    #[default]
    Kernel,
    /// The process allocates, pages of 2<sup>n</sup> bytes if it says so.
    Own { huge: Option<u8> },
    /// The caller of this crate has allocated.
    Lent { start: NonNull<u8>, len: usize },
}

// SAFETY: the pointer is not followed here, only handed on to `Mapping::lent`, whose contract the caller has signed
// for whatever thread that happens in.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Finds memory for the rings, where it is not the kernel that does, and names it.
    pub(super) fn find(
        self,
        layout: Layout,
        params: &mut io_uring_params,
    ) -> Result<Option<(Mapping, Mapping)>> {
        let memory = match self {
            Self::Kernel => return Ok(None),
            Self::Own { huge } => Mapping::own(layout.pages(), huge).map_err(|error| {
                let hint = match (huge, error.raw_os_error()) {
                    (Some(_), Some(libc::EINVAL)) => "huge pages: this machine has none of that size",
                    (Some(_), _) => "huge pages: vm.nr_hugepages tells how many there are",
                    (None, _) => "",
                };
                Error::kernel("mmap", error, hint)
            })?,
            Self::Lent { start, len } => {
                if start.addr().get() % page_size() != 0 || len < layout.pages() {
                    return Err(Error::invalid(
                        "io_uring_setup",
                        format!(
                            "{len} bytes of memory: the rings need {} from the start of a page on",
                            layout.pages()
                        ),
                    ));
                }
                // SAFETY: whoever lent the memory has promised what this asks for (`Builder::memory`).
                unsafe { Mapping::lent(start, len) }.map_err(map_error)?
            }
        };
        let (rings, sqes) = memory.split_at(layout.ring_pages());
        params.cq_off.user_addr = rings.start().as_ptr().expose_provenance() as u64;
        params.sq_off.user_addr = sqes.start().as_ptr().expose_provenance() as u64;
        Ok(Some((rings, sqes)))
    }
}

/// What to ask the kernel for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request<'a> {
    pub(crate) entries: usize,
    pub(crate) cq_entries: Option<usize>,
    /// What the ring cannot do without, `IORING_SETUP_*`.
    pub(crate) flags: u32,
    /// What it can do without.
    pub(crate) task_work: TaskWork,
    pub(crate) sq_thread_cpu: u32,
    pub(crate) sq_thread_idle: u32,
    pub(crate) wq: Option<BorrowedFd<'a>>,
    pub(crate) memory: Memory,
    pub(crate) restrictions: Option<Restrictions>,
}

/// A ring as the kernel has made it.
pub(crate) struct Made {
    pub(crate) door: Door,
    pub(crate) params: io_uring_params,
    /// The rings and the entries, where it is not the kernel that allocates.
    pub(crate) memory: Option<(Mapping, Mapping)>,
}

impl Request<'_> {
    /// Makes the ring with the best of the asked that the kernel has.
    pub(crate) fn setup(&self) -> Result<Made> {
        let sizes = self.sizes()?;
        let Checked { entries, cq_entries } = sizes;
        self.check_flags()?;
        let mut fixed = self.flags;
        if cq_entries != 0 {
            fixed |= IORING_SETUP_CQSIZE;
        }
        // A ring for one thread is for the one that first uses it, not for the one that makes it.
        let bound = self.task_work == TaskWork::Deferred || self.flags & IORING_SETUP_SINGLE_ISSUER != 0;
        if self.restrictions.is_some() || bound {
            fixed |= IORING_SETUP_R_DISABLED;
        }
        if self.wq.is_some() {
            fixed |= IORING_SETUP_ATTACH_WQ;
        }
        if !matches!(self.memory, Memory::Kernel) {
            fixed |= IORING_SETUP_NO_MMAP;
        }
        for flags in self.ladder() {
            let mut params = io_uring_params {
                flags: fixed | flags,
                cq_entries,
                sq_thread_cpu: self.sq_thread_cpu,
                sq_thread_idle: self.sq_thread_idle,
                wq_fd: self.wq.map_or(0, |fd| fd.as_raw_fd().unsigned_abs()),
                ..Default::default()
            };
            let memory = self.memory.find(Layout::of(&sizes.params(params.flags)), &mut params)?;
            // SAFETY: `params` is valid for the kernel to read and write, and outlives the call; memory that it
            // names stays mapped, since `Core` keeps it as long as the ring.
            let ret = unsafe { io_uring_setup(entries, &raw mut params) };
            match result(ret) {
                Ok(_) => {
                    let door = if params.flags & IORING_SETUP_REGISTERED_FD_ONLY == 0 {
                        // SAFETY: the kernel has just made the descriptor, and nobody else knows of it.
                        Door::Open(unsafe { OwnedFd::from_raw_fd(ret) })
                    } else {
                        Door::Registered(Registration::adopt(ret.cast_unsigned()))
                    };
                    check_floor(&params)?;
                    check_memory(&params, memory.as_ref())?;
                    return Ok(Made { door, params, memory });
                }
                // An unknown flag; the next rung is without the newest.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) && flags != 0 => {}
                Err(error) => {
                    let hint = self.hint(&error, fixed);
                    return Err(Error::kernel("io_uring_setup", error, hint));
                }
            }
        }
        unreachable!("the last rung of the ladder has no flags, so its answer was returned")
    }

    /// Sets of optional flags, best first, one for each kernel that added some; the last one is empty.
    fn ladder(&self) -> impl Iterator<Item = u32> {
        const BEST: u32 = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_NO_SQARRAY; // 5.18 and 6.6
        let deferred = (self.task_work == TaskWork::Deferred).then_some(DEFERRED); // 6.1
        let cooperative = (self.task_work != TaskWork::Interrupts).then_some(COOPERATIVE); // 5.19
        [
            deferred.map(|task| task | BEST),
            deferred.map(|task| task | IORING_SETUP_SUBMIT_ALL),
            cooperative.map(|task| task | BEST),
            cooperative.map(|task| task | IORING_SETUP_SUBMIT_ALL),
            Some(BEST),
            Some(IORING_SETUP_SUBMIT_ALL),
            Some(0),
        ]
        .into_iter()
        .flatten()
    }

    /// What the ring will take, as far as can be told before it is made: with an index array, which kernels from
    /// 6.6 on do without.
    pub(crate) fn expected_layout(&self) -> Result<Layout> {
        Ok(Layout::of(&self.sizes()?.params(self.flags)))
    }

    fn sizes(&self) -> Result<Checked> {
        let clamps = self.flags & IORING_SETUP_CLAMP != 0;
        Asked { entries: self.entries, cq_entries: self.cq_entries, clamps }.check("io_uring_setup")
    }

    /// Refuses what the kernel would refuse without a word why.
    fn check_flags(&self) -> Result<()> {
        let has = |flags| self.flags & flags != 0;
        let refused = REFUSED.iter().find(|(with, without, _)| has(*with) && !has(*without));
        let clash = CLASHES.iter().find(|(one, other, _)| has(*one) && has(*other));
        match refused.or(clash) {
            Some((.., why)) => Err(Error::invalid("io_uring_setup", *why)),
            None if has(IORING_SETUP_REGISTERED_FD_ONLY) && matches!(self.memory, Memory::Kernel) => {
                Err(Error::invalid(
                    "io_uring_setup",
                    "REGISTERED_FD_ONLY: without a descriptor nothing can be mapped, so it takes memory of the process \
                     (`Builder::no_mmap` or `memory`)",
                ))
            }
            None => Ok(()),
        }
    }

    /// Says what forbids the ring, as far as the system tells.
    fn hint(&self, error: &io::Error, flags: u32) -> String {
        match error.raw_os_error() {
            Some(libc::EBADF | libc::EINVAL) if self.wq.is_some() => {
                "`attach_wq`: that is no ring, or none with the same kind of thread".into()
            }
            Some(libc::EINVAL) if flags != 0 => {
                let asked = SetupFlags::from_bits_retain(flags);
                match query() {
                    Ok(answer) if u64::from(flags) & !answer.ring_setup_flags != 0 => {
                        let known = SetupFlags::from_bits_retain(answer.ring_setup_flags as u32);
                        let unknown = SetupFlags::from_bits_retain(flags & !known.bits());
                        format!("this kernel does not know {unknown:?}")
                    }
                    Ok(_) => format!("this kernel does not take {asked:?} together, or not for such sizes"),
                    Err(_) => {
                        format!("this kernel does not know one of {asked:?}, or does not take them together")
                    }
                }
            }
            Some(libc::EPERM)
                if self.flags & IORING_SETUP_SQ_AFF != 0 && disabled().as_deref() == Some("0") =>
            {
                "`sqpoll_cpu`: the process may not run there".into()
            }
            _ => hint(error),
        }
    }
}

/// Flags that mean nothing without another one.
const REFUSED: [(u32, u32, &str); 5] = [
    (IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER, "DEFER_TASKRUN takes SINGLE_ISSUER beside it"),
    (
        IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN,
        "TASKRUN_FLAG takes COOP_TASKRUN or DEFER_TASKRUN beside it",
    ),
    (IORING_SETUP_SQ_AFF, IORING_SETUP_SQPOLL, "SQ_AFF binds the thread of SQPOLL, which was not asked for"),
    (IORING_SETUP_HYBRID_IOPOLL, IORING_SETUP_IOPOLL, "HYBRID_IOPOLL takes IOPOLL beside it"),
    (IORING_SETUP_SQ_REWIND, IORING_SETUP_NO_SQARRAY, "SQ_REWIND takes NO_SQARRAY beside it"),
];

/// Flags that exclude one another.
const CLASHES: [(u32, u32, &str); 6] = [
    (
        IORING_SETUP_SQPOLL,
        IORING_SETUP_COOP_TASKRUN,
        "SQPOLL: its thread runs completion work, there is no COOP_TASKRUN",
    ),
    (
        IORING_SETUP_SQPOLL,
        IORING_SETUP_DEFER_TASKRUN,
        "SQPOLL: its thread runs completion work, there is no DEFER_TASKRUN",
    ),
    (
        IORING_SETUP_SQPOLL,
        IORING_SETUP_SQ_REWIND,
        "SQPOLL: its thread needs indices that go on, there is no SQ_REWIND",
    ),
    (
        IORING_SETUP_SQPOLL,
        IORING_SETUP_TASKRUN_FLAG,
        "SQPOLL: its thread runs completion work, there is no TASKRUN_FLAG",
    ),
    (IORING_SETUP_SQE128, IORING_SETUP_SQE_MIXED, "SQE128 and SQE_MIXED: entries are large or of both sizes"),
    (
        IORING_SETUP_CQE32,
        IORING_SETUP_CQE_MIXED,
        "CQE32 and CQE_MIXED: completions are large or of both sizes",
    ),
];

/// Fails on a kernel older than the floor.
fn check_floor(params: &io_uring_params) -> Result<()> {
    if params.features & FLOOR == FLOOR {
        return Ok(());
    }
    Err(Error::kernel(
        "io_uring_setup",
        io::Error::from_raw_os_error(libc::EOPNOTSUPP),
        format!("features {:#x}: this kernel is older than Linux 5.10", params.features),
    ))
}

/// Fails on a kernel that lays the rings out otherwise than was computed: it would use memory that is not theirs.
fn check_memory(params: &io_uring_params, memory: Option<&(Mapping, Mapping)>) -> Result<()> {
    match memory {
        Some((rings, sqes)) if !Layout::is_within(params, rings.len(), sqes.len()) => {
            Err(Error::unsupported(
                "io_uring_setup",
                "NO_MMAP: this kernel's rings are laid out in a way not known here",
            ))
        }
        _ => Ok(()),
    }
}

/// Says what forbids the ring, as far as the system tells.
fn hint(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM) => match disabled().as_deref() {
            Some("2") => "kernel.io_uring_disabled=2 forbids io_uring to every process (sysctl)".into(),
            Some("1") => "kernel.io_uring_disabled=1 forbids io_uring to processes without CAP_SYS_ADMIN outside of the group kernel.io_uring_group (sysctl)".into(),
            _ => "forbidden by a seccomp filter or a security module: containers' default profiles do so".into(),
        },
        Some(libc::ENOSYS) => {
            "the kernel is built without CONFIG_IO_URING, or a seccomp filter hides the call".into()
        }
        Some(libc::ENOMEM) => "not enough memory: before Linux 5.12, and since 6.14, rings count against RLIMIT_MEMLOCK (ulimit -l)".into(),
        Some(libc::EMFILE) => "RLIMIT_NOFILE (ulimit -n) is used up".into(),
        _ => String::new(),
    }
}

fn disabled() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    Some(text.trim().to_owned())
}

/// Explains a mapping that failed.
pub(crate) fn map_error(error: io::Error) -> Error {
    Error::kernel(
        "mmap",
        error,
        "the rings could not be mapped: RLIMIT_AS or vm.max_map_count may be used up",
    )
}
