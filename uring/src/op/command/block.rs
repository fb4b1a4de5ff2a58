//! Commands to block devices.

use super::command;
use crate::codes::Op;
use crate::entry::Sqe;

// `linux/blkdev.h`, which is not among the headers of the bindings.
const BLOCK_URING_CMD_DISCARD: u32 = 0x12 << 8;
const BLOCK_URING_CMD_ZONE_RESET_ALL: u32 = 0x12 << 8 | 1;

op! {
    /// Tells a block device that it need not keep a part of its content (`BLOCK_URING_CMD_DISCARD`, since 6.12), as
    /// the `ioctl(2)` `BLKDISCARD` does. The result is 0; `EINVAL` if the part is not made of blocks, `EOPNOTSUPP` if it
    /// is no block device or one that cannot.
    Discard
}

impl_on_file!(
    Discard,
    /// Discards `len` bytes at `offset` of `fd`.
    (offset: u64, len: u64) => Sqe {
        addr: offset,
        addr3: len,
        ..command(Op::URING_CMD, BLOCK_URING_CMD_DISCARD)
    }
);

op! {
    /// Empties every zone of a zoned block device (`BLOCK_URING_CMD_ZONE_RESET_ALL`, newer than 6.18). The result is 0.
    ZoneResetAll
}

impl_on_file!(
    ZoneResetAll,
    /// Empties every zone of `fd`.
    () => command(Op::URING_CMD, BLOCK_URING_CMD_ZONE_RESET_ALL)
);

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_URING_CMD, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, same};

    #[test]
    fn commands_to_block_devices_are_what_liburing_makes_of_them() {
        let mut expected = entry(IORING_OP_URING_CMD, 0, 4096, 0, 0);
        expected.__bindgen_anon_1.__bindgen_anon_1.cmd_op = 0x1200;
        expected.__bindgen_anon_6.__bindgen_anon_1.addr3 = 1 << 33;
        // SAFETY: nothing is pushed.
        same(unsafe { Discard::new(std::io::stdin(), 4096, 1 << 33) }, &expected);

        let mut expected = entry(IORING_OP_URING_CMD, 2, 0, 0, 0);
        expected.__bindgen_anon_1.__bindgen_anon_1.cmd_op = 0x1201;
        expected.flags = IOSQE_FIXED_FILE as u8;
        same(ZoneResetAll::fixed(Fixed(2)), &expected);
    }
}
