//! Commands to drivers: `ioctl(2)` without a wait, since 5.19. Those to sockets are in [`net`](crate::op::net).

mod block;

use uring_sys::{IORING_URING_CMD_FIXED, IORING_URING_CMD_MULTISHOT};

pub use self::block::{Discard, ZoneResetAll};
use crate::codes::Op;
use crate::entry::{MixedSqe, Sqe, Sqe128, SqeFlags, Target};

/// Number of bytes in the first half of an entry that belong to the command.
const IN_FIRST_HALF: usize = 16;

/// Puts the beginning of a command into its place at the end of an entry.
#[inline]
fn with_command(sqe: Sqe, cmd: &[u8; IN_FIRST_HALF]) -> Sqe {
    let (addr3, pad) = cmd.split_at(8);
    let word = |bytes: &[u8]| u64::from_ne_bytes(std::array::from_fn(|index| bytes[index]));
    Sqe { addr3: word(addr3), pad: word(pad), ..sqe }
}

/// An entry of 128 bytes with a command.
#[inline]
fn large(op: Op, fd: &impl Target, cmd_op: u32, cmd: &[u8; 80]) -> Sqe128 {
    let first = std::array::from_fn(|index| cmd[index]);
    let more = std::array::from_fn(|word| {
        u64::from_ne_bytes(std::array::from_fn(|index| cmd[IN_FIRST_HALF + word * 8 + index]))
    });
    Sqe128 { sqe: with_command(command(op, cmd_op).on(fd), &first), more }
}

#[inline]
pub(super) fn command(op: Op, cmd_op: u32) -> Sqe {
    // The first half of the union, whose second one is zero.
    let [a, b, c, d] = cmd_op.to_ne_bytes();
    Sqe { off: u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0]), ..Sqe::new(op) }
}

/// What commands have beside their bytes.
macro_rules! impl_command {
    ($name:ident, $($field:tt)+) => {
        impl $name {
            /// Sets the field `addr`, for drivers that look there.
            #[inline]
            pub fn addr(mut self, addr: u64) -> Self {
                self.$($field)+.addr = addr;
                self
            }

            /// Sets the field `len`, for drivers that look there.
            #[inline]
            pub fn len(mut self, len: u32) -> Self {
                self.$($field)+.len = len;
                self
            }

            /// Has the command use a registered buffer (`IORING_URING_CMD_FIXED`, since 6.1); `EFAULT` if there is none.
            #[inline]
            pub fn fixed_buffer(mut self, buf_index: u16) -> Self {
                self.$($field)+.op_flags |= IORING_URING_CMD_FIXED;
                self.$($field)+.buf_index = buf_index;
                self
            }

            /// Goes on and takes a buffer of the group `buf_group` for each completion (`IORING_URING_CMD_MULTISHOT`,
            /// since 6.18), if the driver can. Each but the last completes with [`MORE`](crate::CqeFlags::MORE).
            #[inline]
            pub fn multishot(mut self, buf_group: u16) -> Self {
                self.$($field)+.op_flags |= IORING_URING_CMD_MULTISHOT;
                self.$($field)+.flags |= SqeFlags::BUFFER_SELECT.bits();
                self.$($field)+.buf_index = buf_group;
                self
            }
        }
    };
}

op! {
    /// A command of 16 bytes to a file's driver, whose documentation says what its result is; since 5.19. `EOPNOTSUPP`
    /// if that takes none.
    UringCmd
}

impl UringCmd {
    /// Gives the driver of `fd` the command `cmd_op`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `fd` stays open, and it holds for whatever memory and descriptors the driver
    /// takes the command to name, by these bytes and by what the methods add.
    #[inline]
    pub unsafe fn new(fd: impl Target, cmd_op: u32, cmd: &[u8; 16]) -> Self {
        Self(with_command(command(Op::URING_CMD, cmd_op).on(&fd), cmd))
    }
}

impl_command!(UringCmd, 0);

op128! {
    /// A command of 80 bytes to a file's driver, in rings whose entries all have 128 bytes; since 5.19. The result is
    /// as that of [`UringCmd`].
    UringCmd80
}

impl UringCmd80 {
    /// Gives the driver of `fd` the command `cmd_op`.
    ///
    /// # Safety
    ///
    /// As [`UringCmd::new`].
    #[inline]
    pub unsafe fn new(fd: impl Target, cmd_op: u32, cmd: &[u8; 80]) -> Self {
        Self(large(Op::URING_CMD, &fd, cmd_op, cmd))
    }
}

impl_command!(UringCmd80, 0.sqe);

op128! {
    /// A command of 80 bytes to a file's driver, in rings that have entries of 128 bytes, also beside others; since 6.19.
    /// The result is as that of [`UringCmd`].
    UringCmd128
}

impl UringCmd128 {
    /// Gives the driver of `fd` the command `cmd_op`.
    ///
    /// # Safety
    ///
    /// As [`UringCmd::new`].
    #[inline]
    pub unsafe fn new(fd: impl Target, cmd_op: u32, cmd: &[u8; 80]) -> Self {
        Self(large(Op::URING_CMD128, &fd, cmd_op, cmd))
    }
}

impl_command!(UringCmd128, 0.sqe);

impl From<UringCmd128> for MixedSqe {
    #[inline]
    fn from(request: UringCmd128) -> Self {
        Self::Large(request.0)
    }
}

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_URING_CMD, IORING_OP_URING_CMD128, IOSQE_BUFFER_SELECT, io_uring_sqe};

    use super::*;
    use crate::op::expected::{flagged, same, same_large};

    const CMD: [u8; 80] = {
        let mut bytes = [0; 80];
        let mut index = 0;
        while index < 80 {
            bytes[index] = index as u8 + 1;
            index += 1;
        }
        bytes
    };

    fn word(nth: usize) -> u64 {
        u64::from_ne_bytes(CMD[nth * 8..][..8].try_into().unwrap())
    }

    fn expected(opcode: u32, flags: u32) -> io_uring_sqe {
        let mut sqe = flagged(opcode, 1, 5, 6, 0, flags);
        sqe.__bindgen_anon_1.__bindgen_anon_1.cmd_op = 0x1200;
        sqe.__bindgen_anon_6.__bindgen_anon_1.addr3 = word(0);
        sqe.__bindgen_anon_6.__bindgen_anon_1.__pad2 = [word(1)];
        sqe
    }

    #[test]
    fn commands_are_what_liburing_makes_of_them() {
        let mut small = expected(IORING_OP_URING_CMD, 1);
        small.__bindgen_anon_4.buf_index = 3;
        let cmd = CMD[..16].try_into().unwrap();
        // SAFETY: nothing is pushed.
        let request = unsafe { UringCmd::new(std::io::stdout(), 0x1200, cmd) };
        same(request.addr(5).len(6).fixed_buffer(3), &small);

        let mut multishot = expected(IORING_OP_URING_CMD, 2);
        multishot.__bindgen_anon_4.buf_group = 4;
        multishot.flags = IOSQE_BUFFER_SELECT as u8;
        // SAFETY: as above.
        let request = unsafe { UringCmd::new(std::io::stdout(), 0x1200, cmd) };
        same(request.addr(5).len(6).multishot(4), &multishot);
    }

    #[test]
    fn long_commands_go_on_in_the_second_half() {
        let more = std::array::from_fn(|nth| word(2 + nth));
        // SAFETY: nothing is pushed.
        let request = unsafe { UringCmd80::new(std::io::stdout(), 0x1200, &CMD) };
        same_large(request.addr(5).len(6), &expected(IORING_OP_URING_CMD, 0), more);
        // SAFETY: as above.
        let request = unsafe { UringCmd128::new(std::io::stdout(), 0x1200, &CMD) };
        same_large(request.addr(5).len(6), &expected(IORING_OP_URING_CMD128, 0), more);
    }
}
