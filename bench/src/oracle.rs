//! Who knows what a block should hold.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use anyhow::Context;

use crate::buffer::Blocks;
use crate::content::Content;

/// Knows the right content of each block of the target.
#[derive(Debug)]
pub(crate) enum Oracle {
    /// The content was made here; each block counts how often it has been written.
    Made { content: Content, block_size: u64, versions: Vec<u32> },
    /// The content is somebody's: `pread`, outside the measured time, is the witness.
    Reread { witness: Blocks },
}

impl Oracle {
    /// Knows a region of `blocks` blocks as [`fill`](Self::fill_file) leaves it.
    pub(crate) fn made(seed: u64, block_size: usize, blocks: u64) -> Self {
        let versions = vec![0; blocks as usize];
        Self::Made { content: Content::new(seed), block_size: block_size as u64, versions }
    }

    pub(crate) fn reread(block_size: usize) -> anyhow::Result<Self> {
        Ok(Self::Reread { witness: Blocks::new(block_size, 1)? })
    }

    /// Compares a block that was read at `offset` of `file`, every byte of it.
    pub(crate) fn check(&mut self, file: &File, block: &[u8], offset: u64) -> anyhow::Result<()> {
        match self {
            Self::Made { content, block_size, versions } => {
                Ok(content.check(block, offset, versions[(offset / *block_size) as usize])?)
            }
            Self::Reread { witness } => {
                let witness = witness.get_mut(0);
                file.read_exact_at(witness, offset).with_context(|| format!("pread at byte {offset}"))?;
                match block.iter().zip(&*witness).position(|(found, expected)| found != expected) {
                    None => Ok(()),
                    Some(place) => anyhow::bail!(
                        "byte {} differs from what pread finds there, or somebody writes to the target",
                        offset + place as u64,
                    ),
                }
            }
        }
    }

    /// Fills `block` with what the next write at `offset` should leave there.
    pub(crate) fn prepare(&self, block: &mut [u8], offset: u64) -> anyhow::Result<()> {
        let Self::Made { content, block_size, versions } = self else {
            anyhow::bail!("the target may only be read");
        };
        content.fill(block, offset, versions[(offset / block_size) as usize].wrapping_add(1));
        Ok(())
    }

    /// Takes note that what was prepared for `offset` has been written.
    pub(crate) fn written(&mut self, offset: u64) {
        if let Self::Made { block_size, versions, .. } = self {
            let version = &mut versions[(offset / *block_size) as usize];
            *version = version.wrapping_add(1);
        }
    }

    /// Writes the whole region of `file` as it is before any other write, through the page cache.
    pub(crate) fn fill_file(&self, file: &File, mut progress: impl FnMut(u64)) -> io::Result<()> {
        let Self::Made { content, block_size, versions } = self else {
            return Ok(());
        };
        let mut chunk = vec![0; chunk_blocks(*block_size) * *block_size as usize];
        let mut offset = 0;
        for versions in versions.chunks(chunk_blocks(*block_size)) {
            let chunk = &mut chunk[..versions.len() * *block_size as usize];
            content.fill(chunk, offset, 0);
            file.write_all_at(chunk, offset)?;
            offset += chunk.len() as u64;
            progress(offset);
        }
        Ok(())
    }

    /// Reads the whole region back by `pread` and compares every byte; returns their number.
    pub(crate) fn check_file(&self, file: &File, mut progress: impl FnMut(u64)) -> anyhow::Result<u64> {
        let Self::Made { content, block_size, versions } = self else {
            return Ok(0);
        };
        let mut chunk = Blocks::new(chunk_blocks(*block_size) * *block_size as usize, 1)?;
        let mut offset = 0;
        for versions in versions.chunks(chunk_blocks(*block_size)) {
            let chunk = &mut chunk.get_mut(0)[..versions.len() * *block_size as usize];
            file.read_exact_at(chunk, offset).with_context(|| format!("reading back at byte {offset}"))?;
            for (block, version) in chunk.chunks(*block_size as usize).zip(versions) {
                content.check(block, offset, *version)?;
                offset += *block_size;
            }
            progress(offset);
        }
        Ok(offset)
    }
}

/// Blocks that are read or written together where nothing is measured: about a mebibyte.
fn chunk_blocks(block_size: u64) -> usize {
    (1_u64 << 20).div_ceil(block_size) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (Oracle, File) {
        let oracle = Oracle::made(9, 512, 5000);
        let file = tempfile::tempfile().unwrap();
        oracle.fill_file(&file, |_| {}).unwrap();
        (oracle, file)
    }

    #[test]
    fn a_file_as_it_was_filled_passes_and_one_flipped_byte_fails() {
        let (oracle, file) = filled();
        assert_eq!(oracle.check_file(&file, |_| {}).unwrap(), 5000 * 512);
        let mut byte = [0];
        file.read_exact_at(&mut byte, 1_234_567).unwrap();
        file.write_all_at(&[!byte[0]], 1_234_567).unwrap();
        let error = oracle.check_file(&file, |_| {}).unwrap_err().to_string();
        assert!(error.contains("1234560"), "{error}");
    }

    #[test]
    fn a_lost_write_is_found() {
        let (mut oracle, file) = filled();
        let mut block = [0; 512];
        oracle.prepare(&mut block, 1024).unwrap();
        oracle.written(1024);
        assert!(oracle.check_file(&file, |_| {}).is_err());
        file.write_all_at(&block, 1024).unwrap();
        oracle.check_file(&file, |_| {}).unwrap();
        oracle.check(&file, &block, 1024).unwrap();
    }

    #[test]
    fn a_file_of_unknown_content_is_compared_with_pread_and_never_written() {
        let (_, file) = filled();
        let mut oracle = Oracle::reread(512).unwrap();
        let mut block = [0; 512];
        file.read_exact_at(&mut block, 512).unwrap();
        oracle.check(&file, &block, 512).unwrap();
        block[7] ^= 1;
        let error = oracle.check(&file, &block, 512).unwrap_err().to_string();
        assert!(error.starts_with("byte 519 "), "{error}");
        assert!(oracle.prepare(&mut block, 0).is_err());
    }
}
