//! Requests: how they are made, and what may become of them.

use std::time::Duration;

use uring::op::cancel::AsyncCancel;
use uring::op::file::Close;
use uring::op::net::{RecvMultishot, RecvSelect};
use uring::op::poll::{PollAdd, PollRemove};
use uring::op::ring::{MsgRing, Nop};
use uring::op::rw::{Read, ReadFixed, Write};
use uring::op::timeout::{LinkTimeout, Timeout, TimeoutFlags, Timespec};
use uring::{Completion, Cqe, Fixed, Ring, Sqe, Submission, UserData};

use crate::plan::{File, Flags, Request};
use crate::world::{BLANK, BUFFER_LEN, LEN, Memory, Pending, World, pattern};

/// The bit in the name of a message that has arrived.
const MESSAGE: UserData = 1 << 63;

/// What a request is, and what it names.
pub(crate) enum What {
    /// Has this result.
    Nop(Option<i32>),
    /// Of bytes that are known, from the offset on; of others, or none.
    Read { buffer: Box<[u8]>, offset: Option<usize> },
    /// Takes its buffers from a group.
    Recv { group: u16 },
    /// As it goes.
    Other(#[expect(dead_code, reason = "the kernel's")] Memory),
}

impl What {
    /// Looks at a completion.
    pub(crate) fn judge(&self, cqe: &Cqe) {
        let result = cqe.raw_result();
        match self {
            Self::Nop(expected) => {
                let expected = expected.unwrap_or(0);
                assert!(result == expected || refused(result), "{cqe:?} instead of {expected}");
                assert!(!cqe.has_more());
            }
            Self::Read { buffer, offset } => {
                let read = usize::try_from(result).unwrap_or(0);
                assert!(read <= buffer.len(), "{cqe:?} of {}", buffer.len());
                assert!(buffer[read..].iter().all(|byte| *byte == BLANK), "more was written than was read");
                if let Some(offset) = offset {
                    let wanted = buffer.len().min(LEN.saturating_sub(*offset));
                    assert!(result < 0 || read == wanted, "{cqe:?} instead of {wanted}");
                    let expected = (*offset..).map(pattern);
                    assert!(
                        buffer[..read].iter().copied().eq(expected.take(read)),
                        "something else was read"
                    );
                }
            }
            Self::Recv { .. } | Self::Other(_) => {}
        }
    }
}

/// Whether a request was cancelled, or refused for its flags.
fn refused(result: i32) -> bool {
    matches!(-result, libc::ECANCELED | libc::EINVAL | libc::EOPNOTSUPP)
}

fn timespec(micros: u16) -> Box<Timespec> {
    Box::new(Timespec::from(Duration::from_micros((micros % 2000).into())))
}

/// Pushes a request; `false` if there is no room.
pub(crate) fn push<S: Submission + From<Sqe>, C: Completion>(
    ring: &mut Ring<S, C>,
    world: &mut World,
    request: Request,
    flags: Flags,
) -> bool {
    // Names are given in their order, and short ones: steps name them again.
    let name = world.pushed;
    let (what, sqe) = make(ring, world, request);
    // What takes from a group of buffers says so, and does not do it in a worker: an incremental one asks for both.
    let flags = if matches!(what, What::Recv { .. }) { flags.loud() } else { flags };
    let Some(sqe) = sqe else { return true };
    let sqe = sqe.with_user_data(name).with_flags(flags.bits());
    match ring.push(S::from(sqe)) {
        Ok(()) => {
            world.pushed += 1;
            // What is linked behind a silent request says nothing if that fails.
            world.is_in_silence = flags.is_silent || world.is_in_silence;
            world.pending.insert(name, Pending { what, may_stay_out: world.is_in_silence });
            world.is_in_silence &= flags.links();
            true
        }
        Err(refused) => {
            assert!(matches!(refused.error, uring::Error::NoSpace), "{refused:?}");
            assert_eq!(ring.space(), 0, "a ring with room has refused");
            false
        }
    }
}

/// Makes a request, unless there is nothing that it could be about.
fn make<S: Submission, C: Completion>(
    ring: &Ring<S, C>,
    world: &mut World,
    request: Request,
) -> (What, Option<Sqe>) {
    let plain = || What::Other(Memory::None);
    match request {
        Request::Nop { result, task_work } => {
            let result = result.map(i32::from);
            let mut nop = Nop::new();
            if let Some(result) = result {
                nop = nop.inject_result(result);
            }
            if task_work {
                nop = nop.task_work();
            }
            (What::Nop(result), Some(nop.into()))
        }
        Request::Read { file, len, offset } => {
            let mut buffer = vec![BLANK; usize::from(len) % BUFFER_LEN].into_boxed_slice();
            let (ptr, len) = (buffer.as_mut_ptr(), buffer.len());
            let sqe = match (file, world.file(file)) {
                (File::Place(place), _) => unsafe { Read::new(Fixed(place.into()), ptr, len, offset.into()) },
                (_, Some(file)) => unsafe { Read::new(file, ptr, len, offset.into()) },
                (_, None) => unreachable!("what is no place is a file"),
            };
            let offset = (file == File::Pattern).then_some(offset.into());
            (What::Read { buffer, offset }, Some(sqe.into()))
        }
        Request::Write { file, len, offset } => {
            let buffer = vec![1; usize::from(len) % BUFFER_LEN].into_boxed_slice();
            let (ptr, len) = (buffer.as_ptr(), buffer.len());
            let file = if file == File::Pattern { File::Scratch } else { file };
            let sqe = match world.file(file) {
                Some(file) => unsafe { Write::new(file, ptr, len, offset.into()) },
                // It may hold the pattern.
                None => return (plain(), None),
            };
            (What::Other(Memory::Buffer(buffer)), Some(sqe.into()))
        }
        Request::ReadFixed { buffer, len, offset } => {
            let index = usize::from(buffer) % world.buffers.len();
            let (ptr, len) = (world.buffers[index].as_mut_ptr(), usize::from(len) % BUFFER_LEN);
            let file = world.file(File::Pattern).expect("a file");
            let read = unsafe { ReadFixed::new(file, ptr, len, index as u16, offset.into()) };
            (plain(), Some(read.into()))
        }
        Request::Poll { file, multishot } => {
            let Some(file) = world.file(file) else { return (plain(), None) };
            let poll = unsafe { PollAdd::new(file, libc::EPOLLIN as u32) };
            (plain(), Some(if multishot { poll.multishot() } else { poll }.into()))
        }
        Request::Timeout { micros, count, multishot } => {
            let time = timespec(micros);
            let timeout = unsafe { Timeout::new(&raw const *time) }.count(count.into());
            let flags = if multishot { TimeoutFlags::MULTISHOT } else { TimeoutFlags::empty() };
            (What::Other(Memory::Time(time)), Some(timeout.timeout_flags(flags).into()))
        }
        Request::LinkTimeout { micros } => {
            let time = timespec(micros);
            let timeout = unsafe { LinkTimeout::new(&raw const *time) };
            (What::Other(Memory::Time(time)), Some(timeout.into()))
        }
        Request::Cancel { target, all } => {
            let cancel = AsyncCancel::new(target.into());
            (plain(), Some(if all { cancel.all() } else { cancel }.into()))
        }
        Request::CancelAny => (plain(), Some(AsyncCancel::any().into())),
        Request::PollRemove { target } => (plain(), Some(PollRemove::new(target.into()).into())),
        Request::Message => {
            let Some(fd) = ring.descriptor() else { return (plain(), None) };
            // What arrives has a name of its own: it may come before and after what became of the request.
            let name = world.pushed | MESSAGE;
            world.pending.insert(name, Pending { what: plain(), may_stay_out: true });
            (plain(), Some(unsafe { MsgRing::new(fd, name, 0) }.into()))
        }
        Request::Recv { multishot } => {
            let (group, socket) = (world.groups, &world.socket.0);
            let recv: Sqe = if multishot {
                unsafe { RecvMultishot::new(socket, group, 0) }.into()
            } else {
                unsafe { RecvSelect::new(socket, group, 0, 0) }.into()
            };
            (What::Recv { group }, Some(recv))
        }
        Request::Close { place } => (plain(), Some(Close::fixed(Fixed((place % 8).into())).into())),
    }
}
