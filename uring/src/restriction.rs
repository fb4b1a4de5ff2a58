//! What a ring may do, once and for all.

use uring_sys::{
    IORING_RESTRICTION_REGISTER_OP, IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
    IORING_RESTRICTION_SQE_FLAGS_REQUIRED, IORING_RESTRICTION_SQE_OP, io_uring_restriction,
    io_uring_restriction__bindgen_ty_1,
};

use crate::codes::{Op, RegisterOp};
use crate::entry::SqeFlags;
use crate::error::{Error, Result};
use crate::ring::register::restrict_thread;

/// An allow-list for a ring: the kernel refuses everything else with `EACCES`.
///
/// See [`io_uring_register(2)`](https://man7.org/linux/man-pages/man2/io_uring_register.2.html),
/// `IORING_REGISTER_RESTRICTIONS`. A ring that does no more than it was made for is worth less to whoever
/// takes over the process.
///
/// Always allowed is what a drop relies on, so it need not be on the list: `ASYNC_CANCEL`, by which the drop cancels what is
/// in flight and tells when all of it has ended, the flag `IO_DRAIN`, and to take back the ring's place among the registered
/// descriptors of its thread. `NOP` is not needed beside it. Whoever restricts rings by other means, such as a
/// [`Filter`](crate::ring::Filter), lets `ASYNC_CANCEL` pass for the same reason.
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
    allowed: SqeFlags,
    required: SqeFlags,
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

    /// Allows flags of requests; without it they are `FIXED_FILE`, `IO_DRAIN` and those that are required.
    pub fn allow_flags(mut self, flags: SqeFlags) -> Self {
        self.allowed |= flags;
        self
    }

    /// Demands flags of every request: `FIXED_FILE`, `ASYNC`, `IO_LINK`, `IO_HARDLINK`. Others would keep the drop from
    /// cancelling, and are refused as the ring is made. Since 5.19.
    pub fn require_flags(mut self, flags: SqeFlags) -> Self {
        self.required |= flags;
        self
    }

    /// Demands that every request names a registered file ([`Fixed`](crate::Fixed)).
    ///
    /// Files are then registered after `build`, so [`RegisterOp::REGISTER_FILES`] has to be allowed.
    /// Requests that name no file, such as a NOP, are refused as well, but for those that cancel. Since 5.19.
    pub fn require_fixed_files(self) -> Self {
        self.require_flags(SqeFlags::FIXED_FILE)
    }

    /// Restricts every ring that the calling thread makes from now on, and the threads and processes that it starts, for
    /// good (`IORING_REGISTER_RESTRICTIONS` without a ring, since 7.0).
    ///
    /// # Errors
    ///
    /// `EPERM` if the thread is restricted, `EACCES` without `CAP_SYS_ADMIN` or `PR_SET_NO_NEW_PRIVS`, `EINVAL` for
    /// required flags, with which no drop could be sure of its end, and `EINVAL` or `EBADF` before 7.0.
    pub fn restrict_thread(&self) -> Result<()> {
        if self.required != SqeFlags::empty() {
            return Err(Error::invalid(
                "io_uring_register",
                "restrictions of a thread: required flags would keep its rings from being dropped",
            ));
        }
        restrict_thread(&self.to_raw(true))
    }

    pub(crate) fn allows(&self, op: Op) -> bool {
        self.ops.contains(&op)
    }

    /// Fails for what a ring could not be dropped with.
    pub(crate) fn check(&self) -> Result<()> {
        let carried = SqeFlags::FIXED_FILE | SqeFlags::ASYNC | SqeFlags::IO_LINK | SqeFlags::IO_HARDLINK;
        if carried.contains(self.required) {
            return Ok(());
        }
        Err(Error::invalid(
            "io_uring_register",
            format!("restrictions: {:?} cannot be required, since a drop could not cancel", self.required),
        ))
    }

    /// Flags that every entry has to carry, those of the drop's own cancel request included.
    pub(crate) fn required_flags(&self) -> u8 {
        self.required.bits()
    }

    /// The list as the kernel takes it: one that has places for ring descriptors, since 5.18, or has not and would not
    /// take the name of what frees them.
    pub(crate) fn to_raw(&self, has_places: bool) -> Vec<io_uring_restriction> {
        let restriction = |opcode: u32, value: u8| io_uring_restriction {
            opcode: opcode as u16,
            __bindgen_anon_1: io_uring_restriction__bindgen_ty_1 { sqe_op: value },
            ..Default::default()
        };
        let ops = self.ops.iter().chain([&Op::ASYNC_CANCEL]);
        let flags = SqeFlags::FIXED_FILE | SqeFlags::IO_DRAIN | self.allowed | self.required;
        let mut raw: Vec<_> = ops.map(|op| restriction(IORING_RESTRICTION_SQE_OP, op.code())).collect();
        // Since 7.0 a list without any register operation restricts none of them. What is always on it does nothing to a
        // ring that is enabled.
        let always = [RegisterOp::REGISTER_ENABLE_RINGS, RegisterOp::UNREGISTER_RING_FDS];
        let register = self.register_ops.iter().chain(&always[..if has_places { 2 } else { 1 }]);
        // Register operations that do not fit eight bits do not exist.
        let register = register.filter_map(|op| u8::try_from(op.code()).ok());
        raw.extend(register.map(|op| restriction(IORING_RESTRICTION_REGISTER_OP, op)));
        raw.push(restriction(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, flags.bits()));
        if self.required != SqeFlags::empty() {
            raw.push(restriction(IORING_RESTRICTION_SQE_FLAGS_REQUIRED, self.required.bits()));
        }
        raw
    }
}
