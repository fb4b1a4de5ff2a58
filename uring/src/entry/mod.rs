//! What the two queues carry: entries to submit, and completions.

mod cqe;
mod sqe;
mod submission;
mod target;
#[cfg(all(test, loom))]
mod watched;

pub(crate) use self::cqe::result;
pub use self::cqe::{Completion, Cqe, Cqe32, CqeFlags, MixedCqe};
pub use self::sqe::{MixedSqe, Sqe, Sqe128, SqeFlags};
pub use self::submission::Submission;
pub(crate) use self::target::Resolved;
pub use self::target::{FileIndex, Fixed, Target};
#[cfg(all(test, loom))]
pub(crate) use self::watched::{Place, WatchedCqe, WatchedSqe};
