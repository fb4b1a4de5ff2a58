//! What this kernel has.

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::OnceLock;

use uring_sys::{
    IORING_ENTER_ABS_TIMER, IORING_ENTER_EXT_ARG, IORING_ENTER_EXT_ARG_REG, IORING_ENTER_GETEVENTS,
    IORING_ENTER_NO_IOWAIT, IORING_ENTER_REGISTERED_RING, IORING_ENTER_SQ_WAIT, IORING_ENTER_SQ_WAKEUP,
    ZCRX_FEATURE_EVENT, ZCRX_FEATURE_RX_PAGE_SIZE, io_uring_params, io_uring_query_zcrx,
    io_uring_query_zcrx_event, io_uring_setup,
};

use crate::codes::{Op, RegisterOp};
use crate::entry::SqeFlags;
use crate::error::Result;
use crate::features::{Features, SetupFlags};
use crate::probe::Probe;
use crate::ring::Ring;
use crate::ring::core::Core;
use crate::ring::register::{query, query_scq, query_zcrx, query_zcrx_event};

/// What this kernel has, asked for once in a process.
///
/// Linux 6.18 and newer says everything by itself (`IORING_REGISTER_QUERY`, since 6.18); an older one tells its
/// operations (`IORING_REGISTER_PROBE`, since 5.6) and its features. From these follows which release it has at least,
/// and with that its register operations and flags; set-up flags are tried one by one.
///
/// ```
/// use uring::{Capabilities, Op, RegisterOp, SetupFlags};
///
/// let kernel = Capabilities::get()?;
/// assert!(kernel.supports(Op::READ));
/// assert!(kernel.supports_register(RegisterOp::REGISTER_FILES));
/// println!("a ring for one thread: {}", kernel.setup_flags().contains(SetupFlags::SINGLE_ISSUER));
/// # Ok::<(), uring::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Capabilities {
    probe: Probe,
    /// One bit for each.
    register_ops: u64,
    setup_flags: SetupFlags,
    sqe_flags: SqeFlags,
    enter_flags: u32,
    zcrx: Option<ZcrxCapabilities>,
    header: Option<(usize, usize)>,
}

impl Capabilities {
    /// Asks the kernel the first time, and remembers what it said.
    ///
    /// # Errors
    ///
    /// As [`Ring::new`]: where there is no io_uring (`ENOSYS`), or it is forbidden (`EPERM`). It is asked again the next
    /// time.
    pub fn get() -> Result<&'static Self> {
        static KNOWN: OnceLock<Capabilities> = OnceLock::new();
        match KNOWN.get() {
            Some(known) => Ok(known),
            None => {
                let asked = Self::ask()?;
                Ok(KNOWN.get_or_init(|| asked))
            }
        }
    }

    fn ask() -> Result<Self> {
        let ring: Ring = Ring::new(1)?;
        let core = &ring.submit.core;
        let probe = Probe::new(core)?;
        let zcrx = query_zcrx().ok().map(|answer| ZcrxCapabilities::new(&answer, query_zcrx_event().ok()));
        let header = query_scq().ok().map(|answer| (answer.hdr_size as usize, answer.hdr_alignment as usize));
        Ok(match query() {
            Ok(told) => Self {
                register_ops: below(told.nr_register_opcodes),
                // Bits past those that an entry, and `io_uring_params`, can hold cannot be asked for.
                setup_flags: SetupFlags::from_bits_retain(told.ring_setup_flags as u32),
                sqe_flags: SqeFlags::from_bits_retain(told.sqe_flags as u8),
                enter_flags: told.enter_flags as u32,
                probe,
                zcrx,
                header,
            },
            Err(_) => Self {
                register_ops: register_ops(&probe, core),
                setup_flags: setup_flags(),
                sqe_flags: sqe_flags(&probe),
                enter_flags: enter_flags(&probe, core),
                probe,
                zcrx,
                header,
            },
        })
    }

    /// Whether the kernel has the operation.
    #[must_use]
    pub fn supports(&self, op: Op) -> bool {
        self.probe.supports(op)
    }

    /// Whether the kernel has the register operation. Some of what it has needs a device, or a ring of some kind.
    #[must_use]
    pub fn supports_register(&self, op: RegisterOp) -> bool {
        op.code() < u64::BITS && self.register_ops & 1 << op.code() != 0
    }

    /// The set-up flags that the kernel takes.
    #[must_use]
    pub fn setup_flags(&self) -> SetupFlags {
        self.setup_flags
    }

    /// What the kernel can do with a ring.
    #[must_use]
    pub fn features(&self) -> Features {
        self.probe.features()
    }

    /// The flags that every request takes.
    #[must_use]
    pub fn sqe_flags(&self) -> SqeFlags {
        self.sqe_flags
    }

    /// The flags of `io_uring_enter(2)`, `IORING_ENTER_*`.
    #[must_use]
    pub fn enter_flags(&self) -> u32 {
        self.enter_flags
    }

    /// What receiving without copies can do and needs; `None` if the kernel does not say (before 6.19).
    #[must_use]
    pub fn zcrx(&self) -> Option<ZcrxCapabilities> {
        self.zcrx
    }

    /// Size and alignment, in bytes, of what lies before the entries of the rings; `None` if the kernel does not say
    /// (before 6.19).
    #[must_use]
    pub fn ring_header(&self) -> Option<(usize, usize)> {
        self.header
    }
}

/// What receiving without copies can do, and what it needs of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZcrxCapabilities {
    /// Flags of [`Zcrx`](crate::ring::Zcrx), `ZCRX_REG_*`.
    pub register_flags: u64,
    /// Flags of its area, `IORING_ZCRX_AREA_*`.
    pub area_flags: u64,
    /// How many operations a queue has, `ZCRX_CTRL_*`.
    pub ctrl_ops: u32,
    /// Whether pieces may be larger than pages ([`Zcrx::buffer_len`](crate::ring::Zcrx::buffer_len)).
    pub buffer_len: bool,
    /// The kinds of [events](crate::ring::ZcrxEvents), one bit each.
    pub events: u32,
    /// Bytes before the entries of the refill ring.
    pub header_size: u32,
    /// Alignment of these.
    pub header_alignment: u32,
    /// Bytes that the counters of copies take, and their alignment.
    pub stats: (u32, u32),
}

impl ZcrxCapabilities {
    fn new(told: &io_uring_query_zcrx, event: Option<io_uring_query_zcrx_event>) -> Self {
        let has = |feature| told.features & feature != 0;
        let event = event.filter(|_| has(ZCRX_FEATURE_EVENT)).unwrap_or_default();
        Self {
            register_flags: told.register_flags,
            area_flags: told.area_flags,
            ctrl_ops: told.nr_ctrl_opcodes,
            buffer_len: has(ZCRX_FEATURE_RX_PAGE_SIZE),
            events: event.event_flags,
            header_size: told.rq_hdr_size,
            header_alignment: told.rq_hdr_alignment,
            stats: (event.stats_size, event.stats_off_alignment),
        }
    }
}

/// A bit for each number below this.
fn below(count: u32) -> u64 {
    if count >= u64::BITS { u64::MAX } else { (1 << count) - 1 }
}

/// The register operations of a kernel before 6.18, by what came with them.
fn register_ops(probe: &Probe, core: &Core) -> u64 {
    let has = |feature| probe.features().contains(feature);
    let (regions, workers) = (core.knows_regions(), core.knows_limits_of_workers());
    let known = |op: u32| match op {
        // Linux 5.10 and newer.
        0..=12 => true,
        // 5.13.
        13..=16 => has(Features::RSRC_TAGS),
        // 5.14 and 5.15, and late ones of 5.10.
        17..=19 => workers,
        // 5.18.
        20..=21 => probe.supports(Op::MSG_RING),
        // 5.19.
        22..=23 => probe.supports(Op::SOCKET),
        // 6.0.
        24..=25 => probe.supports(Op::SEND_ZC),
        // 6.8.
        26 => probe.supports(Op::FIXED_FD_INSTALL),
        // 6.9.
        27..=28 => probe.supports(Op::FTRUNCATE),
        // 6.12.
        29..=30 => has(Features::MIN_TIMEOUT),
        // 6.13.
        31 | 33 | 34 => regions,
        // 6.15.
        32 => probe.supports(Op::RECV_ZC),
        _ => false,
    };
    (0..u64::BITS).filter(|op| known(*op)).fold(0, |ops, op| ops | 1 << op)
}

fn sqe_flags(probe: &Probe) -> SqeFlags {
    let skip = probe.features().contains(Features::CQE_SKIP);
    let old =
        SqeFlags::NAMES.iter().map(|(flag, _)| *flag).filter(|flag| *flag != SqeFlags::CQE_SKIP_SUCCESS);
    let newer = if skip { SqeFlags::CQE_SKIP_SUCCESS } else { SqeFlags::empty() };
    old.fold(newer, SqeFlags::union)
}

fn enter_flags(probe: &Probe, core: &Core) -> u32 {
    let has = |feature| probe.features().contains(feature);
    let newer = [
        (has(Features::EXT_ARG), IORING_ENTER_EXT_ARG),
        (probe.supports(Op::MSG_RING), IORING_ENTER_REGISTERED_RING),
        (has(Features::MIN_TIMEOUT), IORING_ENTER_ABS_TIMER),
        (core.knows_regions(), IORING_ENTER_EXT_ARG_REG),
        (has(Features::NO_IOWAIT), IORING_ENTER_NO_IOWAIT),
    ];
    let old = IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP | IORING_ENTER_SQ_WAIT;
    newer.iter().filter(|(has, _)| *has).fold(old, |flags, (_, flag)| flags | flag)
}

/// Tries each flag: a kernel that does not know it says `EINVAL`, one that knows it makes a ring or says something else.
fn setup_flags() -> SetupFlags {
    let known = |flag: SetupFlags| {
        let with = match flag {
            SetupFlags::SQ_AFF => SetupFlags::SQPOLL,
            SetupFlags::TASKRUN_FLAG => SetupFlags::COOP_TASKRUN,
            SetupFlags::DEFER_TASKRUN => SetupFlags::SINGLE_ISSUER,
            SetupFlags::REGISTERED_FD_ONLY => SetupFlags::NO_MMAP,
            SetupFlags::HYBRID_IOPOLL => SetupFlags::IOPOLL,
            SetupFlags::SQ_REWIND => SetupFlags::NO_SQARRAY,
            _ => SetupFlags::empty(),
        };
        let mut params =
            io_uring_params { flags: flag.union(with).bits(), cq_entries: 2, ..Default::default() };
        // `ATTACH_WQ` names no ring, and NO_MMAP no memory.
        params.wq_fd = u32::MAX;
        // SAFETY: `params` outlives the call.
        let fd = unsafe { io_uring_setup(1, &raw mut params) };
        if fd >= 0 {
            // SAFETY: the kernel has just opened it, for this call alone.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        fd != -libc::EINVAL
    };
    SetupFlags::NAMES
        .iter()
        .map(|(flag, _)| *flag)
        .filter(|flag| known(*flag))
        .fold(SetupFlags::empty(), SetupFlags::union)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is concluded is what a kernel that says it says.
    #[test]
    fn conclusions_are_what_the_kernel_says_where_it_does() {
        let Ok(told) = query() else { return };
        let known = Capabilities::get().unwrap();
        let ring: Ring = Ring::new(1).unwrap();
        let concluded = register_ops(&known.probe, &ring.submit.core);
        // The query itself, and what is younger than that, is said by the query alone.
        assert_eq!(concluded, below(35) & below(told.nr_register_opcodes));
        assert_eq!(enter_flags(&known.probe, &ring.submit.core), known.enter_flags);
        assert_eq!(sqe_flags(&known.probe), known.sqe_flags);
        assert_eq!(setup_flags(), known.setup_flags);
    }
}
