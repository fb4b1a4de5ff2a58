//! Shorthands of all these tests.

pub(crate) use crate::common::{pipe, ring, take};
pub(crate) use crate::ops::common::{closed_descriptor, kernel_is_at_least, run};

/// Fails with that errno, and with a text that says more than the number.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: uring::Result<T>, errno: i32, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}
