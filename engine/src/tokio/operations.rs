//! The usual operations.

use libc::{c_int, c_short};
use uring::RwFlags;

use super::handle::AsyncEngine;
use super::outcome::{Failed, Transferred};
use crate::buffer::{IoBuf, IoBufMut};
use crate::file::IoFile;
use crate::operation::{
    Allocate, Discard, Poll, Read, ReadVectored, Sync, Write, WriteVectored, WriteZeroes,
};

/// How durable a write is when it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SyncLevel {
    /// As the file was opened.
    #[default]
    None,
    /// The data, and what it takes to read it back (`RWF_DSYNC`).
    Data,
    /// All of it, metadata included (`RWF_SYNC`).
    Full,
}

impl SyncLevel {
    /// The kernel's word for it.
    #[must_use]
    pub fn flags(self) -> RwFlags {
        match self {
            Self::None => RwFlags::default(),
            Self::Data => RwFlags::DSYNC,
            Self::Full => RwFlags::SYNC,
        }
    }
}

/// Short forms of [`run`](AsyncEngine::run). Nothing happens before the first poll.
///
/// # Errors
///
/// Each returns file and buffer with what the kernel says, or with [`BrokenPipe`](std::io::ErrorKind::BrokenPipe) if the engine is
/// closed.
impl AsyncEngine {
    /// Reads at an offset until the buffer is full or the file ends; see [`Read`].
    ///
    /// # Errors
    ///
    /// What `pread(2)` says.
    pub async fn read_at<F, B>(
        &self,
        file: F,
        buffer: B,
        offset: u64,
    ) -> Result<Transferred<F, B>, Failed<F, B>>
    where
        F: IoFile + Send,
        B: IoBufMut + Send,
    {
        let read = self.run(Read::new(file, buffer, offset)).await;
        read.split(|Read { file, buffer, .. }| (file, buffer))
    }

    /// Writes all of a buffer at an offset; see [`Write`].
    ///
    /// # Errors
    ///
    /// What `pwrite(2)` says.
    pub async fn write_at<F, B>(
        &self,
        file: F,
        buffer: B,
        offset: u64,
    ) -> Result<Transferred<F, B>, Failed<F, B>>
    where
        F: IoFile + Send,
        B: IoBuf + Send,
    {
        self.write_at_sync(file, buffer, offset, SyncLevel::None).await
    }

    /// As [`write_at`](Self::write_at), and is done when the write is as durable as was asked for.
    ///
    /// # Errors
    ///
    /// What `pwritev2(2)` says.
    pub async fn write_at_sync<F, B>(
        &self,
        file: F,
        buffer: B,
        offset: u64,
        level: SyncLevel,
    ) -> Result<Transferred<F, B>, Failed<F, B>>
    where
        F: IoFile + Send,
        B: IoBuf + Send,
    {
        let written = self.run(Write::new(file, buffer, offset).flags(level.flags())).await;
        written.split(|Write { file, buffer, .. }| (file, buffer))
    }

    /// Reads at an offset into several buffers; see [`ReadVectored`].
    ///
    /// # Errors
    ///
    /// What `preadv(2)` says.
    pub async fn read_vectored_at<F, B>(
        &self,
        file: F,
        buffers: Vec<B>,
        offset: u64,
    ) -> Result<Transferred<F, Vec<B>>, Failed<F, Vec<B>>>
    where
        F: IoFile + Send,
        B: IoBufMut + Send,
    {
        let read = self.run(ReadVectored::new(file, buffers, offset)).await;
        read.split(|read| {
            let (file, buffers, _) = read.into_parts();
            (file, buffers)
        })
    }

    /// Writes several buffers at an offset; see [`WriteVectored`].
    ///
    /// # Errors
    ///
    /// What `pwritev(2)` says.
    pub async fn write_vectored_at<F, B>(
        &self,
        file: F,
        buffers: Vec<B>,
        offset: u64,
    ) -> Result<Transferred<F, Vec<B>>, Failed<F, Vec<B>>>
    where
        F: IoFile + Send,
        B: IoBuf + Send,
    {
        let written = self.run(WriteVectored::new(file, buffers, offset)).await;
        written.split(|written| {
            let (file, buffers, _) = written.into_parts();
            (file, buffers)
        })
    }

    /// Makes durable what was written before, metadata included: `fsync(2)`.
    ///
    /// It covers writes that are done, not those that are in flight.
    ///
    /// # Errors
    ///
    /// What `fsync(2)` says.
    pub async fn sync<F: IoFile + Send>(&self, file: F) -> Result<F, Failed<F>> {
        let synced = self.run(Sync::all(file)).await.split(|sync| (sync.file, ()));
        synced.map(|synced| synced.file)
    }

    /// As [`sync`](Self::sync), with only the metadata that it takes to read the data back: `fdatasync(2)`.
    ///
    /// # Errors
    ///
    /// What `fdatasync(2)` says.
    pub async fn data_sync<F: IoFile + Send>(&self, file: F) -> Result<F, Failed<F>> {
        let synced = self.run(Sync::data(file)).await.split(|sync| (sync.file, ()));
        synced.map(|synced| synced.file)
    }

    /// Allocates, punches, zeroes or shifts a range, as the mode says (`libc::FALLOC_FL_*`; 0 allocates): `fallocate(2)`.
    ///
    /// # Errors
    ///
    /// What `fallocate(2)` says.
    pub async fn fallocate<F: IoFile + Send>(
        &self,
        file: F,
        mode: c_int,
        offset: u64,
        len: u64,
    ) -> Result<F, Failed<F>> {
        let done = self.run(Allocate { file, mode, offset, len }).await;
        done.split(|allocate| (allocate.file, ())).map(|done| done.file)
    }

    /// Tells the storage that a range is not needed any more; see [`Discard`].
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if the storage has nothing of the kind.
    pub async fn discard<F: IoFile + Send>(&self, file: F, offset: u64, len: u64) -> Result<F, Failed<F>> {
        let done = self.run(Discard { file, offset, len }).await;
        done.split(|discard| (discard.file, ())).map(|done| done.file)
    }

    /// Makes a range read as zeroes; see [`WriteZeroes`].
    ///
    /// # Errors
    ///
    /// What the last of the ways says that were tried.
    pub async fn write_zeroes<F: IoFile + Send>(
        &self,
        file: F,
        offset: u64,
        len: u64,
        unmap: bool,
    ) -> Result<F, Failed<F>> {
        let done = self.run(WriteZeroes { file, offset, len, unmap }).await;
        done.split(|zeroes| (zeroes.file, ())).map(|done| done.file)
    }

    /// Waits until something can be done with a file, and returns what (`libc::POLLIN`, …): `poll(2)`.
    ///
    /// Dropping the future ends the poll.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if the engine is closed meanwhile.
    pub async fn poll<F: IoFile + Send>(&self, file: F, events: c_short) -> Result<(F, c_short), Failed<F>> {
        let polled = self.run(Poll { file, events }).await.split(|poll| (poll.file, ()));
        // The kernel's mask has 16 bits that matter.
        polled.map(|polled| (polled.file, polled.count as c_short))
    }
}
