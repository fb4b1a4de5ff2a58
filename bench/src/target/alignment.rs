//! What direct I/O asks of buffers, offsets and lengths.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;

/// Alignments in bytes; `None` where the kernel does not say, 0 where it says that there is no direct I/O.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alignment {
    /// Of buffers, since 6.1.
    pub(crate) memory: Option<u32>,
    /// Of offsets and lengths: since 6.1, and on any block device.
    pub(crate) offset: Option<u32>,
    /// Of offsets and lengths of reads, where it differs, since 6.14.
    pub(crate) read_offset: Option<u32>,
    /// Smallest and largest write that is all or nothing (`RWF_ATOMIC`), since 6.11.
    pub(crate) atomic_write: Option<(u32, u32)>,
    /// Whether [`offset`](Self::offset) is the device's sector size (`BLKSSZGET`) for want of a better
    /// answer.
    pub(crate) from_sector_size: bool,
}

impl Alignment {
    /// Asks `statx(2)`, and `BLKSSZGET` for a block device of an older kernel.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let statx = statx(file)?;
        let told = |mask: libc::c_uint| statx.stx_mask & mask != 0;
        let mut alignment = Self::default();
        if told(libc::STATX_DIOALIGN) {
            alignment.memory = Some(statx.stx_dio_mem_align);
            alignment.offset = Some(statx.stx_dio_offset_align);
        }
        if told(libc::STATX_DIO_READ_ALIGN) {
            alignment.read_offset = Some(statx.stx_dio_read_offset_align);
        }
        if told(libc::STATX_WRITE_ATOMIC) {
            alignment.atomic_write = Some((statx.stx_atomic_write_unit_min, statx.stx_atomic_write_unit_max));
        }
        if alignment.offset.is_none() && file.metadata()?.file_type().is_block_device() {
            alignment.offset = Some(sector_size(file)?);
            alignment.from_sector_size = true;
        }
        Ok(alignment)
    }
}

fn statx(file: &File) -> io::Result<libc::statx> {
    let mask = libc::STATX_DIOALIGN | libc::STATX_DIO_READ_ALIGN | libc::STATX_WRITE_ATOMIC;
    // SAFETY: all of `statx` is integers, for which zero is a value.
    let mut statx: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path is an empty string with its end, and the kernel writes one `statx` to the last
    // argument, which is one.
    let status =
        unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, mask, &mut statx) };
    if status == 0 { Ok(statx) } else { Err(io::Error::last_os_error()) }
}

fn sector_size(file: &File) -> io::Result<u32> {
    let mut size: libc::c_int = 0;
    // SAFETY: `BLKSSZGET` writes an int to its argument, which is one.
    let status = unsafe { libc::ioctl(file.as_raw_fd(), libc::BLKSSZGET, &mut size) };
    if status == 0 { Ok(size.unsigned_abs()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alignment_is_a_power_of_two_or_not_told() {
        let file = tempfile::tempfile().unwrap();
        let alignment = Alignment::of(&file).unwrap();
        for bytes in [alignment.memory, alignment.offset, alignment.read_offset].into_iter().flatten() {
            assert!(bytes == 0 || bytes.is_power_of_two(), "{alignment:?}");
        }
        assert!(!alignment.from_sector_size);
    }
}
