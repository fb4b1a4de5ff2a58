//! Holes and zeroes, by whatever way a file has.

use std::io;
use std::mem;
use std::os::fd::RawFd;

use libc::{c_int, c_ulong};

/// `BLKDISCARD` and `BLKZEROOUT` of `linux/fs.h`: they take an array of offset and length.
const BLKDISCARD: c_ulong = 0x1277;
const BLKZEROOUT: c_ulong = 0x127f;

/// Zeroes to be written where nothing else makes them; aligned for direct I/O.
#[repr(align(4096))]
struct Zeroes([u8; 65536]);

static ZEROES: Zeroes = Zeroes([0; 65536]);

/// What a file is.
pub(super) fn stat(fd: RawFd) -> io::Result<libc::stat> {
    // SAFETY: plain C data for which all zeroes is a value.
    let mut stat = unsafe { mem::zeroed() };
    // SAFETY: `stat` is a local for the call to write.
    check(unsafe { libc::fstat(fd, &raw mut stat) })?;
    Ok(stat)
}

fn is_device(fd: RawFd) -> io::Result<bool> {
    Ok(stat(fd)?.st_mode & libc::S_IFMT == libc::S_IFBLK)
}

fn check(ret: c_int) -> io::Result<()> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `fallocate(2)`.
pub(super) fn fallocate(fd: RawFd, mode: c_int, offset: u64, len: u64) -> io::Result<()> {
    // What does not fit is negative and as bad.
    // SAFETY: the call takes integers.
    check(unsafe { libc::fallocate(fd, mode, offset.cast_signed(), len.cast_signed()) })
}

/// An `ioctl(2)` of a block device on a range.
fn range_ioctl(fd: RawFd, request: c_ulong, offset: u64, len: u64) -> io::Result<()> {
    let range = [offset, len];
    // SAFETY: both requests read two numbers, which outlive the call.
    check(unsafe { libc::ioctl(fd, request as _, range.as_ptr()) })
}

/// Whether an error says that there is no such thing here, whatever file systems and drivers call that.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOTTY | libc::ENOSYS | libc::ENODEV))
}

/// Gives up a range.
pub(super) fn discard(fd: RawFd, offset: u64, len: u64) -> io::Result<()> {
    let result = if is_device(fd)? {
        range_ioctl(fd, BLKDISCARD, offset, len)
    } else {
        fallocate(fd, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, offset, len)
    };
    result.map_err(|error| {
        if is_unsupported(&error) { io::Error::from_raw_os_error(libc::EOPNOTSUPP) } else { error }
    })
}

/// Zeroes a range, and says whether that took more than the first way.
pub(super) fn write_zeroes(fd: RawFd, offset: u64, len: u64, unmap: bool) -> (io::Result<()>, bool) {
    let stat = match stat(fd) {
        Ok(stat) => stat,
        Err(error) => return (Err(error), false),
    };
    let device = stat.st_mode & libc::S_IFMT == libc::S_IFBLK;
    // A hole does not make a file longer.
    let inside = offset.checked_add(len).is_some_and(|end| end <= stat.st_size.cast_unsigned());
    let keep = if device { libc::FALLOC_FL_KEEP_SIZE } else { 0 };
    let punch = || fallocate(fd, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, offset, len);
    let zero = || fallocate(fd, libc::FALLOC_FL_ZERO_RANGE | keep, offset, len);
    let zero_out = || range_ioctl(fd, BLKZEROOUT, offset, len);
    let write = || write_all_zeroes(fd, offset, len);
    let ways: [(bool, &dyn Fn() -> io::Result<()>); 4] =
        [(unmap && (device || inside), &punch), (true, &zero), (device, &zero_out), (true, &write)];
    let mut fell_back = false;
    for (_, way) in ways.iter().filter(|(possible, _)| *possible) {
        match way() {
            Err(error) if is_unsupported(&error) => fell_back = true,
            result => return (result, fell_back),
        }
    }
    (Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)), fell_back)
}

fn write_all_zeroes(fd: RawFd, offset: u64, len: u64) -> io::Result<()> {
    let mut done = 0;
    while done < len {
        let count = (len - done).min(ZEROES.0.len() as u64) as usize;
        let at = (offset + done).cast_signed();
        // SAFETY: `count` bytes of a static.
        let ret = unsafe { libc::pwrite64(fd, ZEROES.0.as_ptr().cast(), count, at) };
        match ret {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            ret if ret > 0 => done += ret as u64,
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn zeroes_are_written_where_nothing_else_makes_them() {
        let path = std::env::temp_dir().join(format!("zeroes-{}", std::process::id()));
        fs::write(&path, vec![7; 200_000]).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        write_all_zeroes(file.as_raw_fd(), 1000, 150_000).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(bytes.len(), 200_000);
        for (at, byte) in bytes.iter().enumerate() {
            assert_eq!(*byte == 0, (1000..151_000).contains(&at), "at {at}");
        }
    }

    #[test]
    fn a_pipe_has_neither_holes_nor_zeroes() {
        let (_reader, writer) = io::pipe().unwrap();
        assert!(discard(writer.as_raw_fd(), 0, 10).is_err());
        assert!(write_zeroes(writer.as_raw_fd(), 0, 10, true).0.is_err());
    }
}
