//! What a ring may do.

use uring_sys::{IORING_REGISTER_RESTRICTIONS, io_uring_restriction};

use super::{length, refused};
use crate::error::Result;
use crate::ring::core::Core;

impl Core {
    pub(crate) fn register_restrictions(&self, list: &mut [io_uring_restriction]) -> Result<()> {
        let nr = length(list.len());
        // SAFETY: `list` is an array of `nr` restrictions that outlives the call.
        unsafe { self.register(IORING_REGISTER_RESTRICTIONS, list.as_mut_ptr().cast(), nr) }
            .map(drop)
            .map_err(|error| refused(error, "restrictions"))
    }
}
