//! Peers on Tokio itself.

use std::fs::File;
use std::io::SeekFrom;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;
use engine::tokio::AsyncEngine;
use engine::{BackendKind, Options};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::case::Mode;
use crate::compare::peer::Peer;
use crate::micro::BLOCK;
use crate::random::Random;
use crate::target::Target;

/// Where the reads of one task go.
#[derive(Clone, Debug)]
pub(super) struct Places {
    random: Random,
    mask: u64,
}

impl Places {
    /// Those of the task `number`, in a file of this size.
    pub(super) fn new(size: u64, number: usize) -> Self {
        Self { random: Random::new(number as u64), mask: (1 << (size / BLOCK as u64).ilog2()) - 1 }
    }

    pub(super) fn next(&mut self) -> u64 {
        (self.random.next() & self.mask) * BLOCK as u64
    }
}

pub(super) fn buffered(target: &Target) -> anyhow::Result<Arc<File>> {
    let file = target.file(Mode::Buffered).map_err(|reason| anyhow::anyhow!("{reason}"))?;
    Ok(Arc::new(file.try_clone()?))
}

/// The file by a path that works whether it has a name or not.
pub(super) fn path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Waits for all tasks of a slice.
async fn all(mut tasks: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// The futures of this workspace.
#[derive(Debug)]
pub(super) struct OnEngine {
    name: &'static str,
    engine: AsyncEngine,
    file: Arc<File>,
    size: u64,
    depth: usize,
    // Dropped last: the engine's end is driven by it.
    runtime: Runtime,
}

impl OnEngine {
    pub(super) fn new(
        name: &'static str,
        target: &Target,
        depth: usize,
        kind: BackendKind,
    ) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let engine = {
            let _inside = runtime.enter();
            AsyncEngine::new(&Options::new(depth).only(kind))?
        };
        Ok(Self { name, engine, file: buffered(target)?, size: target.size, depth, runtime })
    }
}

impl Peer for OnEngine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn batch(&self) -> usize {
        self.depth
    }

    fn run(&mut self, batches: u64) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        for number in 0..self.depth {
            let (engine, mut file) = (self.engine.clone(), self.file.clone());
            let mut places = Places::new(self.size, number);
            tasks.spawn_on(
                async move {
                    let mut buffer = vec![0; BLOCK];
                    for _ in 0..batches {
                        let read = engine.read_at(file, buffer, places.next()).await?;
                        ensure!(read.count == BLOCK, "a short read");
                        (file, buffer) = (read.file, read.buffer);
                    }
                    Ok(())
                },
                self.runtime.handle(),
            );
        }
        self.runtime.block_on(all(tasks))
    }
}

/// A blocking call in Tokio's pool for each read.
#[derive(Debug)]
pub(super) struct Blocking {
    name: &'static str,
    file: Arc<File>,
    size: u64,
    depth: usize,
    runtime: Runtime,
}

impl Blocking {
    pub(super) fn new(name: &'static str, target: &Target, depth: usize) -> anyhow::Result<Self> {
        Ok(Self { name, file: buffered(target)?, size: target.size, depth, runtime: runtime()? })
    }
}

impl Peer for Blocking {
    fn name(&self) -> &'static str {
        self.name
    }

    fn batch(&self) -> usize {
        self.depth
    }

    fn run(&mut self, batches: u64) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        for number in 0..self.depth {
            let file = self.file.clone();
            let mut places = Places::new(self.size, number);
            tasks.spawn_on(
                async move {
                    let mut buffer = vec![0; BLOCK];
                    for _ in 0..batches {
                        let (file, offset) = (file.clone(), places.next());
                        let read = tokio::task::spawn_blocking(move || {
                            file.read_at(&mut buffer, offset).map(|count| (count, buffer))
                        });
                        let count;
                        (count, buffer) = read.await??;
                        ensure!(count == BLOCK, "a short read");
                    }
                    Ok(())
                },
                self.runtime.handle(),
            );
        }
        self.runtime.block_on(all(tasks))
    }
}

/// Tokio's own files, which have a position: one for each task.
#[derive(Debug)]
pub(super) struct TokioFs {
    name: &'static str,
    file: Arc<File>,
    size: u64,
    depth: usize,
    runtime: Runtime,
}

impl TokioFs {
    pub(super) fn new(name: &'static str, target: &Target, depth: usize) -> anyhow::Result<Self> {
        Ok(Self { name, file: buffered(target)?, size: target.size, depth, runtime: runtime()? })
    }
}

impl Peer for TokioFs {
    fn name(&self) -> &'static str {
        self.name
    }

    fn batch(&self) -> usize {
        self.depth
    }

    fn run(&mut self, batches: u64) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        for number in 0..self.depth {
            let path = path(&self.file);
            let mut places = Places::new(self.size, number);
            tasks.spawn_on(
                async move {
                    let mut file = tokio::fs::File::open(path).await?;
                    let mut buffer = vec![0; BLOCK];
                    for _ in 0..batches {
                        file.seek(SeekFrom::Start(places.next())).await?;
                        file.read_exact(&mut buffer).await?;
                    }
                    Ok(())
                },
                self.runtime.handle(),
            );
        }
        self.runtime.block_on(all(tasks))
    }
}
