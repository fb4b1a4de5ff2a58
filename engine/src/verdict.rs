//! What a completion of the kernel means for the operation that asked.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use uring::RwFlags;

use crate::request::Request;
use crate::slots::Progress;

/// How often in a row the kernel may say to try again.
const TRIES: u16 = 64;

/// What to do with an operation.
pub(crate) enum Verdict {
    /// It is done, with this result.
    Done(io::Result<usize>),
    /// Ask for the rest.
    Rest,
    /// Ask once more for the same.
    Again,
}

/// Judges a completion, and counts what was transferred.
pub(crate) fn judge(request: &Request<'_>, progress: &mut Progress, result: io::Result<u32>) -> Verdict {
    match result {
        Ok(count) => match request.transfer_len() {
            None => Verdict::Done(Ok(count as usize)),
            Some(len) => transferred(request, progress, count as usize, len),
        },
        Err(error) => failed(request, progress, error),
    }
}

fn transferred(request: &Request<'_>, progress: &mut Progress, count: usize, len: usize) -> Verdict {
    progress.done += count;
    progress.tries = 0;
    if progress.done == len {
        return Verdict::Done(Ok(len));
    }
    if count == 0 {
        // The end of the file; a write has none.
        let write_zero = || io::ErrorKind::WriteZero.into();
        return Verdict::Done(if request.is_read() { Ok(progress.done) } else { Err(write_zero()) });
    }
    // What a stream has not got yet is nobody's to wait for, and what was to be whole or nothing is neither.
    if (request.is_read() && is_stream(request.file.fd)) || request.flags().contains(RwFlags::ATOMIC) {
        return Verdict::Done(Ok(progress.done));
    }
    if progress.cancelled { Verdict::Done(Err(cancelled())) } else { Verdict::Rest }
}

fn failed(request: &Request<'_>, progress: &mut Progress, error: io::Error) -> Verdict {
    if is_to_try_again(request, progress, &error) {
        return Verdict::Again;
    }
    match error.raw_os_error() {
        Some(libc::EINTR) if progress.cancelled => Verdict::Done(Err(cancelled())),
        // The end of a file that was opened for direct I/O: what is left starts within a block.
        Some(libc::EINVAL) if progress.done > 0 && request.is_read() => Verdict::Done(Ok(progress.done)),
        _ => Verdict::Done(Err(error)),
    }
}

/// Whether an error says nothing about the request.
pub(crate) fn is_to_try_again(request: &Request<'_>, progress: &mut Progress, error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(libc::EINTR) => !progress.cancelled,
        Some(libc::EAGAIN) => {
            progress.tries += 1;
            !progress.cancelled
                && progress.tries < TRIES
                && !request.flags().contains(RwFlags::NOWAIT)
                && !is_nonblocking(request.file.fd)
        }
        _ => false,
    }
}

pub(crate) fn cancelled() -> io::Error {
    io::Error::from_raw_os_error(libc::ECANCELED)
}

/// Whether a short count says nothing about the end: a pipe, a socket, a terminal.
pub(crate) fn is_stream(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: plain C data for which all zeroes is a value.
    let mut stat: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: `stat` is a local for the call to write.
    let ret = unsafe { libc::fstat(fd.as_raw_fd(), &raw mut stat) };
    ret == 0 && !matches!(stat.st_mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFBLK)
}

/// Whether the caller has asked never to wait for this file.
fn is_nonblocking(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the call takes integers.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    flags >= 0 && flags & libc::O_NONBLOCK != 0
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::operation::{Operation, Read, Sync, Write};

    fn errno(errno: i32) -> io::Result<u32> {
        Err(io::Error::from_raw_os_error(errno))
    }

    fn judged(
        operation: &mut impl Operation,
        results: Vec<io::Result<u32>>,
    ) -> (Result<usize, Option<i32>>, usize) {
        let mut progress = Progress::default();
        let count = results.len();
        for (at, result) in results.into_iter().enumerate() {
            let request = operation.request();
            match judge(&request, &mut progress, result) {
                Verdict::Done(result) => {
                    assert_eq!(at + 1, count, "done too early");
                    return (result.map_err(|error| error.raw_os_error()), progress.done);
                }
                Verdict::Rest | Verdict::Again => {}
            }
        }
        panic!("not done");
    }

    fn exe() -> File {
        File::open("/proc/self/exe").unwrap()
    }

    #[test]
    fn a_transfer_goes_on_until_it_is_whole_or_the_file_ends() {
        let mut read = Read::new(exe(), vec![0; 100], 0);
        assert_eq!(judged(&mut read, vec![Ok(40), Ok(60)]), (Ok(100), 100));
        assert_eq!(judged(&mut read, vec![Ok(40), Ok(0)]), (Ok(40), 40));
        assert_eq!(
            judged(&mut read, vec![Ok(40), errno(libc::EINTR), Ok(1), errno(libc::EIO)]),
            (Err(Some(libc::EIO)), 41)
        );
        assert_eq!(judged(&mut read, vec![Ok(40), errno(libc::EINVAL)]), (Ok(40), 40));
        assert_eq!(judged(&mut read, vec![errno(libc::EINVAL)]), (Err(Some(libc::EINVAL)), 0));
    }

    #[test]
    fn a_write_of_nothing_is_an_error_unless_nothing_was_to_be_written() {
        let mut write = Write::new(exe(), vec![0; 100], 0);
        assert_eq!(judged(&mut write, vec![Ok(40), Ok(0)]), (Err(None), 40));
        let mut nothing = Write::new(exe(), Vec::new(), 0);
        assert_eq!(judged(&mut nothing, vec![Ok(0)]), (Ok(0), 0));
    }

    #[test]
    fn eagain_is_tried_again_but_not_for_ever_and_not_if_it_was_asked_for() {
        let again = || errno(libc::EAGAIN);
        let mut read = Read::new(exe(), vec![0; 8], 0);
        assert_eq!(judged(&mut read, vec![again(), again(), Ok(8)]), (Ok(8), 8));
        let many = (0..TRIES).map(|_| again()).collect();
        assert_eq!(judged(&mut read, many), (Err(Some(libc::EAGAIN)), 0));
        let mut nowait = Read::new(exe(), vec![0; 8], 0).flags(RwFlags::NOWAIT);
        assert_eq!(judged(&mut nowait, vec![again()]), (Err(Some(libc::EAGAIN)), 0));
    }

    #[test]
    fn a_short_read_of_a_stream_is_whole() {
        let (reader, _writer) = io::pipe().unwrap();
        assert_eq!(judged(&mut Read::new(reader, vec![0; 8], 0), vec![Ok(3)]), (Ok(3), 3));
    }

    #[test]
    fn what_is_no_count_of_bytes_is_the_result() {
        assert_eq!(judged(&mut Sync::all(exe()), vec![errno(libc::EINTR), Ok(0)]), (Ok(0), 0));
    }
}
