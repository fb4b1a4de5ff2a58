//! What the driver needs of a context, for both contexts: their methods have the same names, so it is written once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use libc::{c_int, c_short, iovec};

use crate::plan::{How, Setup};

/// The result of an operation, or its errno.
pub(crate) type Answer = Result<u32, i32>;
/// A completion.
pub(crate) type Taken = (u64, Answer);

/// A request with all its arguments.
#[derive(Debug)]
pub(crate) enum Call<'a> {
    Transfer { write: bool, way: Way, iovecs: Vec<iovec>, on: On<'a>, offset: u64, extras: Extras },
    Sync { data_only: bool, on: On<'a> },
    Poll { on: BorrowedFd<'a>, events: c_short },
    Cancel { target: u64, poll_only: bool },
    Nop,
    Timeout(Duration),
    Allocate { on: On<'a>, offset: u64, len: u64, mode: c_int },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Plain,
    Vector,
    Iter,
    Registered(u16),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum On<'a> {
    Fd(BorrowedFd<'a>),
    Table(u32),
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) flags: c_int,
    pub(crate) priority: Option<u16>,
}

/// Why a request was not added.
#[derive(Debug)]
pub(crate) enum Refusal {
    NoSpace,
    /// The same, with the vector that came back.
    Returned(Vec<iovec>),
    Other(String),
}

/// What a context says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) queued: usize,
    pub(crate) in_flight: usize,
    pub(crate) space: usize,
    pub(crate) submitted: u64,
    pub(crate) completed: u64,
}

/// How a context counts its room.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Room {
    /// So many between two submits, and a completion ring of the second size.
    Queue(usize, usize),
    /// So many until their completions are taken.
    Total(usize),
}

pub(crate) trait Driven: Sized + AsFd {
    /// What only io_uring can do is not asked of the other.
    const IS_URING: bool;

    fn make(setup: &Setup) -> io::Result<Self>;
    fn room(setup: &Setup) -> Room;
    fn register(&mut self, files: &[BorrowedFd<'_>], buffers: &[iovec]) -> io::Result<()>;

    /// # Safety
    ///
    /// As the methods of the context.
    unsafe fn add(&mut self, call: Call<'_>, name: u64) -> Result<(), Refusal>;
    fn submit(&mut self) -> io::Result<usize>;
    /// Takes up to `most` completions, and leaks the iterator if so wished.
    fn take(&mut self, how: How, most: usize, leak: bool) -> io::Result<Vec<Taken>>;
    fn drain(&mut self) -> io::Result<Vec<Taken>>;
    fn counts(&self) -> Counts;
    fn enters(&self) -> u64;
}

fn answer((name, result): (u64, io::Result<u32>)) -> Taken {
    // An error without an errno becomes one that no operation is expected to give.
    (name, result.map_err(|error| error.raw_os_error().unwrap_or(0)))
}

macro_rules! drive {
    (
        $krate:ident, $context:ty, $is_uring:literal, $on:ident, $make:expr, $room:expr, $register:expr,
        |$self:ident, $name:ident| { $($extra:tt)* }
    ) => {
        impl From<$krate::Error> for Refusal {
            fn from(error: $krate::Error) -> Self {
                match error {
                    $krate::Error::NoSpace => Refusal::NoSpace,
                    error => Refusal::Other(error.to_string()),
                }
            }
        }

        impl From<$krate::Rejected> for Refusal {
            fn from(rejected: $krate::Rejected) -> Self {
                match rejected.error {
                    $krate::Error::NoSpace => Refusal::Returned(rejected.iovecs),
                    error => Refusal::Other(error.to_string()),
                }
            }
        }

        impl Driven for $context {
            const IS_URING: bool = $is_uring;

            fn make(setup: &Setup) -> io::Result<Self> {
                let make: fn(&Setup) -> $krate::Result<Self> = $make;
                make(setup).map_err(|error| io::Error::other(error.to_string()))
            }

            fn room(setup: &Setup) -> Room {
                let room: fn(&Setup) -> Room = $room;
                room(setup)
            }

            fn register(&mut self, files: &[BorrowedFd<'_>], buffers: &[iovec]) -> io::Result<()> {
                let register: fn(&mut Self, &[BorrowedFd<'_>], &[iovec]) -> io::Result<()> = $register;
                register(self, files, buffers)
            }

            unsafe fn add(&mut self, call: Call<'_>, $name: u64) -> Result<(), Refusal> {
                let $self = self;
                let (queued, extras) = match call {
                    Call::Transfer { write, way: Way::Plain, iovecs, on, offset, extras } => {
                        let (base, len) = (iovecs[0].iov_base.cast::<u8>(), iovecs[0].iov_len);
                        let queued = if write {
                            $on!(on, fd => unsafe { $self.add_write(base.cast_const(), len, fd, offset, $name) })
                        } else {
                            $on!(on, fd => unsafe { $self.add_read(base, len, fd, offset, $name) })
                        };
                        (queued?, extras)
                    }
                    Call::Transfer { write, way: Way::Vector, iovecs, on, offset, extras } => {
                        let queued = if write {
                            $on!(on, fd => unsafe { $self.add_writev(iovecs, fd, offset, $name) })
                        } else {
                            $on!(on, fd => unsafe { $self.add_readv(iovecs, fd, offset, $name) })
                        };
                        (queued?, extras)
                    }
                    Call::Transfer { write, way: Way::Iter, iovecs, on, offset, extras } => {
                        let queued = if write {
                            $on!(on, fd => unsafe { $self.add_writev_iter(iovecs, fd, offset, $name) })
                        } else {
                            $on!(on, fd => unsafe { $self.add_readv_iter(iovecs, fd, offset, $name) })
                        };
                        (queued?, extras)
                    }
                    Call::Sync { data_only: true, on } => {
                        return Ok($on!(on, fd => unsafe { $self.add_fdatasync(fd, $name) })?);
                    }
                    Call::Sync { data_only: false, on } => {
                        return Ok($on!(on, fd => unsafe { $self.add_fsync(fd, $name) })?);
                    }
                    Call::Poll { on, events } => {
                        return Ok(unsafe { $self.add_poll_fd(on, events, $name) }?);
                    }
                    Call::Cancel { target, poll_only: true } => {
                        return Ok($self.remove_poll_fd(target, $name)?);
                    }
                    Call::Cancel { target, poll_only: false } => {
                        return Ok($self.cancel(target, $name)?);
                    }
                    $($extra)*
                };
                let queued = match extras.flags {
                    0 => queued,
                    flags => queued.rw_flags($krate::RwFlags::from_bits_retain(flags)),
                };
                if let Some(priority) = extras.priority {
                    queued.ioprio($krate::IoPriority::from_raw(priority));
                }
                Ok(())
            }

            fn submit(&mut self) -> io::Result<usize> {
                Ok(<$context>::submit(self)?)
            }

            fn take(&mut self, how: How, most: usize, leak: bool) -> io::Result<Vec<Taken>> {
                let mut completions = match how {
                    How::Completions => self.completions()?,
                    How::Wait => self.wait()?,
                    How::WaitNr(nr) => self.wait_nr(nr)?,
                    How::WaitTimeout { millis } => self.wait_timeout(Duration::from_millis(millis))?,
                };
                let taken = completions.by_ref().take(most).map(answer).collect();
                if leak {
                    std::mem::forget(completions);
                }
                Ok(taken)
            }

            fn drain(&mut self) -> io::Result<Vec<Taken>> {
                let mut taken = Vec::new();
                <$context>::drain(self, |name, result| taken.push(answer((name, result))))?;
                Ok(taken)
            }

            fn counts(&self) -> Counts {
                let stats = self.stats();
                Counts {
                    queued: self.queued(),
                    in_flight: self.in_flight(),
                    space: self.space(),
                    submitted: stats.submitted,
                    completed: stats.completed,
                }
            }

            fn enters(&self) -> u64 {
                self.stats().enters
            }
        }
    };
}

macro_rules! fd_or_table {
    ($on:expr, $target:ident => $call:expr) => {
        match $on {
            On::Fd($target) => $call,
            On::Table(index) => {
                let $target = uring::Fixed(index);
                $call
            }
        }
    };
}

macro_rules! fd_only {
    ($on:expr, $target:ident => $call:expr) => {
        match $on {
            On::Fd($target) => $call,
            On::Table(_) => unreachable!("no table of files"),
        }
    };
}

fn ring_size(setup: &Setup) -> usize {
    let least = setup.entries.next_power_of_two();
    if setup.least_completions { least } else { 2 * least }
}

drive!(
    uring, uring::URingContext, true, fd_or_table,
    |setup| {
        let mut builder = uring::URingContext::builder(setup.entries);
        if setup.least_completions {
            builder = builder.cq_entries(ring_size(setup));
        }
        if setup.otherwise {
            builder = builder.defer_taskrun();
        }
        builder.build()
    },
    |setup| Room::Queue(setup.entries.next_power_of_two(), ring_size(setup)),
    |context, files, buffers| {
        context.register_files(files)?;
        Ok(unsafe { context.register_buffers(buffers) }?)
    },
    |context, name| {
        Call::Transfer { write, way: Way::Registered(index), iovecs, on, offset, extras } => {
            let (base, len) = (iovecs[0].iov_base.cast::<u8>(), iovecs[0].iov_len);
            let queued = if write {
                let base = base.cast_const();
                fd_or_table!(on, fd => unsafe { context.add_write_fixed(base, len, index, fd, offset, name) })
            } else {
                fd_or_table!(on, fd => unsafe { context.add_read_fixed(base, len, index, fd, offset, name) })
            };
            (queued?, extras)
        }
        Call::Nop => return Ok(context.add_nop(name)?),
        Call::Timeout(timeout) => return Ok(context.add_timeout(timeout, name)?),
        Call::Allocate { on, offset, len, mode } => {
            let added = fd_or_table!(on, fd => unsafe { context.add_fallocate(fd, offset, len, mode, name) });
            return Ok(added?);
        }
    }
);

drive!(
    aio, aio::AioContext, false, fd_only,
    |setup| aio::AioContext::builder(setup.entries).force_syscall(setup.otherwise).build(),
    |setup| Room::Total(setup.entries),
    |_, _, _| Ok(()),
    |_context, name| {
        call => unreachable!("only io_uring has this: {call:?}"),
    }
);
