//! The file system behind the late disk, and the gate at which its requests wait.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite,
    Request, WriteFlags,
};

use crate::files;

/// The name of the one file.
pub(super) const NAME: &str = "late";
const FILE: INodeNo = INodeNo(2);
/// After this time a held request is answered with `EIO` whatever the gate says: a test that has lost its way fails
/// instead of hanging (a process with AIO in flight at a FUSE server of its own cannot even be killed).
const BACKSTOP: Duration = Duration::from_secs(60);
/// More requests in flight than any test has; the default of 16 would make the submitter wait.
const IN_FLIGHT: u16 = 4096;
const FOREVER: Duration = Duration::from_secs(3600);

/// When requests are answered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// That long after they have arrived.
    Delay(Duration),
    /// Never, except for the next `tickets` ones.
    Hold { tickets: usize },
}

#[derive(Debug)]
enum Op {
    Read { offset: u64, size: u32, reply: ReplyData },
    Write { offset: u64, data: Vec<u8>, reply: ReplyWrite },
}

#[derive(Debug)]
struct Held {
    op: Op,
    errno: Option<i32>,
    arrival: Instant,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    errno: Option<i32>,
    /// At most so many bytes an answer to a read.
    most: usize,
    queue: VecDeque<Held>,
    arrived: usize,
    answered: usize,
    stopped: bool,
    data: Vec<u8>,
}

/// Where requests wait, and the data that they are about.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    asynchronous: AtomicBool,
    len: u64,
}

impl Gate {
    pub(super) fn new(len: usize, mode: Mode) -> Gate {
        let state = State {
            mode,
            errno: None,
            most: usize::MAX,
            queue: VecDeque::new(),
            arrived: 0,
            answered: 0,
            stopped: false,
            data: files::content(0, len),
        };
        Gate {
            state: Mutex::new(state),
            changed: Condvar::new(),
            asynchronous: AtomicBool::new(false),
            len: len as u64,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics with the lock held in a way that leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn asynchronous(&self) -> bool {
        self.asynchronous.load(Ordering::Relaxed)
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.state().mode = mode;
        self.changed.notify_all();
    }

    pub(super) fn release_nr(&self, nr: usize) {
        let mut state = self.state();
        state.mode = match state.mode {
            Mode::Hold { tickets } => Mode::Hold { tickets: tickets + nr },
            Mode::Delay(_) => Mode::Hold { tickets: nr },
        };
        self.changed.notify_all();
    }

    pub(super) fn set_errno(&self, errno: Option<i32>) {
        self.state().errno = errno;
    }

    pub(super) fn set_most(&self, most: usize) {
        self.state().most = most;
    }

    pub(super) fn arrived(&self) -> usize {
        self.state().arrived
    }

    pub(super) fn answered(&self) -> usize {
        self.state().answered
    }

    pub(super) fn wait_for_arrivals(&self, nr: usize) {
        let waited = self.changed.wait_timeout_while(self.state(), BACKSTOP, |state| state.arrived < nr);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let arrived = state.arrived;
        drop(state);
        assert!(arrived >= nr, "{arrived} of {nr} requests have reached the late disk");
    }

    pub(super) fn stored(&self, offset: usize, len: usize) -> Vec<u8> {
        self.state().data[offset..offset + len].to_vec()
    }

    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    fn arrive(&self, op: Op) {
        let mut state = self.state();
        let errno = state.errno;
        state.queue.push_back(Held { op, errno, arrival: Instant::now() });
        state.arrived += 1;
        self.changed.notify_all();
    }

    /// The worker: answers requests in the order of their arrival when they are due, until stopped.
    pub(super) fn answer_all(&self) {
        while let Some((held, overdue)) = self.next() {
            // Counted first: whoever sees a completion sees it counted.
            self.state().answered += 1;
            self.answer(held, overdue);
        }
    }

    /// Waits for a request that is due. The flag says that only the backstop made it so.
    fn next(&self) -> Option<(Held, bool)> {
        let mut state = self.state();
        loop {
            let wait = match (state.queue.front(), state.mode) {
                (None, _) if state.stopped => return None,
                (None, _) => FOREVER,
                (Some(_), Mode::Hold { tickets }) if tickets > 0 => {
                    state.mode = Mode::Hold { tickets: tickets - 1 };
                    Duration::ZERO
                }
                (Some(held), Mode::Hold { .. }) => {
                    let left = BACKSTOP.saturating_sub(held.arrival.elapsed());
                    if left.is_zero() {
                        return state.queue.pop_front().map(|held| (held, true));
                    }
                    left
                }
                (Some(held), Mode::Delay(delay)) => delay.saturating_sub(held.arrival.elapsed()),
            };
            if wait.is_zero() {
                return state.queue.pop_front().map(|held| (held, false));
            }
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn answer(&self, held: Held, overdue: bool) {
        let errno = if overdue { Some(libc::EIO) } else { held.errno };
        let most = self.state().most;
        match (held.op, errno) {
            (Op::Read { reply, .. }, Some(errno)) => reply.error(Errno::from_i32(errno)),
            (Op::Write { reply, .. }, Some(errno)) => reply.error(Errno::from_i32(errno)),
            (Op::Read { offset, size, reply }, None) => {
                let start = offset.min(self.len);
                let end = offset.saturating_add(size.into()).min(self.len);
                reply.data(&self.stored(index(start), index(end - start).min(most)));
            }
            (Op::Write { offset, data, reply }, None) => {
                let start = index(offset.min(self.len));
                let room = index(self.len) - start;
                let stored = data.len().min(room);
                self.state().data[start..start + stored].copy_from_slice(&data[..stored]);
                reply.written(u32::try_from(stored).expect("a request is far below 4 GiB"));
            }
        }
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("offsets within the disk fit")
}

/// What the kernel talks to. Only passes requests on to the gate, so that it is never busy.
#[derive(Debug)]
pub(super) struct Server {
    gate: Arc<Gate>,
}

impl Server {
    pub(super) fn new(gate: Arc<Gate>) -> Server {
        Server { gate }
    }

    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let file = inode == FILE;
        FileAttr {
            ino: inode,
            size: if file { self.gate.len } else { 0 },
            blocks: self.gate.len / 512,
            atime: SystemTime::UNIX_EPOCH,
            mtime: SystemTime::UNIX_EPOCH,
            ctime: SystemTime::UNIX_EPOCH,
            crtime: SystemTime::UNIX_EPOCH,
            kind: if file { FileType::RegularFile } else { FileType::Directory },
            perm: if file { 0o600 } else { 0o700 },
            nlink: 1,
            // SAFETY: `getuid` has no preconditions.
            uid: unsafe { libc::getuid() },
            // SAFETY: `getgid` has no preconditions.
            gid: unsafe { libc::getgid() },
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Server {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let asynchronous = config.add_capabilities(InitFlags::FUSE_ASYNC_DIO).is_ok();
        self.gate.asynchronous.store(asynchronous, Ordering::Relaxed);
        // A refusal would mean a smaller number, which is taken as it is.
        let _ = config.set_max_background(IN_FLIGHT);
        let _ = config.set_congestion_threshold(IN_FLIGHT);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == NAME {
            reply.entry(&FOREVER, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _request: &Request, inode: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attributes(inode));
    }

    fn open(&self, _request: &Request, _inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn flush(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn read(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.gate.arrive(Op::Read { offset, size, reply });
    }

    fn write(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.gate.arrive(Op::Write { offset, data: data.to_vec(), reply });
    }
}
