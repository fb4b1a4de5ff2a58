//! Shorthands of all these tests.

pub(crate) use crate::common::{LONG, nops, pipe, ring, take};
pub(crate) use crate::ops::common::{closed_descriptor, has, iovec, kernel_is_at_least, run};

/// Fails with that errno, and with a text that says more than the number.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: uring::Result<T>, errno: i32, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

/// Gives up all privileges of this thread, and of no other; it stays the same user.
pub(crate) fn drop_privileges() {
    const VERSION: u32 = 0x2008_0522;
    let header = [VERSION, 0];
    let none = [0_u32; 6];
    assert_eq!(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }, 0);
}
