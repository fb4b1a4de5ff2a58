//! What this kernel and this ring offer.

use std::io;

use uring_sys::{IO_URING_OP_SUPPORTED, io_uring_probe_op};

use crate::codes::{Op, RegisterOp};
use crate::error::{Error, Result};
use crate::features::{Features, SetupFlags};
use crate::ring::core::Core;
use crate::ring::register::query;

/// Operations that a probe can tell of: as many as `io_uring_probe.ops_len` can number.
pub(crate) const OPS_OF_A_PROBE: usize = u8::MAX as usize;

/// One bit an opcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpTable([u64; 4]);

impl OpTable {
    pub(crate) fn from_probe(ops: &[io_uring_probe_op]) -> Self {
        let mut table = Self::default();
        for op in ops {
            if u32::from(op.flags) & IO_URING_OP_SUPPORTED != 0 {
                table.insert(op.op);
            }
        }
        table
    }

    /// The kernel of a query knows every opcode below `count`.
    fn below(count: u32) -> Self {
        let mut table = Self::default();
        for op in 0..=u8::MAX {
            if u32::from(op) < count {
                table.insert(op);
            }
        }
        table
    }

    fn insert(&mut self, op: u8) {
        self.0[usize::from(op / 64)] |= 1 << (op % 64);
    }

    pub(crate) fn supports(&self, op: Op) -> bool {
        let op = op.code();
        self.0[usize::from(op / 64)] & 1 << (op % 64) != 0
    }
}

/// What the kernel answered to "what do you have?".
///
/// Linux 6.18 and newer tells everything (`IORING_REGISTER_QUERY`, since 6.18); an older one tells its operations
/// (`IORING_REGISTER_PROBE`, since 5.6) and its features, and the rest is `None`.
#[derive(Clone, Debug)]
pub struct Probe {
    ops: OpTable,
    features: Features,
    register_ops: Option<u32>,
    setup_flags: Option<SetupFlags>,
}

impl Probe {
    pub(crate) fn new(core: &Core) -> Result<Self> {
        let features = Features::from_bits_retain(core.features());
        // PROBE knows which operations are compiled in, QUERY only how many have a number.
        let probed = core.probe_ops();
        let Ok(answer) = query() else {
            let ops = probed.map_err(refused)?;
            return Ok(Self { ops, features, register_ops: None, setup_flags: None });
        };
        Ok(Self {
            ops: probed.unwrap_or_else(|_| OpTable::below(answer.nr_request_opcodes)),
            features,
            register_ops: Some(answer.nr_register_opcodes),
            // Bits past the 32 that `io_uring_params` can hold cannot be asked for.
            setup_flags: Some(SetupFlags::from_bits_retain(answer.ring_setup_flags as u32)),
        })
    }

    /// Whether the kernel knows the operation.
    #[must_use]
    pub fn supports(&self, op: Op) -> bool {
        self.ops.supports(op)
    }

    /// Whether the kernel knows the register operation; `None` if it does not say (before 6.18).
    #[must_use]
    pub fn supports_register(&self, op: RegisterOp) -> Option<bool> {
        self.register_ops.map(|count| op.code() < count)
    }

    /// The set-up flags that the kernel knows; `None` if it does not say (before 6.18).
    #[must_use]
    pub fn setup_flags(&self) -> Option<SetupFlags> {
        self.setup_flags
    }

    /// The features of the ring that was asked.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }
}

#[cold]
fn refused(error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM | libc::ENOSYS) => "the probe was refused: by a seccomp filter, most likely",
        _ => "the probe was refused: a restricted ring has to allow REGISTER_PROBE",
    };
    Error::kernel("io_uring_register", error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_knows_the_supported_and_only_these() {
        let known = io_uring_probe_op { op: 64, flags: IO_URING_OP_SUPPORTED as u16, ..Default::default() };
        let unknown = io_uring_probe_op { op: 3, ..Default::default() };
        let table = OpTable::from_probe(&[known, unknown]);
        assert!(table.supports(Op::URING_CMD128));
        assert!(!table.supports(Op::FSYNC));
        assert!(!table.supports(Op::new(255)));
        assert!(OpTable::below(63).supports(Op::PIPE));
        assert!(!OpTable::below(63).supports(Op::NOP128));
    }
}
