//! To send without copying.

use uring_sys::{IORING_RECVSEND_FIXED_BUF, IORING_SEND_ZC_REPORT_USAGE};

use super::send::{impl_send, impl_sendmsg};
use super::{address, length};
use crate::codes::Op;
use crate::entry::{Sqe, Target};

/// What the notification of a zero-copy send with [`report_usage`](SendZc::report_usage) has for its
/// [raw result](crate::Cqe::raw_result) if data was copied after all (`IORING_NOTIF_USAGE_ZC_COPIED`, since 6.2).
pub const ZC_COPIED: i32 = uring_sys::IORING_NOTIF_USAGE_ZC_COPIED.cast_signed();

/// What the sends without copies have.
macro_rules! impl_zc {
    ($name:ident, $fixed_since:literal) => {
        impl $name {
            #[doc = concat!(
                "Has the memory lie in a registered buffer (`IORING_RECVSEND_FIXED_BUF`, since ", $fixed_since, "),"
            )]
            /// whose pages need not be looked up; `EFAULT` if it does not or there is none.
            #[inline]
            pub fn fixed_buffer(mut self, buf_index: u16) -> Self {
                self.0.ioprio |= IORING_RECVSEND_FIXED_BUF as u16;
                self.0.buf_index = buf_index;
                self
            }

            /// Has the notification tell whether data was copied after all (`IORING_SEND_ZC_REPORT_USAGE`, since 6.2),
            /// as it is for a peer on this machine: its raw result is then [`ZC_COPIED`], else 0.
            #[inline]
            pub fn report_usage(mut self) -> Self {
                self.0.ioprio |= IORING_SEND_ZC_REPORT_USAGE as u16;
                self
            }
        }
    };
}

op! {
    /// Sends to a socket without copying; since 6.0. The result is the count of bytes.
    ///
    /// A completion with [`MORE`](crate::CqeFlags::MORE), which that of an error may have as well, is followed by a
    /// [notification](crate::Cqe::is_notification), and until that the memory is the kernel's. `EOPNOTSUPP` for a socket
    /// that cannot, such as one of the UNIX domain.
    ///
    /// Before 6.16 a ring that has had one ends as one that has had [`CQE_SKIP_SUCCESS`](crate::SqeFlags::CQE_SKIP_SUCCESS).
    SendZc
}

impl_send!(SendZc, SEND_ZC, "6.0");
impl_zc!(SendZc, "6.0");

op! {
    /// Sends a message without copying; since 6.1. The result and what follows it are as those of [`SendZc`].
    SendmsgZc
}

impl_sendmsg!(SendmsgZc, SENDMSG_ZC);
impl_zc!(SendmsgZc, "6.15");

#[cfg(test)]
mod tests {
    use std::io::stdin;
    use std::ptr;

    use uring_sys::{IORING_OP_SEND_ZC, IORING_OP_SENDMSG_ZC};

    use super::*;
    use crate::op::expected::{flagged, same};

    #[test]
    fn sends_without_copies_are_what_liburing_makes_of_them() {
        let mut expected = flagged(IORING_OP_SEND_ZC, 0, 0x1000, 512, 0, libc::MSG_MORE);
        expected.ioprio = 1 | 4 | 8;
        expected.__bindgen_anon_4.buf_index = 7;
        // SAFETY: nothing is pushed.
        let send = unsafe { SendZc::new(stdin(), ptr::without_provenance(0x1000), 512, libc::MSG_MORE) };
        same(send.poll_first().fixed_buffer(7).report_usage(), &expected);

        let mut expected = flagged(IORING_OP_SENDMSG_ZC, 0, 0x1000, 1, 0, 0);
        expected.ioprio = 4;
        expected.__bindgen_anon_4.buf_index = 2;
        // SAFETY: as above.
        let send = unsafe { SendmsgZc::new(stdin(), ptr::without_provenance(0x1000), 0) };
        same(send.fixed_buffer(2), &expected);
        assert_eq!(ZC_COPIED, i32::MIN);
    }
}
