//! Files with content that can be checked at any offset, and what else I/O tests need.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fs::{File, OpenOptions};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::NonNull;

use tempfile::NamedTempFile;

/// The alignment of [`AlignedBuf`]: enough for direct I/O on every disk in use.
pub const ALIGNMENT: usize = 4096;

/// Gives the byte that stands at an offset of a file with the checkable content.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "the top byte of 64 bits is what is wanted")]
pub const fn byte_at(offset: u64) -> u8 {
    ((offset + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Fills a buffer with what stands from `offset` on.
pub fn fill(buffer: &mut [u8], offset: u64) {
    for (byte, at) in buffer.iter_mut().zip(offset..) {
        *byte = byte_at(at);
    }
}

/// Gives `len` bytes of what stands from `offset` on.
#[must_use]
pub fn content(offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fill(&mut bytes, offset);
    bytes
}

/// Checks that a buffer holds what stands from `offset` on.
///
/// # Panics
/// At the first byte that differs.
#[track_caller]
pub fn check(buffer: &[u8], offset: u64) {
    for (&byte, at) in buffer.iter().zip(offset..) {
        assert_eq!(byte, byte_at(at), "content differs at offset {at}");
    }
}

/// Reads with `pread`: the oracle. Stops short at the end of the file.
///
/// # Panics
/// If the read fails.
#[must_use]
pub fn pread(file: &File, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        match file.read_at(&mut bytes[done..], offset + done as u64).expect("pread") {
            0 => break,
            more => done += more,
        }
    }
    bytes.truncate(done);
    bytes
}

/// A temporary file, open for reading and writing, deleted on drop.
#[derive(Debug)]
pub struct TempFile {
    file: NamedTempFile,
}

impl TempFile {
    /// Makes a file of `len` bytes of checkable content.
    ///
    /// # Panics
    /// If the temporary directory has no room for it.
    #[must_use]
    pub fn new(len: usize) -> TempFile {
        let made = TempFile::empty();
        made.file().write_all_at(&content(0, len), 0).expect("filling a temporary file");
        made
    }

    /// Makes an empty file.
    ///
    /// # Panics
    /// If the temporary directory refuses.
    #[must_use]
    pub fn empty() -> TempFile {
        TempFile { file: NamedTempFile::new().expect("a temporary file") }
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Opens it a second time with further flags, `libc::O_APPEND` or `libc::O_DSYNC` for example.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn open(&self, flags: libc::c_int) -> File {
        let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(self.path());
        opened.expect("opening a temporary file again")
    }

    /// Opens it a second time for direct I/O, after its content has reached the disk and left the page cache.
    ///
    /// # Errors
    /// The reason for a skip, if this file system has no direct I/O.
    pub fn direct(&self) -> Result<File, String> {
        self.file().sync_all().map_err(|error| format!("fsync: {error}"))?;
        let opened = open_direct(self.path());
        opened.map_err(|error| format!("no O_DIRECT in the temporary directory: {error}"))
    }
}

/// Opens a file for direct reading and writing.
///
/// # Errors
/// What `open` says.
pub fn open_direct(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path)
}

/// Bytes at an address that suits direct I/O, zeroed at first.
#[derive(Debug)]
pub struct AlignedBuf {
    /// Invariant: an allocation of `layout(len)`, owned by this value alone.
    pointer: NonNull<u8>,
    len: usize,
}

// SAFETY: the allocation is owned by this value alone (its invariant), as a `Box<[u8]>` would own it.
unsafe impl Send for AlignedBuf {}

impl AlignedBuf {
    /// Makes a buffer of `len` zeroes.
    ///
    /// # Panics
    /// For a length of 0.
    #[must_use]
    pub fn new(len: usize) -> AlignedBuf {
        assert!(len > 0, "an aligned buffer has a length");
        // SAFETY: the layout's size is `len`, which is not zero.
        let pointer = unsafe { alloc_zeroed(layout(len)) };
        match NonNull::new(pointer) {
            Some(pointer) => AlignedBuf { pointer, len },
            None => handle_alloc_error(layout(len)),
        }
    }

    /// Makes a buffer of `len` bytes of the checkable content from `offset` on.
    ///
    /// # Panics
    /// For a length of 0.
    #[must_use]
    pub fn filled(len: usize, offset: u64) -> AlignedBuf {
        let mut made = AlignedBuf::new(len);
        fill(&mut made, offset);
        made
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariant `len` bytes, initialised (zeroed first), owned by `self`, borrowed as `self` is.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and not used after this.
        unsafe { dealloc(self.pointer.as_ptr(), layout(self.len)) }
    }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, ALIGNMENT).expect("a length that fits the address space")
}

/// Reads the system's count of AIO events that contexts have asked for. Other processes change it.
///
/// # Errors
/// If this kernel has no AIO.
pub fn aio_nr() -> Result<u64, String> {
    number("/proc/sys/fs/aio-nr")
}

/// Reads the system's limit on AIO events.
///
/// # Errors
/// If this kernel has no AIO.
pub fn aio_max_nr() -> Result<u64, String> {
    number("/proc/sys/fs/aio-max-nr")
}

fn number(path: &str) -> Result<u64, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    text.trim().parse().map_err(|error| format!("{path}: {error}"))
}

/// Counts the completion rings of kernel AIO that this process has mapped: one for each context that lives.
///
/// # Panics
/// If `/proc` is not there.
#[must_use]
pub fn aio_rings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc/self/maps");
    maps.lines().filter(|line| line.contains("[aio]")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_has_the_content_and_goes_away() {
        let file = TempFile::new(10_000);
        let path = file.path().to_owned();
        check(&pread(file.file(), 77, 20_000), 77);
        assert_eq!(pread(file.file(), 77, 20_000).len(), 10_000 - 77);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn an_aligned_buffer_is_aligned_and_filled() {
        let buffer = AlignedBuf::filled(8192, 5);
        assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT), 0);
        check(&buffer, 5);
    }
}
