//! Other runtimes, each behind a feature of its name.

use crate::compare::peer::Peer;
use crate::target::Target;

/// Adds those that are compiled in.
pub(super) fn add(peers: &mut Vec<Box<dyn Peer>>, target: &Target, depth: usize, notes: &mut Vec<String>) {
    #[cfg(feature = "tokio-uring")]
    match on_tokio_uring::OnTokioUring::new(target, depth) {
        Ok(peer) => peers.push(Box::new(peer)),
        Err(error) => notes.push(format!("tokio-uring: {error:#}")),
    }
    #[cfg(feature = "compio")]
    match on_compio::OnCompio::new(target, depth) {
        Ok(peer) => peers.push(Box::new(peer)),
        Err(error) => notes.push(format!("compio: {error:#}")),
    }
    #[cfg(not(any(feature = "tokio-uring", feature = "compio")))]
    {
        let _ = (peers, target, depth);
        notes.push("tokio-uring and compio: --features bench/tokio-uring,bench/compio".into());
    }
}

#[cfg(feature = "tokio-uring")]
mod on_tokio_uring {
    use std::fs::File;
    use std::rc::Rc;
    use std::sync::Arc;

    use anyhow::ensure;
    use tokio_uring::{Runtime, builder, fs};

    use crate::compare::peer::Peer;
    use crate::futures::tasks::{Places, buffered};
    use crate::micro::BLOCK;
    use crate::target::Target;

    pub(super) struct OnTokioUring {
        runtime: Runtime,
        file: Arc<File>,
        size: u64,
        depth: usize,
    }

    impl OnTokioUring {
        pub(super) fn new(target: &Target, depth: usize) -> anyhow::Result<Self> {
            let runtime = Runtime::new(builder().entries(depth.next_power_of_two() as u32))?;
            Ok(Self { runtime, file: buffered(target)?, size: target.size, depth })
        }
    }

    impl Peer for OnTokioUring {
        fn name(&self) -> &'static str {
            "tokio-uring"
        }

        fn batch(&self) -> usize {
            self.depth
        }

        fn run(&mut self, batches: u64) -> anyhow::Result<()> {
            let (file, size, depth) = (self.file.try_clone()?, self.size, self.depth);
            self.runtime.block_on(async move {
                let file = Rc::new(fs::File::from_std(file));
                let mut tasks = Vec::new();
                for number in 0..depth {
                    let file = file.clone();
                    let mut places = Places::new(size, number);
                    tasks.push(tokio_uring::spawn(async move {
                        let mut buffer = vec![0; BLOCK];
                        for _ in 0..batches {
                            let (result, back) = file.read_at(buffer, places.next()).await;
                            ensure!(result? == BLOCK, "a short read");
                            buffer = back;
                        }
                        Ok(())
                    }));
                }
                for task in tasks {
                    task.await??;
                }
                Ok(())
            })
        }
    }
}

#[cfg(feature = "compio")]
mod on_compio {
    use std::fs::File;
    use std::sync::Arc;

    use anyhow::ensure;
    use compio::fs;
    use compio::io::AsyncReadAt;
    use compio::runtime::{Runtime, spawn};

    use crate::compare::peer::Peer;
    use crate::futures::tasks::{Places, buffered, path};
    use crate::micro::BLOCK;
    use crate::target::Target;

    pub(super) struct OnCompio {
        runtime: Runtime,
        file: Arc<File>,
        size: u64,
        depth: usize,
    }

    impl OnCompio {
        pub(super) fn new(target: &Target, depth: usize) -> anyhow::Result<Self> {
            Ok(Self { runtime: Runtime::new()?, file: buffered(target)?, size: target.size, depth })
        }
    }

    impl Peer for OnCompio {
        fn name(&self) -> &'static str {
            "compio"
        }

        fn batch(&self) -> usize {
            self.depth
        }

        fn run(&mut self, batches: u64) -> anyhow::Result<()> {
            let (path, size, depth) = (path(&self.file), self.size, self.depth);
            self.runtime.block_on(async move {
                let file = fs::File::open(path).await?;
                let mut tasks = Vec::new();
                for number in 0..depth {
                    let file = file.clone();
                    let mut places = Places::new(size, number);
                    tasks.push(spawn(async move {
                        let mut buffer = Vec::with_capacity(BLOCK);
                        for _ in 0..batches {
                            let read = file.read_at(buffer, places.next()).await;
                            ensure!(read.0? == BLOCK, "a short read");
                            buffer = read.1;
                            buffer.clear();
                        }
                        anyhow::Ok(())
                    }));
                }
                for task in tasks {
                    task.await.map_err(|_| anyhow::anyhow!("a task panicked"))??;
                }
                Ok(())
            })
        }
    }
}
