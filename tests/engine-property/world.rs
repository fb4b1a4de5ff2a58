//! The file that an engine works on, opened in all ways that are tried, and pipes.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use engine::{IoFile, RegisteredFile, Registration};
use tests::files::TempFile;

use crate::plan::{Door, Kind, PIPES, SIZE};

/// A file as operations own it.
#[derive(Clone, Debug)]
pub(crate) enum Handle {
    Plain(Arc<File>),
    Registered(RegisteredFile),
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Handle::Plain(file) => file.as_fd(),
            Handle::Registered(file) => file.as_fd(),
        }
    }
}

impl IoFile for Handle {
    fn registration(&self) -> Option<Registration> {
        match self {
            Handle::Plain(_) => None,
            Handle::Registered(file) => file.registration(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) reader: Arc<File>,
    source: PipeReader,
    writer: PipeWriter,
    pub(crate) loaded: bool,
}

impl Pipe {
    fn new() -> io::Result<Pipe> {
        let (source, writer) = io::pipe()?;
        let reader = Arc::new(File::from(OwnedFd::from(source.try_clone()?)));
        Ok(Pipe { reader, source, writer, loaded: false })
    }

    pub(crate) fn kick(&mut self) -> io::Result<()> {
        if !self.loaded {
            self.writer.write_all(b"x")?;
        }
        self.loaded = true;
        Ok(())
    }

    pub(crate) fn quiet(&mut self) -> io::Result<()> {
        if self.loaded {
            self.source.read_exact(&mut [0])?;
        }
        self.loaded = false;
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct World {
    named: TempFile,
    pub(crate) both_ways: Arc<File>,
    read_only: Arc<File>,
    write_only: Arc<File>,
    name_only: Arc<File>,
    pub(crate) pipes: Vec<Pipe>,
    /// The file system makes holes.
    pub(crate) has_holes: bool,
}

impl World {
    pub(crate) fn new(kind: Kind) -> io::Result<World> {
        let named = TempFile::new(SIZE);
        let flags = match kind {
            Kind::Buffered => 0,
            Kind::Direct => {
                named.file().sync_all()?;
                libc::O_DIRECT
            }
        };
        let open = |read, write, flags| {
            let mut options = OpenOptions::new();
            options.read(read).write(write).custom_flags(flags).open(named.path()).map(Arc::new)
        };
        Ok(World {
            both_ways: open(true, true, flags)?,
            read_only: open(true, false, flags)?,
            write_only: open(false, true, flags)?,
            name_only: open(true, false, libc::O_PATH)?,
            pipes: (0..PIPES).map(|_| Pipe::new()).collect::<io::Result<_>>()?,
            has_holes: makes_holes(),
            named,
        })
    }

    /// What is behind a door.
    pub(crate) fn file(&self, door: Door, write: bool) -> &Arc<File> {
        match door {
            Door::Usual => &self.both_ways,
            Door::OneWay => {
                if write {
                    &self.write_only
                } else {
                    &self.read_only
                }
            }
            Door::WrongWay => {
                if write {
                    &self.read_only
                } else {
                    &self.write_only
                }
            }
            Door::NameOnly => &self.name_only,
        }
    }

    /// Whether nobody else has one of the files; the usual one is there twice.
    pub(crate) fn is_alone(&self) -> bool {
        let files = [&self.read_only, &self.write_only, &self.name_only];
        let pipes = self.pipes.iter().map(|pipe| &pipe.reader);
        files.into_iter().chain(pipes).all(|file| Arc::strong_count(file) == 1)
            && Arc::strong_count(&self.both_ways) <= 2
    }

    /// All that is in the file, through the page cache.
    pub(crate) fn content(&self) -> io::Result<Vec<u8>> {
        std::fs::read(self.named.path())
    }
}

/// Whether files in the temporary directory can have space allocated and taken.
fn makes_holes() -> bool {
    let file = TempFile::new(8192);
    let fd = file.file().as_raw_fd();
    [0, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE]
        // SAFETY: the call takes integers, and the file is open.
        .map(|mode| unsafe { libc::fallocate(fd, mode, 0, 4096) })
        == [0, 0]
}
