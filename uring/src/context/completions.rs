//! Completions as pairs of a name and a result.

use std::io;

use crate::UserData;
use crate::entry::result;
use crate::ring;

/// Iterator over completions: the `user_data` of each request and what became of it.
///
/// The result is the count of bytes, the poll mask or 0, and an error with the request's errno. What is
/// not taken here stays for the next iterator. The iterator ends when the completion queue is empty and
/// the kernel holds nothing back.
#[derive(Debug)]
#[must_use = "completions that are not taken stay in the ring"]
pub struct Completions<'a>(pub(super) ring::Completions<'a>);

/// In a forked child it ends at once.
impl Iterator for Completions<'_> {
    type Item = (UserData, io::Result<u32>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let cqe = self.0.next_or_newer()?;
        Some((cqe.user_data, result(cqe.res)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.ready(), None)
    }
}
