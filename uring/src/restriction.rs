//! What a ring may do, once and for all.

use uring_sys::{
    IORING_RESTRICTION_REGISTER_OP, IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
    IORING_RESTRICTION_SQE_FLAGS_REQUIRED, IORING_RESTRICTION_SQE_OP, IOSQE_FIXED_FILE, io_uring_restriction,
    io_uring_restriction__bindgen_ty_1,
};

use crate::codes::{Op, RegisterOp};

/// An allow-list for a ring: the kernel refuses everything else with `EACCES`.
///
/// See [`io_uring_register(2)`](https://man7.org/linux/man-pages/man2/io_uring_register.2.html),
/// `IORING_REGISTER_RESTRICTIONS`. A ring that does no more than it was made for is worth less to whoever
/// takes over the process. `ASYNC_CANCEL` is always allowed: dropping a context relies on it.
///
/// ```
/// use uring::{Op, Restrictions, URingContext};
///
/// let mut ring = URingContext::builder(8)
///     .restrictions(Restrictions::new().allow_op(Op::NOP))
///     .build()?;
/// let zero = std::fs::File::open("/dev/zero")?;
/// ring.add_nop(1)?;
/// // SAFETY: `zero` outlives the wait.
/// unsafe { ring.add_fsync(&zero, 2)? };
/// for (user_data, result) in ring.wait_nr(2)? {
///     match user_data {
///         1 => assert_eq!(result?, 0),
///         _ => assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Restrictions {
    ops: Vec<Op>,
    register_ops: Vec<RegisterOp>,
    fixed_files_only: bool,
}

impl Restrictions {
    /// Starts a list that allows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows requests of this operation.
    pub fn allow_op(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// Allows a register operation after the ring has been built.
    pub fn allow_register(mut self, op: RegisterOp) -> Self {
        self.register_ops.push(op);
        self
    }

    /// Demands that every request names a registered file ([`Fixed`](crate::Fixed)).
    ///
    /// Files are then registered after `build`, so [`RegisterOp::REGISTER_FILES`] has to be allowed.
    /// Requests that name no file, such as a NOP, are refused as well, but for those that cancel. Since 5.19.
    pub fn require_fixed_files(mut self) -> Self {
        self.fixed_files_only = true;
        self
    }

    /// Flags that every entry has to carry, those of the drop's own cancel request included.
    pub(crate) fn required_flags(&self) -> u8 {
        if self.fixed_files_only { IOSQE_FIXED_FILE as u8 } else { 0 }
    }

    /// The list as the kernel takes it.
    pub(crate) fn to_raw(&self) -> Vec<io_uring_restriction> {
        let restriction = |opcode: u32, value: u8| io_uring_restriction {
            opcode: opcode as u16,
            __bindgen_anon_1: io_uring_restriction__bindgen_ty_1 { sqe_op: value },
            ..Default::default()
        };
        let ops = self.ops.iter().chain([&Op::ASYNC_CANCEL]);
        let flags = IOSQE_FIXED_FILE as u8;
        let mut raw: Vec<_> = ops.map(|op| restriction(IORING_RESTRICTION_SQE_OP, op.code())).collect();
        // Since 7.0 a list without any register operation restricts none of them. The one that is always on it
        // does nothing to a ring that is enabled.
        let register = self.register_ops.iter().chain([&RegisterOp::REGISTER_ENABLE_RINGS]);
        // Register operations that do not fit eight bits do not exist.
        let register = register.filter_map(|op| u8::try_from(op.code()).ok());
        raw.extend(register.map(|op| restriction(IORING_RESTRICTION_REGISTER_OP, op)));
        raw.push(restriction(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, flags));
        if self.fixed_files_only {
            raw.push(restriction(IORING_RESTRICTION_SQE_FLAGS_REQUIRED, flags));
        }
        raw
    }
}
