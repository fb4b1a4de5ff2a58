//! Content that can be checked anywhere without a copy of it.
//!
//! Each word of eight bytes is a function of the seed, of how often its block has been written, and of its
//! own place in the file. A block that is stale, torn, shifted or another one's does not pass.

use std::fmt;

const WORD: usize = size_of::<u64>();

/// What a file holds where it was made from `seed`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    seed: u64,
}

/// The first word of a block that is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) offset: u64,
    pub(crate) expected: u64,
    pub(crate) found: u64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, expected, found } = self;
        write!(f, "wrong content at byte {offset}: expected {expected:016x}, found {found:016x}")
    }
}

impl std::error::Error for Mismatch {}

impl Content {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Fills `block`, whole words long, with what belongs at byte `offset` after `version` rewrites.
    pub(crate) fn fill(self, block: &mut [u8], offset: u64, version: u32) {
        let stream = self.stream(version);
        let (words, _) = block.as_chunks_mut::<WORD>();
        for (index, word) in words.iter_mut().enumerate() {
            *word = expected(stream, offset, index).to_le_bytes();
        }
    }

    /// Compares every byte of `block` with what [`fill`](Self::fill) gives.
    pub(crate) fn check(self, block: &[u8], offset: u64, version: u32) -> Result<(), Mismatch> {
        let stream = self.stream(version);
        let (words, _) = block.as_chunks::<WORD>();
        // One pass without branches: the place is only looked for when there is something to find.
        let wrong = words.iter().enumerate().fold(0, |wrong, (index, word)| {
            wrong | (u64::from_le_bytes(*word) ^ expected(stream, offset, index))
        });
        if wrong == 0 {
            return Ok(());
        }
        let found = words.iter().map(|word| u64::from_le_bytes(*word)).enumerate();
        let mut pairs = found.map(|(index, found)| (index, expected(stream, offset, index), found));
        match pairs.find(|(_, expected, found)| expected != found) {
            Some((index, expected, found)) => {
                Err(Mismatch { offset: offset + (index * WORD) as u64, expected, found })
            }
            None => Ok(()),
        }
    }

    fn stream(self, version: u32) -> u64 {
        mix(self.seed ^ mix(u64::from(version)))
    }
}

#[inline]
fn expected(stream: u64, offset: u64, index: usize) -> u64 {
    // One-to-one in the place: no two words of a version are equal.
    let word = stream.wrapping_add((offset / WORD as u64 + index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Spreads every bit of `value` over the whole result, one-to-one.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(offset: u64, version: u32) -> Vec<u8> {
        let mut block = vec![0; 4096];
        Content::new(1).fill(&mut block, offset, version);
        block
    }

    #[test]
    fn what_was_filled_passes_the_check() {
        assert_eq!(Content::new(1).check(&block(8192, 3), 8192, 3), Ok(()));
    }

    #[test]
    fn every_flipped_byte_is_found_where_it_is() {
        let mut block = block(4096, 0);
        for place in 0..block.len() {
            block[place] ^= 0x10;
            let mismatch = Content::new(1).check(&block, 4096, 0).unwrap_err();
            assert_eq!(mismatch.offset, 4096 + (place / WORD * WORD) as u64);
            block[place] ^= 0x10;
        }
    }

    #[test]
    fn stale_foreign_and_shifted_blocks_are_found() {
        let content = Content::new(1);
        assert!(content.check(&block(0, 1), 0, 2).is_err(), "an older version");
        assert!(content.check(&block(4096, 1), 0, 1).is_err(), "the neighbour's block");
        assert!(Content::new(2).check(&block(0, 1), 0, 1).is_err(), "another file's block");
        let mut shifted = block(0, 1);
        shifted.rotate_left(1);
        assert!(content.check(&shifted, 0, 1).is_err(), "a block shifted by one byte");
        assert!(content.check(&[0; 4096], 0, 1).is_err(), "a hole");
    }

    #[test]
    fn a_block_is_the_same_in_pieces_and_as_a_whole() {
        let whole = block(0, 5);
        let mut pieces = vec![0; 4096];
        for (index, piece) in pieces.chunks_mut(512).enumerate() {
            Content::new(1).fill(piece, index as u64 * 512, 5);
        }
        assert_eq!(whole, pieces);
    }
}
