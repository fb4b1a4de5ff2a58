//! The end of a case: the file is what `pread` and `pwrite` made of the mirror.

use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::driven::Driven;
use crate::model::Verdict;
use crate::op::Op;
use crate::placing::body;
use crate::plan::Kind;
use crate::run::Run;
use crate::world::{Files, Pipe};

impl<C: Driven> Run<C> {
    /// Compares the whole file with its mirror.
    pub(crate) fn compare_files(&self) -> Verdict {
        let (subject, mirror) = self.contents()?;
        prop_assert_eq!(subject.len(), mirror.len(), "the length of the file");
        let differs = subject.iter().zip(&mirror).position(|(a, b)| a != b);
        prop_assert!(differs.is_none(), "the file differs from its mirror at {differs:?}");
        Ok(())
    }

    fn contents(&self) -> Verdict<(Vec<u8>, Vec<u8>)> {
        let read = |files: &Files| {
            files.content().map_err(|error| TestCaseError::fail(format!("reading a file: {error}")))
        };
        Ok((read(&self.world.subject)?, read(&self.world.mirror)?))
    }

    /// Drops the context with all that is queued and in flight: of the former nothing has happened, of the latter each
    /// all or nothing, and then nothing happens any more.
    pub(crate) fn drop_in_flight(&mut self) -> Verdict {
        drop(self.context.take());
        // At once: whoever still reads a pipe takes the bait.
        for pipe in &mut self.world.pipes {
            pipe.kick().map_err(|error| TestCaseError::fail(format!("a pipe: {error}")))?;
        }
        let memory = self.memory();
        let (subject, mirror) = self.contents()?;
        let changes = self.model.groups.values().flat_map(|group| &group.ops).filter(|op| op.is_change());
        for op in changes {
            let Range { start, end } = extent(self.kind, op);
            // Both files reach beyond the body, where every extent starts.
            if subject[start..end.min(subject.len())] != mirror[start..end.min(mirror.len())] {
                // What it answered is not known any more; what it did is compared below.
                let _ = self.world.mirror.repeat(op, &self.world.hole);
            }
        }
        self.compare_files()?;
        for op in self.model.outstanding() {
            prop_assert!(op.block().is_none_or(|block| block.is_intact()), "memory outside: {op:?}");
        }
        prop_assert!(self.world.pipes.iter().all(Pipe::is_loaded), "a pipe was read after the drop");
        prop_assert!(self.memory() == memory, "memory has changed after the drop");
        Ok(())
    }

    fn memory(&self) -> Vec<Vec<u8>> {
        let blocks = self.model.outstanding().filter_map(Op::block);
        blocks.map(|block| block.data().to_vec()).collect()
    }
}

/// Where an operation may change the file.
fn extent(kind: Kind, op: &Op) -> Range<usize> {
    let units = &op.claim.units;
    if op.claim.end { body(kind)..usize::MAX } else { units.start * kind.unit()..units.end * kind.unit() }
}
