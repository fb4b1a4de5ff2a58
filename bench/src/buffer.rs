//! Memory that direct I/O takes.

use std::alloc::{self, Layout};
use std::ptr::NonNull;
use std::slice;

/// A number of blocks of one size, each aligned as direct I/O on any device asks for.
///
/// # Invariants
///
/// `start` is the start of an allocation of `layout`, which holds `count` blocks of `block` bytes, all of
/// them initialised. The kernel writes to it only between a request's submission and its completion, and
/// nothing here makes a reference then: [`pointer`](Self::pointer) does not.
#[derive(Debug)]
pub(crate) struct Blocks {
    start: NonNull<u8>,
    layout: Layout,
    block: usize,
    count: usize,
}

impl Blocks {
    /// Larger than the alignment of any device: a page.
    pub(crate) const ALIGNMENT: usize = 4096;

    pub(crate) fn new(block: usize, count: usize) -> anyhow::Result<Self> {
        anyhow::ensure!(block > 0 && count > 0, "a buffer of no size");
        let size = block
            .checked_mul(count)
            .ok_or_else(|| anyhow::anyhow!("{count} blocks of {block} bytes are too many"))?;
        let layout = Layout::from_size_align(size, Self::ALIGNMENT)?;
        // SAFETY: the layout's size is not 0, by the check above.
        let start = unsafe { alloc::alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            anyhow::bail!("no memory for {size} bytes of buffers");
        };
        let mut blocks = Self { start, layout, block, count };
        // Page faults of first use belong to nobody's measurement.
        for index in 0..count {
            blocks.get_mut(index).fill(0xa5);
        }
        Ok(blocks)
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The address of a block, for the kernel.
    #[inline]
    pub(crate) fn pointer(&mut self, index: usize) -> *mut u8 {
        assert!(index < self.count, "block {index} of {}", self.count);
        // SAFETY: `index < count`, so the block lies inside the allocation (type invariant).
        unsafe { self.start.as_ptr().add(index * self.block) }
    }

    /// A block that the kernel does not use at present.
    pub(crate) fn get(&mut self, index: usize) -> &[u8] {
        self.get_mut(index)
    }

    /// A block that the kernel does not use at present.
    pub(crate) fn get_mut(&mut self, index: usize) -> &mut [u8] {
        let start = self.pointer(index);
        // SAFETY: `pointer` checked that the block's `block` bytes lie inside the allocation, which is
        // initialised and lives as long as `self`, whose exclusive borrow the slice keeps. The callers wait
        // for the block's request.
        unsafe { slice::from_raw_parts_mut(start, self.block) }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        // SAFETY: `start` was allocated with `layout` (type invariant) and nothing uses it after the drop.
        unsafe { alloc::dealloc(self.start.as_ptr(), self.layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_apart() {
        let mut blocks = Blocks::new(512, 3).unwrap();
        assert_eq!(blocks.pointer(0) as usize % Blocks::ALIGNMENT, 0);
        for index in 0..3 {
            blocks.get_mut(index).fill(index as u8);
        }
        for index in 0..3 {
            assert!(blocks.get(index).iter().all(|byte| *byte == index as u8));
        }
    }

    #[test]
    #[should_panic(expected = "block 3 of 3")]
    fn a_block_past_the_end_is_refused() {
        Blocks::new(512, 3).unwrap().pointer(3);
    }
}
