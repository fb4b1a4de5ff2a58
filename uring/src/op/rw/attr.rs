//! Attributes of transfers.

use uring_sys::io_uring_attr_pi;

use crate::op::address;

/// Where the integrity metadata of a transfer is, and what the device checks of it (`struct io_uring_attr_pi`, since
/// 6.14).
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
#[must_use]
pub struct PiAttr(io_uring_attr_pi);

// `linux/fs.h`, which is not among the headers of the bindings.
const IO_INTEGRITY_CHK_GUARD: u16 = 1 << 0;
const IO_INTEGRITY_CHK_REFTAG: u16 = 1 << 1;
const IO_INTEGRITY_CHK_APPTAG: u16 = 1 << 2;

impl PiAttr {
    /// Names the memory of the metadata, of `len` bytes: what the device keeps for each block, times the blocks of the
    /// transfer.
    pub fn new(ptr: *mut u8, len: u32) -> Self {
        Self(io_uring_attr_pi { addr: address(ptr), len, ..Default::default() })
    }

    /// Has the checksum of each block checked (`IO_INTEGRITY_CHK_GUARD`).
    pub fn check_guard(mut self) -> Self {
        self.0.flags |= IO_INTEGRITY_CHK_GUARD;
        self
    }

    /// Has the reference tag of each block checked, which counts up from `seed` (`IO_INTEGRITY_CHK_REFTAG`).
    pub fn check_reftag(mut self, seed: u64) -> Self {
        self.0.flags |= IO_INTEGRITY_CHK_REFTAG;
        self.0.seed = seed;
        self
    }

    /// Has the application tag of each block compared with `tag` (`IO_INTEGRITY_CHK_APPTAG`).
    pub fn check_apptag(mut self, tag: u16) -> Self {
        self.0.flags |= IO_INTEGRITY_CHK_APPTAG;
        self.0.app_tag = tag;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_add_up() {
        let attr = PiAttr::new(std::ptr::without_provenance_mut(64), 8).check_guard().check_apptag(5);
        let raw = attr.check_reftag(6).0;
        assert_eq!((raw.flags, raw.app_tag, raw.len, raw.addr, raw.seed, raw.rsvd), (7, 5, 8, 64, 6, 0));
    }
}
