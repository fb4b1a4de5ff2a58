//! How a request gets in where there is no room at first.

use super::Backend;
use crate::error::Error;
use crate::operation::Operation;
use crate::request::Request;

/// Adds the operation's request, after a submit if there is no room before.
///
/// # Safety
///
/// As [`Backend::add`].
#[inline(always)]
pub(crate) unsafe fn add_to<B: Backend>(
    backend: &mut B,
    operation: &mut impl Operation,
    user_data: u64,
) -> Result<(), Error> {
    // SAFETY: this fn's contract.
    if unsafe { backend.add_usual(operation, user_data) } {
        return Ok(());
    }
    // SAFETY: as above; it was not added.
    unsafe { add_request(backend, operation.request(), user_data) }
}

/// As [`add_to`], for a request.
///
/// # Safety
///
/// As [`Backend::add`].
#[inline(never)]
pub(crate) unsafe fn add_request<B: Backend>(
    backend: &mut B,
    request: Request<'_>,
    user_data: u64,
) -> Result<(), Error> {
    // SAFETY: this fn's contract.
    match unsafe { backend.add(request, user_data) } {
        Err(Error::Full) => {
            backend.submit()?;
            // SAFETY: as above; it was not added.
            unsafe { backend.add(request, user_data) }
        }
        other => other,
    }
}
