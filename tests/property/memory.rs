//! Memory for transfers: surrounded by bytes that must not change, or not accessible at all.

use std::ptr;

use libc::iovec;
use tests::files::{ALIGNMENT, AlignedBuf, fill};

/// What stands around the data, and in a buffer before it is read into.
const UNTOUCHED: [u8; ALIGNMENT] = [0xa5; ALIGNMENT];

/// A buffer between two pages that nobody may write to.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: AlignedBuf,
    start: usize,
    len: usize,
}

impl Block {
    /// Makes room for `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Block {
        let mut bytes = AlignedBuf::new(capacity + 2 * ALIGNMENT);
        overwrite(&mut bytes);
        Block { bytes, start: ALIGNMENT, len: capacity }
    }

    /// Chooses `len` bytes, `skew` after the page's start, and fills all of the rest, and these too, with a pattern.
    pub(crate) fn prepare(&mut self, skew: usize, len: usize) {
        assert!(skew + len + 2 * ALIGNMENT <= self.bytes.len(), "no room for {len} bytes");
        (self.start, self.len) = (ALIGNMENT + skew, len);
        overwrite(&mut self.bytes);
    }

    /// Makes another one of the same shape, with the same content.
    pub(crate) fn twin(&self) -> Block {
        let mut bytes = AlignedBuf::new(self.bytes.len());
        bytes.copy_from_slice(&self.bytes);
        Block { bytes, start: self.start, len: self.len }
    }

    /// Fills the data with content that tells where it comes from.
    pub(crate) fn fill(&mut self, seed: u64) {
        fill(&mut self.bytes[self.start..self.start + self.len], seed << 32);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn skew(&self) -> usize {
        self.start - ALIGNMENT
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }

    /// Everything, with what surrounds the data.
    pub(crate) fn whole(&mut self) -> iovec {
        iovec { iov_base: self.bytes.as_mut_ptr().cast(), iov_len: self.bytes.len() }
    }

    /// Says whether nothing outside the data has changed.
    pub(crate) fn is_intact(&self) -> bool {
        let outside = self.bytes[..self.start].chunks(ALIGNMENT);
        let mut outside = outside.chain(self.bytes[self.start + self.len..].chunks(ALIGNMENT));
        outside.all(|chunk| chunk == &UNTOUCHED[..chunk.len()])
    }

    /// Says whether the data from here on is as it was before anything was read.
    pub(crate) fn is_untouched_from(&self, start: usize) -> bool {
        self.data()[start..].iter().all(|byte| *byte == UNTOUCHED[0])
    }

    /// Finds the first of `count` bytes, in the order of a layout, that is not the same in another one of this shape.
    pub(crate) fn difference(&self, other: &Block, layout: &[Part], count: usize) -> Option<usize> {
        let mut before = 0;
        for part in layout {
            let len = part.len.min(count - before);
            // Nothing is counted of what is not accessible.
            let range = part.at.map_or(0..0, |at| at..at + len);
            let mut pairs = self.data()[range.clone()].iter().zip(&other.data()[range]);
            if let Some(at) = pairs.position(|(a, b)| a != b) {
                return Some(before + at);
            }
            before += len;
        }
        None
    }

    /// Names the parts of the data that a layout lists, and inaccessible memory where it says so.
    pub(crate) fn iovecs(&mut self, layout: &[Part], hole: &Hole) -> Vec<iovec> {
        let base = self.bytes.as_mut_ptr();
        let start = self.start;
        let part = |part: &Part| iovec {
            iov_base: match part.at {
                Some(at) => base.wrapping_add(start + at).cast(),
                None => hole.0,
            },
            iov_len: part.len,
        };
        layout.iter().map(part).collect()
    }
}

fn overwrite(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(ALIGNMENT) {
        chunk.copy_from_slice(&UNTOUCHED[..chunk.len()]);
    }
}

/// One iovec of a transfer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Where in the data; `None`: in inaccessible memory.
    pub(crate) at: Option<usize>,
    pub(crate) len: usize,
}

/// Addresses that are taken, with no memory behind them that could be read or written.
#[derive(Debug)]
pub(crate) struct Hole(*mut libc::c_void);

/// As long as the longest transfer, and more.
const HOLE: usize = 16 * ALIGNMENT;

impl Hole {
    pub(crate) fn new() -> Hole {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let address = unsafe { libc::mmap(ptr::null_mut(), HOLE, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(address, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        Hole(address)
    }
}

impl Drop for Hole {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.0, HOLE) };
    }
}
