//! How many places the queues have.

use uring_sys::io_uring_params;

use crate::error::{Error, Result};

/// Most entries of a submission queue (`IORING_MAX_ENTRIES` of the kernel, not in its headers).
const MAX_ENTRIES: usize = 32_768;
/// Most entries of a completion queue (`IORING_MAX_CQ_ENTRIES`).
const MAX_CQ_ENTRIES: usize = 2 * MAX_ENTRIES;

/// How many places the queues are asked to have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) entries: usize,
    /// Twice as many, if it is not said.
    pub(super) cq_entries: Option<usize>,
    /// Whether what is too large is cut to what the kernel has (`IORING_SETUP_CLAMP`).
    pub(super) clamps: bool,
}

/// As many as the kernel takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) entries: u32,
    /// 0 for the kernel's default of twice the submission queue.
    pub(super) cq_entries: u32,
}

impl Asked {
    /// Refuses what the kernel would refuse without a word why.
    pub(super) fn check(self, call: &'static str) -> Result<Checked> {
        let entries = self.check_entries(call)?;
        Ok(Checked { entries, cq_entries: self.check_cq_entries(call, entries)? })
    }

    fn check_entries(self, call: &'static str) -> Result<u32> {
        let entries = if self.clamps { self.entries.min(MAX_ENTRIES) } else { self.entries };
        match u32::try_from(entries) {
            Ok(checked) if (1..=MAX_ENTRIES).contains(&entries) => Ok(checked),
            _ => Err(Error::invalid(
                call,
                format!("{} submission entries: the kernel takes 1 to {MAX_ENTRIES}", self.entries),
            )),
        }
    }

    fn check_cq_entries(self, call: &'static str, entries: u32) -> Result<u32> {
        let Some(asked) = self.cq_entries else {
            return Ok(0);
        };
        let least = entries.next_power_of_two();
        let asked = if self.clamps { asked.min(MAX_CQ_ENTRIES) } else { asked };
        match u32::try_from(asked) {
            Ok(cq_entries) if asked <= MAX_CQ_ENTRIES && cq_entries >= least => Ok(cq_entries),
            _ => Err(Error::invalid(
                call,
                format!(
                    "{asked} completion entries: the kernel takes {least} (the submission queue's size) to {MAX_CQ_ENTRIES}"
                ),
            )),
        }
    }
}

impl Checked {
    /// What the kernel makes of it: the next power of two.
    pub(super) fn rounded(self) -> (u32, u32) {
        let entries = self.entries.next_power_of_two();
        let cq_entries = match self.cq_entries {
            0 => 2 * entries,
            cq_entries => cq_entries.next_power_of_two(),
        };
        (entries, cq_entries)
    }

    /// A ring of these sizes, as the kernel would describe it.
    pub(super) fn params(self, flags: u32) -> io_uring_params {
        let (sq_entries, cq_entries) = self.rounded();
        io_uring_params { flags, sq_entries, cq_entries, ..Default::default() }
    }
}
