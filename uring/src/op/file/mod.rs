//! Files and directories: to open and close them, to ask and to change what is known of them.
//!
//! Paths are C strings, as `CString::as_ptr` and `c"…"` give them. Relative ones start at a directory, which is a
//! descriptor, never a registered file, or [`CWD`].

use std::os::fd::BorrowedFd;

mod close;
mod open;
mod path;
mod pipe;
mod space;
mod stat;
mod xattr;

pub use self::close::Close;
pub(crate) use self::close::note_places;
pub use self::open::{OpenHow, Openat, Openat2};
pub use self::path::{Linkat, Mkdirat, Renameat, Symlinkat, Unlinkat};
pub use self::pipe::{Pipe, Splice, Tee};
pub use self::space::{Fadvise, Fallocate, Ftruncate};
pub use self::stat::Statx;
pub use self::xattr::{Fgetxattr, Fsetxattr, Getxattr, Setxattr};

/// The working directory of the process (`AT_FDCWD`), for paths.
// SAFETY: no descriptor has this number, so none can be closed under it; it is not -1, which the type excludes.
pub const CWD: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) };
