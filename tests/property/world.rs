//! Files, pipes and memory outside the contexts: the file that a context works on, its mirror on which `pread`,
//! `pwrite` and their relatives do the same, and whatever else an operation can name.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use libc::{c_int, c_short, iovec};
use tests::files::TempFile;

use crate::driven::{Answer, Way};
use crate::memory::{Block, Hole};
use crate::op::{Action, Op, Placed};
use crate::plan::{Kind, MOST_UNITS, PIPES, Twist, UNITS};

/// A descriptor that is beyond every limit on open files, so that nothing else in this process ever gets it.
const NEVER_OPEN: RawFd = c_int::MAX - 100;
/// What a kick writes.
pub(crate) const KICK: &[u8] = b"kick";
/// How many buffers are registered.
const REGISTERED: usize = 2;

/// One file, opened in all ways that are tried.
#[derive(Debug)]
pub(crate) struct Files {
    named: TempFile,
    pub(crate) both_ways: File,
    pub(crate) read_only: File,
    pub(crate) write_only: File,
    pub(crate) name_only: File,
}

impl Files {
    fn new(kind: Kind) -> io::Result<Files> {
        let unit = kind.unit();
        let named = TempFile::new(match kind {
            Kind::Buffered => UNITS * unit + unit + 99,
            Kind::Direct => UNITS * unit + 2 * unit,
        });
        let flags = match kind {
            Kind::Buffered => 0,
            Kind::Direct => {
                named.file().sync_all()?;
                libc::O_DIRECT
            }
        };
        let open = |read, write, flags| {
            OpenOptions::new().read(read).write(write).custom_flags(flags).open(named.path())
        };
        Ok(Files {
            both_ways: open(true, true, flags)?,
            read_only: open(true, false, flags)?,
            write_only: open(false, true, flags)?,
            name_only: open(true, false, libc::O_PATH)?,
            named,
        })
    }

    /// The descriptor that a transfer with this twist names.
    pub(crate) fn of(&self, twist: Twist, write: bool) -> BorrowedFd<'_> {
        let one_way = |write| if write { &self.write_only } else { &self.read_only };
        match twist {
            Twist::OneWay => one_way(write).as_fd(),
            Twist::WrongWay => one_way(!write).as_fd(),
            Twist::NameOnly => self.name_only.as_fd(),
            Twist::NotOpen | Twist::BeyondTable => not_open(),
            _ => self.both_ways.as_fd(),
        }
    }

    /// Does the same with this file as an operation does.
    pub(crate) fn repeat(&self, op: &Op, hole: &Hole) -> (Answer, Option<Block>) {
        match &op.action {
            // What does not lie in the registered buffer is told before anything else is looked at.
            Action::Transfer(Placed { way: Way::Registered(_), twist: Twist::Inaccessible, .. }) => {
                (Err(libc::EFAULT), None)
            }
            Action::Transfer(placed) => {
                let mut twin = placed.block.twin();
                if !placed.write {
                    twin.prepare(twin.skew(), twin.len());
                }
                let iovecs = twin.iovecs(&placed.layout, hole);
                let fd = self.of(placed.twist, placed.write);
                let answer = transfer(fd, placed.write, &iovecs, placed.offset, placed.extras.flags);
                (answer, Some(twin))
            }
            Action::Allocate { offset, len, mode } => {
                (allocate(self.both_ways.as_fd(), mode.bits(), *offset, *len), None)
            }
            action => unreachable!("not on a file: {action:?}"),
        }
    }

    /// All that is in the file, through the page cache.
    pub(crate) fn content(&self) -> io::Result<Vec<u8>> {
        std::fs::read(self.named.path())
    }
}

/// A descriptor that is not open. To name one breaks no memory: the kernel says `EBADF`.
pub(crate) fn not_open() -> BorrowedFd<'static> {
    unsafe { BorrowedFd::borrow_raw(NEVER_OPEN) }
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) reader: PipeReader,
    pub(crate) writer: PipeWriter,
}

impl Pipe {
    fn new() -> io::Result<Pipe> {
        let (reader, writer) = io::pipe()?;
        Ok(Pipe { reader, writer })
    }

    /// Says whether somebody has kicked it and nobody has read that.
    pub(crate) fn is_loaded(&self) -> bool {
        poll(self.reader.as_fd(), libc::POLLIN) != Ok(0)
    }

    pub(crate) fn kick(&mut self) -> io::Result<()> {
        if self.is_loaded() { Ok(()) } else { self.writer.write_all(KICK) }
    }

    pub(crate) fn quiet(&mut self) -> io::Result<()> {
        if self.is_loaded() { self.reader.read_exact(&mut [0; KICK.len()]) } else { Ok(()) }
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) subject: Files,
    pub(crate) mirror: Files,
    /// The first half is polled, the second half is read from.
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) hung_up: PipeReader,
    pub(crate) hole: Hole,
    /// Buffers that are registered and not in use, with their index.
    pub(crate) registered: Vec<(u16, Block)>,
}

impl World {
    pub(crate) fn new(kind: Kind) -> io::Result<World> {
        let (hung_up, _) = io::pipe()?;
        let block = |index| (index as u16, Block::new((MOST_UNITS + 1) * kind.unit()));
        Ok(World {
            subject: Files::new(kind)?,
            mirror: Files::new(kind)?,
            pipes: (0..2 * PIPES).map(|_| Pipe::new()).collect::<io::Result<_>>()?,
            hung_up,
            hole: Hole::new(),
            registered: (0..REGISTERED).map(block).collect(),
        })
    }
}

impl World {
    /// Takes back what an operation had that is used again.
    pub(crate) fn put_back(&mut self, op: Op) {
        if let Action::Transfer(Placed { way: Way::Registered(index), block, .. }) = op.action {
            self.registered.push((index, block));
        }
    }
}

/// Does with a file what a transfer does: `pread` or `pwrite`, or what comes nearest.
pub(crate) fn transfer(
    fd: BorrowedFd<'_>,
    write: bool,
    iovecs: &[iovec],
    offset: u64,
    flags: c_int,
) -> Answer {
    let (fd, offset) = (fd.as_raw_fd(), offset.cast_signed());
    if let (&[iovec { iov_base, iov_len }], 0) = (iovecs, flags) {
        return if write {
            answer(unsafe { libc::pwrite(fd, iov_base, iov_len, offset) })
        } else {
            answer(unsafe { libc::pread(fd, iov_base, iov_len, offset) })
        };
    }
    let (first, count) = (iovecs.as_ptr(), c_int::try_from(iovecs.len()).expect("few iovecs"));
    if write {
        answer(unsafe { libc::pwritev2(fd, first, count, offset, flags) })
    } else {
        answer(unsafe { libc::preadv2(fd, first, count, offset, flags) })
    }
}

pub(crate) fn allocate(fd: BorrowedFd<'_>, mode: c_int, offset: u64, len: u64) -> Answer {
    let (offset, len) = (offset.cast_signed(), len.cast_signed());
    answer(unsafe { libc::fallocate(fd.as_raw_fd(), mode, offset, len) } as isize)
}

/// What `poll(2)` says now.
pub(crate) fn poll(fd: BorrowedFd<'_>, events: c_short) -> Answer {
    let mut pollfd = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    answer(unsafe { libc::poll(&raw mut pollfd, 1, 0) } as isize)?;
    Ok(u32::from(pollfd.revents.cast_unsigned()))
}

fn answer(ret: isize) -> Answer {
    u32::try_from(ret).map_err(|_| io::Error::last_os_error().raw_os_error().expect("an errno"))
}
