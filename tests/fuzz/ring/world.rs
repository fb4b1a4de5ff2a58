//! A ring, what its requests name, and what is known of them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use uring::op::timeout::Timespec;
use uring::ring::{BufRing, BufRingOptions, FilePlace, RegisteredWait, SyncCancel, Wait};
use uring::{Completion, Cqe, Ring, Sqe, Submission, UserData};

use crate::plan::{self, Plan, Step};
use crate::requests::{What, push};

/// Length of the file that holds the pattern.
pub(crate) const LEN: usize = 20_000;
/// What a buffer holds before it is read to.
pub(crate) const BLANK: u8 = 0xa5;
/// How many buffers are registered at most, and their length.
const BUFFERS: usize = 4;
pub(crate) const BUFFER_LEN: usize = 4096;

/// The byte of the pattern at an offset; never [`BLANK`], in its upper half.
pub(crate) fn pattern(offset: usize) -> u8 {
    (offset % 127) as u8
}

/// Each byte that arrives at the socket.
const ARRIVED: u8 = 0x11;

/// A request that may still complete.
pub(crate) struct Pending {
    pub(crate) what: What,
    /// It need not say that it has ended.
    pub(crate) may_stay_out: bool,
}

/// Memory that a request names.
pub(crate) enum Memory {
    None,
    Buffer(#[expect(dead_code, reason = "the kernel reads it")] Box<[u8]>),
    Time(#[expect(dead_code, reason = "the kernel reads it")] Box<Timespec>),
}

pub(crate) struct World {
    pub(crate) pending: HashMap<UserData, Pending>,
    pub(crate) pushed: u64,
    /// Whether the chain that is being pushed has a silent request.
    pub(crate) is_in_silence: bool,
    taken: u64,
    /// Registered, which the kernel may read and write until the ring has ended.
    pub(crate) buffers: Box<[[u8; BUFFER_LEN]; BUFFERS]>,
    pub(crate) socket: (UnixStream, UnixStream),
    pub(crate) provided: Option<BufRing>,
    /// How many groups there were; the last one has this number.
    pub(crate) groups: u16,
    pub(crate) scratch: File,
    waits: Vec<RegisteredWait>,
}

/// The file with the pattern.
pub(crate) fn pattern_file() -> &'static File {
    static FILE: OnceLock<File> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = tempfile::tempfile().expect("a temporary file");
        let bytes: Vec<u8> = (0..LEN).map(pattern).collect();
        file.write_all_at(&bytes, 0).expect("room for a file");
        file
    })
}

fn pair() -> (UnixStream, UnixStream) {
    let (socket, peer) = UnixStream::pair().expect("a pair of sockets");
    peer.set_nonblocking(true).expect("a socket");
    (socket, peer)
}

impl World {
    fn new() -> Self {
        Self {
            pending: HashMap::new(),
            pushed: 0,
            is_in_silence: false,
            taken: 0,
            buffers: Box::new([[BLANK; BUFFER_LEN]; BUFFERS]),
            socket: pair(),
            provided: None,
            groups: 0,
            scratch: tempfile::tempfile().expect("a temporary file"),
            waits: Vec::new(),
        }
    }

    pub(crate) fn file(&self, file: plan::File) -> Option<BorrowedFd<'_>> {
        Some(match file {
            plan::File::Pattern => pattern_file().as_fd(),
            plan::File::Scratch => self.scratch.as_fd(),
            plan::File::Socket => self.socket.0.as_fd(),
            plan::File::Place(_) => return None,
        })
    }

    /// Looks at a completion that was taken.
    fn judge(&mut self, cqe: &Cqe) {
        self.taken += 1;
        let name = cqe.user_data();
        let pending = self.pending.get(&name).unwrap_or_else(|| panic!("nobody asked for {cqe:?}"));
        pending.what.judge(cqe);
        if let (What::Recv { group }, Some(buffers)) = (&pending.what, &self.provided)
            && *group == buffers.group()
        {
            // Dropped at once, which gives it back.
            let buffer = unsafe { buffers.take(cqe) };
            assert_eq!(buffer.is_some(), cqe.buffer_id().is_some(), "{cqe:?}");
            let bytes = buffer.as_deref().unwrap_or_default();
            assert_eq!(bytes.len(), usize::try_from(cqe.raw_result()).unwrap_or(0), "{cqe:?}");
            assert!(bytes.iter().all(|byte| *byte == ARRIVED), "something else arrived");
        }
        if !cqe.has_more() {
            self.pending.remove(&name);
        }
    }
}

/// Runs a case; `false` if there is no such ring.
pub(crate) fn run<S: Submission + From<Sqe>, C: Completion>(plan: &Plan) -> bool {
    // Declared first, so dropped last.
    let mut world = World::new();
    let Ok(mut ring) = plan.setup.builder::<S, C>().build() else { return false };
    let is_polled = ring.setup_flags().contains(uring::SetupFlags::SQPOLL);
    for step in plan.steps.iter().take(200) {
        match *step {
            Step::Close => break,
            Step::Split => ring = split(ring),
            step => take(&mut ring, &mut world, step),
        }
        if !is_polled {
            assert_eq!(ring.space() + ring.queued(), ring.entries().0, "places are lost");
        }
        // Completions that nobody took are counted by neither; those of messages are nobody's requests.
        assert_eq!(ring.stats().completed, world.taken, "completions are lost");
        assert_eq!(ring.lost(), (0, 0));
    }
    if plan.ends {
        finish(&mut ring, &mut world);
    }
    if matches!(plan.steps.last(), Some(Step::Close)) {
        ring.close().expect("a ring that ends");
    } else {
        drop(ring);
    }
    true
}

/// Sees to it that everything completes.
fn finish<S: Submission + From<Sqe>, C: Completion>(ring: &mut Ring<S, C>, world: &mut World) {
    let _ = ring.enable();
    if ring.setup_flags().contains(uring::SetupFlags::SQPOLL) {
        // No call reaches a worker of the thread's, and behind a request that drains no other request does.
        let _ = world.socket.1.shutdown(Shutdown::Both);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while ring.queued() > 0 || world.pending.values().any(|pending| !pending.may_stay_out) {
        assert!(Instant::now() < deadline, "requests that do not end");
        let wait = Wait::new().timeout(Duration::from_micros(100));
        if let Some(completions) = may_fail(ring.wait_with(1, &wait)) {
            completions.for_each(|cqe| world.judge(cqe.first()));
        }
        // Not by a request, which would wait behind one that drains.
        let _ = ring.registrar().cancel(&SyncCancel::any().all());
    }
}

fn split<S: Submission, C: Completion>(ring: Ring<S, C>) -> Ring<S, C> {
    if ring.setup_flags().contains(uring::SetupFlags::SINGLE_ISSUER) {
        return ring;
    }
    let (submission, completion) = ring.split().expect("halves");
    submission.reunite(completion).expect("halves of one ring")
}

/// What a call may say without being wrong.
fn may_fail<T>(result: uring::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let errno = io::Error::from(error).raw_os_error();
            // Disabled; completions are to be taken first; two of something, or none; nothing there; no room.
            const KNOWN: [i32; 9] = [
                libc::EBADFD,
                libc::EBUSY,
                libc::EAGAIN,
                libc::EINVAL,
                libc::ENXIO,
                libc::ENOENT,
                libc::EEXIST,
                libc::EALREADY,
                libc::EOVERFLOW,
            ];
            assert!(errno.is_some_and(|errno| KNOWN.contains(&errno)), "{errno:?}");
            None
        }
    }
}

fn take<S: Submission + From<Sqe>, C: Completion>(ring: &mut Ring<S, C>, world: &mut World, step: Step) {
    match step {
        Step::Push(request, flags) => {
            push(ring, world, request, flags);
        }
        Step::Fill(flags) => {
            let nop = plan::Request::Nop { result: None, task_work: false };
            while push(ring, world, nop, flags) {}
            assert_eq!(ring.space(), 0);
        }
        Step::Submit => {
            may_fail(ring.submit());
        }
        Step::Wait { nr, millis } => {
            let wait = Wait::new().timeout(Duration::from_millis((millis % 3).into()));
            if let Some(completions) = may_fail(ring.wait_with(nr.into(), &wait)) {
                completions.for_each(|cqe| world.judge(cqe.first()));
            }
        }
        Step::Waits => {
            if let Some(waits) = may_fail(ring.registrar().register_waits(2)) {
                world.waits = waits;
            }
        }
        Step::WaitRegistered { which, nr, millis } => {
            let Some(mut wait) = world.waits.pop() else { return };
            // It may have no limit, and waits for what is there then.
            let nr = millis.map_or(0, |millis| {
                wait.set(&Wait::new().timeout(Duration::from_millis((millis % 3).into())));
                nr
            });
            if let Some(completions) = may_fail(ring.wait_registered(nr.into(), &wait)) {
                completions.for_each(|cqe| world.judge(cqe.first()));
            }
            let place = usize::from(which) % (world.waits.len() + 1);
            world.waits.insert(place, wait);
        }
        // Kernels before 7.0 may crash if a request completes meanwhile.
        Step::Resize { entries, cq_entries } if world.pending.len() == ring.queued() => {
            let entries = 1 + usize::from(entries % 64);
            let cq_entries = cq_entries.map(|more| entries.next_power_of_two() + usize::from(more % 64));
            may_fail(ring.resize(entries, cq_entries));
        }
        Step::Resize { .. } => {}
        Step::Look { take } => {
            if let Some(completions) = may_fail(ring.completions()) {
                completions.take(take.into()).for_each(|cqe| world.judge(cqe.first()));
            }
        }
        Step::Next => {
            if let Some(cqe) = ring.next_completion() {
                world.judge(cqe.first());
            }
        }
        Step::Peek => {
            if let Some(Some(cqe)) = may_fail(ring.peek()) {
                let name = cqe.first().user_data();
                assert!(world.pending.contains_key(&name), "nobody asked for {cqe:?}");
                let again = ring.peek().expect("what was there a moment ago").expect("nobody took it");
                assert_eq!(again.first().user_data(), name, "a look takes nothing");
            }
        }
        Step::Enable => {
            may_fail(ring.enable());
        }
        Step::Files(nr) => {
            may_fail(match nr {
                Some(nr) => ring.registrar().register_files_sparse(1 + u32::from(nr % 8)),
                None => ring.registrar().unregister_files(),
            });
        }
        Step::PlaceFile { place, file } => {
            let file = FilePlace::from(file.and_then(|file| world.file(file)));
            may_fail(ring.registrar().update_files((place % 8).into(), &[file]));
        }
        Step::Buffers(nr) => {
            may_fail(match nr {
                Some(nr) => {
                    let iovecs = world.buffers.each_mut().map(|buffer| libc::iovec {
                        iov_base: buffer.as_mut_ptr().cast(),
                        iov_len: BUFFER_LEN,
                    });
                    let nr = 1 + usize::from(nr) % BUFFERS;
                    unsafe { ring.registrar().register_buffers(&iovecs[..nr]) }
                }
                None => ring.registrar().unregister_buffers(),
            });
        }
        Step::Cancel(target) => {
            let target = SyncCancel::new(u64::from(target)).timeout(Duration::from_micros(100));
            if let Err(error) = ring.registrar().cancel(&target) {
                let errno = io::Error::from(error).raw_os_error();
                assert!(matches!(errno, Some(libc::ENOENT | libc::EALREADY | libc::ETIME)), "{errno:?}");
            }
        }
        Step::Provide { incremental } => {
            world.provided = None;
            let options = BufRingOptions::new(4, 64);
            let options = if incremental { options.incremental() } else { options };
            world.groups += 1;
            world.provided = may_fail(ring.registrar().register_buf_ring(world.groups, &options));
        }
        Step::Unprovide => {
            if let Some(buffers) = world.provided.take() {
                buffers.unregister().expect("a group that is registered");
            }
        }
        Step::Arrive(bytes) => {
            let bytes = [ARRIVED; 256].get(..bytes.into()).expect("as many");
            // Nobody may read, and the socket is full at some time.
            let _ = (&world.socket.1).write(bytes);
        }
        Step::Probe => {
            ring.probe().expect("a probe");
        }
        Step::Split | Step::Close => unreachable!("these take the ring"),
    }
}
