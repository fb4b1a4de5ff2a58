//! Requests on rings and their tables.

mod message;
mod nop;
mod table;

pub use self::message::{MsgRing, MsgRingFd};
pub use self::nop::{Nop, Nop128};
pub use self::table::{FilesUpdate, FixedFdInstall};
