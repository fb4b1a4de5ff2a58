//! What direct I/O asks of memory, offsets and lengths.

use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::buffer::AlignedBuf;

/// What is aligned to what on a file that is opened with `O_DIRECT`; bytes, each a power of two.
///
/// ```
/// use engine::{AlignedBuf, DirectIo};
///
/// let file = std::fs::File::open("/proc/self/exe")?;
/// match DirectIo::probe(&file)? {
///     Some(direct) => {
///         let buffer = AlignedBuf::with_alignment(direct.round_up(10_000) as usize, direct.memory as usize);
///         println!("{} bytes for 10 000, at offsets of {}", buffer.len(), direct.offset);
///     }
///     None => println!("no direct I/O on this file"),
/// }
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectIo {
    /// Addresses of buffers.
    pub memory: u32,
    /// Offsets and lengths.
    pub offset: u32,
    /// Offsets and lengths of reads, where the file system asks less of them (since 6.14); else as `offset`.
    pub read_offset: u32,
    /// Fewest and most bytes of a write that is all or nothing ([`RwFlags::ATOMIC`](crate::RwFlags::ATOMIC)), where there is
    /// such a write.
    pub atomic_write: Option<(u32, u32)>,
    /// Who says so.
    pub source: DirectIoSource,
}

/// How the alignments of [`DirectIo`] were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectIoSource {
    /// `statx(2)`, `STATX_DIOALIGN`; since 6.1.
    Statx,
    /// The sector size of a block device, `BLKSSZGET`.
    SectorSize,
    /// Reads that were tried.
    Trial,
    /// Nobody: 4096 suits every disk in use.
    Assumed,
}

/// What suits every disk in use.
const SAFE: u32 = 4096;

impl DirectIo {
    /// Finds out what a file asks for, whether it is opened with `O_DIRECT` or not; `None` if it has no direct I/O at all.
    ///
    /// It asks `statx(2)`; for a block device on an older kernel its sector size; else, if the file can be opened for it once
    /// more, it tries reads.
    ///
    /// # Errors
    ///
    /// What `statx(2)` says.
    pub fn probe(file: impl AsFd) -> io::Result<Option<Self>> {
        let fd = file.as_fd();
        let statx = statx(fd)?;
        let told = |mask: libc::c_uint| statx.stx_mask & mask != 0;
        let atomic_write = (told(libc::STATX_WRITE_ATOMIC) && statx.stx_atomic_write_unit_max > 0)
            .then_some((statx.stx_atomic_write_unit_min, statx.stx_atomic_write_unit_max));
        if told(libc::STATX_DIOALIGN) {
            let (memory, offset) = (statx.stx_dio_mem_align, statx.stx_dio_offset_align);
            if memory == 0 || offset == 0 {
                return Ok(None);
            }
            let read = if told(libc::STATX_DIO_READ_ALIGN) { statx.stx_dio_read_offset_align } else { 0 };
            let read_offset = if read == 0 { offset } else { read };
            return Ok(Some(Self {
                memory,
                offset,
                read_offset,
                atomic_write,
                source: DirectIoSource::Statx,
            }));
        }
        let alike =
            |bytes, source| Self { memory: bytes, offset: bytes, read_offset: bytes, atomic_write, source };
        if u32::from(statx.stx_mode) & libc::S_IFMT == libc::S_IFBLK
            && let Ok(size) = sector_size(fd)
        {
            return Ok(Some(alike(size, DirectIoSource::SectorSize)));
        }
        Ok(match open_direct(fd) {
            Ok(direct) => Some(match tried(&direct) {
                Some(bytes) => alike(bytes, DirectIoSource::Trial),
                None => alike(SAFE, DirectIoSource::Assumed),
            }),
            // The file system refuses.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => None,
            // It may only be written, or there is no /proc.
            Err(_) => Some(alike(SAFE, DirectIoSource::Assumed)),
        })
    }

    /// Whether a transfer can be made as it is.
    #[must_use]
    pub fn suits(&self, address: *const u8, len: usize, offset: u64, read: bool) -> bool {
        let unit = u64::from(if read { self.read_offset } else { self.offset });
        address.addr().is_multiple_of(self.memory as usize)
            && (len as u64).is_multiple_of(unit)
            && offset.is_multiple_of(unit)
    }

    /// The last offset that a transfer may start at, at or before this one.
    #[must_use]
    pub fn round_down(&self, offset: u64) -> u64 {
        offset - offset % u64::from(self.offset)
    }

    /// The first offset that a transfer may end at, at or after this one.
    #[must_use]
    pub fn round_up(&self, offset: u64) -> u64 {
        offset.next_multiple_of(u64::from(self.offset))
    }
}

fn statx(fd: BorrowedFd<'_>) -> io::Result<libc::statx> {
    let mask =
        libc::STATX_TYPE | libc::STATX_DIOALIGN | libc::STATX_DIO_READ_ALIGN | libc::STATX_WRITE_ATOMIC;
    // SAFETY: plain integers, for which all zeroes is a value.
    let mut statx: libc::statx = unsafe { mem::zeroed() };
    // SAFETY: an empty C string, and a local for the call to write.
    let ret = unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, mask, &raw mut statx) };
    if ret == 0 { Ok(statx) } else { Err(io::Error::last_os_error()) }
}

fn sector_size(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let mut size: libc::c_int = 0;
    // SAFETY: the request writes one int, a local.
    let ret = unsafe { libc::ioctl(fd.as_raw_fd(), libc::BLKSSZGET, &raw mut size) };
    if ret == 0 { Ok(size.unsigned_abs()) } else { Err(io::Error::last_os_error()) }
}

fn open_direct(fd: BorrowedFd<'_>) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    File::options().read(true).custom_flags(libc::O_DIRECT).open(path)
}

/// The least alignment that a read is taken with; none, if that cannot be told, since past the end everything is.
fn tried(direct: &File) -> Option<u32> {
    let mut buffer = AlignedBuf::new(2 * SAFE as usize);
    (9..=SAFE.ilog2()).map(|shift| 1 << shift).find(|&bytes| {
        let buffer = &mut buffer[bytes as usize..][..bytes as usize];
        // SAFETY: `bytes` bytes of the buffer for the call to write.
        let ret = unsafe {
            libc::pread64(direct.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), i64::from(bytes))
        };
        ret > 0
    })
}

/// Whether a descriptor was opened with `O_DIRECT`.
pub(crate) fn is_direct(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the call takes integers.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    flags >= 0 && flags & libc::O_DIRECT != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignments_are_powers_of_two_and_reads_ask_no_more_than_writes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![1; 100_000]).unwrap();
        let Some(direct) = DirectIo::probe(&file).unwrap() else { return };
        for bytes in [direct.memory, direct.offset, direct.read_offset] {
            assert!(bytes.is_power_of_two(), "{direct:?}");
        }
        assert!(direct.read_offset <= direct.offset);
        assert_eq!(
            direct.round_up(direct.round_down(100_000) + 1),
            direct.round_down(100_000) + u64::from(direct.offset)
        );
    }

    #[test]
    fn what_a_probe_says_is_what_the_file_takes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![1; 100_000]).unwrap();
        let (Some(direct), Ok(opened)) = (DirectIo::probe(&file).unwrap(), open_direct(file.as_fd())) else {
            return;
        };
        let mut buffer = AlignedBuf::with_alignment(8192, direct.memory as usize);
        let part = &mut buffer[..direct.offset as usize];
        assert!(direct.suits(part.as_ptr(), part.len(), u64::from(direct.offset), true));
        let count = std::os::unix::fs::FileExt::read_at(&opened, part, u64::from(direct.offset)).unwrap();
        assert_eq!(count, part.len());
        assert!(!direct.suits(part.as_ptr().wrapping_add(1), part.len(), 0, true));
        assert!(!direct.suits(part.as_ptr(), part.len() - 1, 0, false));
    }

    #[test]
    fn a_pipe_has_no_direct_io_that_could_be_told() {
        let (reader, _writer) = io::pipe().unwrap();
        let probed = DirectIo::probe(&reader).unwrap();
        assert!(probed.is_none_or(|direct| direct.source == DirectIoSource::Assumed), "{probed:?}");
    }

    #[test]
    fn a_device_without_statx_has_its_sector_size_tried() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![1; 100_000]).unwrap();
        let Ok(opened) = open_direct(file.as_fd()) else { return };
        let tried = tried(&opened).expect("a file that can be read");
        let asked = DirectIo::probe(&file).unwrap().expect("it was opened");
        assert!(tried >= asked.offset.min(asked.memory), "{tried}, {asked:?}");
    }
}
