//! What is measured: one operation, one way to open the file, one depth, one engine.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// The interface that does the I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EngineKind {
    /// pread(2) and pwrite(2), one at a time
    Pread,
    /// Kernel AIO, `aio::AioContext`
    Aio,
    /// `io_uring`, `uring::URingContext`
    Uring,
    /// The safe engine, `engine::Engine`, on the best of the above
    Engine,
}

/// What is done to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Op {
    Read,
    Write,
}

/// How the file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Through the page cache
    Buffered,
    /// Past the page cache, `O_DIRECT`
    Direct,
}

/// One line of the table. The order is the order in which cases run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Case {
    pub(crate) op: Op,
    pub(crate) mode: Mode,
    pub(crate) depth: usize,
    pub(crate) engine: EngineKind,
}

impl EngineKind {
    /// The name of the call that blocks depends on the operation.
    pub(crate) fn call(self, op: Op) -> &'static str {
        match (self, op) {
            (Self::Pread, Op::Write) => "pwrite",
            _ => self.name(),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pread => "pread",
            Self::Aio => "aio",
            Self::Uring => "io_uring",
            Self::Engine => "engine",
        }
    }
}

impl Op {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Direct => "direct",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, mode, depth, engine } = self;
        write!(f, "{} {} depth {depth} {}", op.name(), mode.name(), engine.call(*op))
    }
}

/// Crosses the lists. `pread` blocks, so that its depth is 1 and it has one case whatever the depths are.
pub(crate) fn plan(ops: &[Op], modes: &[Mode], depths: &[usize], engines: &[EngineKind]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (&op, &mode) in ops.iter().flat_map(|op| modes.iter().map(move |mode| (op, mode))) {
        for &engine in engines {
            let depths = if engine == EngineKind::Pread { &[1] } else { depths };
            cases.extend(depths.iter().map(|&depth| Case { op, mode, depth, engine }));
        }
    }
    cases.sort_unstable();
    cases.dedup();
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pread_has_depth_one_and_no_doubles() {
        let cases = plan(&[Op::Read], &[Mode::Direct], &[8, 32, 8], &[EngineKind::Uring, EngineKind::Pread]);
        let depths: Vec<_> = cases.iter().map(|case| (case.engine, case.depth)).collect();
        assert_eq!(depths, [(EngineKind::Pread, 1), (EngineKind::Uring, 8), (EngineKind::Uring, 32)]);
    }

    #[test]
    fn reads_come_before_the_writes_that_empty_the_page_cache() {
        let cases = plan(&[Op::Write, Op::Read], &[Mode::Direct, Mode::Buffered], &[1], &[EngineKind::Aio]);
        let order: Vec<_> = cases.iter().map(|case| (case.op, case.mode)).collect();
        let (read, write) = (Op::Read, Op::Write);
        let (buffered, direct) = (Mode::Buffered, Mode::Direct);
        assert_eq!(order, [(read, buffered), (read, direct), (write, buffered), (write, direct)]);
    }
}
