//! Requests with less to do.

use engine::{Action, IoVecs, Request};
use libc::iovec;

/// The first buffers of a vector, `len` bytes of them.
fn prefix(iovecs: IoVecs<'_>, len: usize) -> Vec<iovec> {
    let mut left = len;
    let parts = iovecs.iter().map(|iovec| {
        let iov_len = iovec.iov_len.min(left);
        left -= iov_len;
        libc::iovec { iov_len, ..iovec }
    });
    parts.filter(|iovec| iovec.iov_len > 0).collect()
}

/// The same with only `short` bytes to transfer; a vector of them is made in `parts`.
pub(crate) fn shortened<'a>(request: Request<'a>, short: usize, parts: &'a mut Vec<iovec>) -> Request<'a> {
    let mut request = request;
    match &mut request.action {
        Action::Read { len, .. } | Action::Write { len, .. } => *len = short.min(*len),
        Action::ReadVectored { iovecs, .. } | Action::WriteVectored { iovecs, .. } => {
            *parts = prefix(*iovecs, short);
            *iovecs = IoVecs::new(parts);
        }
        _ => {}
    }
    request
}
