//! Requests on rings.

use crate::codes::Op;
use crate::entry::Sqe;

op! {
    /// Does nothing and completes with 0.
    Nop
}

impl Nop {
    /// Makes a request that does nothing.
    #[inline]
    #[expect(clippy::new_without_default, reason = "a request is made on purpose")]
    pub fn new() -> Self {
        Self(Sqe::new(Op::NOP))
    }
}
