//! `io_uring_setup`: what is asked for, what the kernel has of it, and why it said no.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use uring_sys::{
    IORING_FEAT_CUR_PERSONALITY, IORING_FEAT_FAST_POLL, IORING_FEAT_NODROP, IORING_FEAT_POLL_32BITS,
    IORING_FEAT_RW_CUR_POS, IORING_FEAT_SINGLE_MMAP, IORING_FEAT_SUBMIT_STABLE, IORING_SETUP_COOP_TASKRUN,
    IORING_SETUP_CQSIZE, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_NO_SQARRAY, IORING_SETUP_R_DISABLED,
    IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SUBMIT_ALL, IORING_SETUP_TASKRUN_FLAG, io_uring_params,
    io_uring_setup,
};

use super::completion::result;
use crate::error::{Error, Result};
use crate::restriction::Restrictions;

/// Most entries of a submission queue (`IORING_MAX_ENTRIES` of the kernel, not in its headers).
const MAX_ENTRIES: usize = 32_768;
/// Most entries of a completion queue (`IORING_MAX_CQ_ENTRIES`).
const MAX_CQ_ENTRIES: usize = 2 * MAX_ENTRIES;

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

/// What to ask the kernel for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) entries: usize,
    pub(crate) cq_entries: Option<usize>,
    pub(crate) coop_taskrun: bool,
    pub(crate) defer_taskrun: bool,
    pub(crate) restrictions: Option<Restrictions>,
}

impl Request {
    /// Makes the ring with the best of the asked that the kernel has.
    pub(crate) fn setup(&self) -> Result<(OwnedFd, io_uring_params)> {
        let entries = self.checked_entries()?;
        let cq_entries = self.checked_cq_entries(entries)?;
        let mut fixed = 0;
        if cq_entries != 0 {
            fixed |= IORING_SETUP_CQSIZE;
        }
        if self.restrictions.is_some() || self.defer_taskrun {
            fixed |= IORING_SETUP_R_DISABLED;
        }
        for flags in self.ladder() {
            let mut params = io_uring_params { flags: fixed | flags, cq_entries, ..Default::default() };
            // SAFETY: `params` is valid for the kernel to read and write, and outlives the call.
            let ret = unsafe { io_uring_setup(entries, &raw mut params) };
            match result(ret) {
                Ok(_) => {
                    // SAFETY: the kernel has just made the descriptor, and nobody else knows of it.
                    let fd = unsafe { OwnedFd::from_raw_fd(ret) };
                    return check_floor(fd, params);
                }
                // An unknown flag; the next rung is without the newest.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) && flags != 0 => {}
                Err(error) => {
                    let hint = hint(&error);
                    return Err(Error::kernel("io_uring_setup", error, hint));
                }
            }
        }
        unreachable!("the last rung of the ladder has no flags, so its answer was returned")
    }

    /// Sets of optional flags, best first, one for each kernel that added some; the last one is empty.
    fn ladder(&self) -> impl Iterator<Item = u32> {
        const BEST: u32 = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_NO_SQARRAY; // 5.18 and 6.6
        let deferred = self.defer_taskrun.then_some(DEFERRED); // 6.1
        let cooperative = (self.coop_taskrun || self.defer_taskrun).then_some(COOPERATIVE); // 5.19
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

    fn checked_entries(&self) -> Result<u32> {
        match u32::try_from(self.entries) {
            Ok(entries) if (1..=MAX_ENTRIES).contains(&self.entries) => Ok(entries),
            _ => Err(Error::invalid(
                "io_uring_setup",
                format!("{} submission entries: the kernel takes 1 to {MAX_ENTRIES}", self.entries),
            )),
        }
    }

    /// The size to ask for, 0 for the kernel's default of twice the submission queue.
    fn checked_cq_entries(&self, entries: u32) -> Result<u32> {
        let Some(asked) = self.cq_entries else {
            return Ok(0);
        };
        let least = entries.next_power_of_two();
        match u32::try_from(asked) {
            Ok(cq_entries) if asked <= MAX_CQ_ENTRIES && cq_entries >= least => Ok(cq_entries),
            _ => Err(Error::invalid(
                "io_uring_setup",
                format!(
                    "{asked} completion entries: the kernel takes {least} (the submission queue's size) to {MAX_CQ_ENTRIES}"
                ),
            )),
        }
    }
}

fn check_floor(fd: OwnedFd, params: io_uring_params) -> Result<(OwnedFd, io_uring_params)> {
    if params.features & FLOOR == FLOOR {
        return Ok((fd, params));
    }
    Err(Error::kernel(
        "io_uring_setup",
        io::Error::from_raw_os_error(libc::EOPNOTSUPP),
        format!("features {:#x}: this kernel is older than Linux 5.10", params.features),
    ))
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
        Some(libc::ENOMEM) => "not enough memory: before Linux 5.12 rings count against RLIMIT_MEMLOCK (ulimit -l)".into(),
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
