//! Rings of provided buffers: [`BufRing`].

mod buffer;
mod kept;
mod memory;
mod options;
mod register;
mod table;

use std::cell::{Cell, RefCell};
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use static_assertions::{assert_impl_all, assert_not_impl_any};

pub use self::buffer::{Buffer, Bundle};
pub(crate) use self::kept::Provided;
use self::memory::Memory;
pub use self::options::BufRingOptions;
use self::register::{head, refused, unregister};
use self::table::{Part, Table};
use crate::entry::{Cqe, CqeFlags};
use crate::error::Result;

/// A group of buffers that requests take from when they need one, and that go back without a request
/// (`IORING_REGISTER_PBUF_RING`, since 5.19): [`Registrar::register_buf_ring`](super::Registrar::register_buf_ring).
///
/// It owns the buffers. A completion [names](Cqe::buffer_id) the one that was used, [`take`](Self::take) hands it out,
/// and when it is dropped, the kernel has it again.
///
/// When this is dropped, the group is unregistered, and requests that select from it complete with `ENOBUFS` then. One
/// that has already taken a buffer still uses it, so the memory is kept until the end of the ring, unless it is told
/// that there are none ([`free`](Self::free)).
///
/// ```
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use uring::ring::BufRingOptions;
/// use uring::{Ring, op};
///
/// const GROUP: u16 = 1;
/// let mut ring: Ring = Ring::new(8)?;
/// let buffers = match ring.registrar().register_buf_ring(GROUP, &BufRingOptions::new(8, 4096)) {
///     Ok(buffers) => buffers,
///     Err(error) => return Ok(eprintln!("older than 5.19? {error}")),
/// };
/// let (mut peer, socket) = UnixStream::pair()?;
/// // SAFETY: `socket` stays open until the receive has completed.
/// ring.push(unsafe { op::net::RecvSelect::new(&socket, GROUP, 0, 0) })?;
/// peer.write_all(b"hello")?;
/// let completion = ring.wait(1)?.next().expect("one was waited for");
/// // SAFETY: the receive selects from this group, and this is the only time that its completion is taken from.
/// let buffer = unsafe { buffers.take(&completion) }.expect("a receive of data takes a buffer");
/// assert_eq!(&buffer[..], b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BufRing {
    provided: Arc<Provided>,
    memory: Arc<Memory>,
    table: RefCell<Table>,
    group: u16,
    /// Bytes of each buffer.
    len: u32,
    /// Whether it was tried to unregister the group, which may be somebody else's since.
    has_left: Cell<bool>,
}

assert_impl_all!(BufRing: Send);
assert_not_impl_any!(BufRing: Sync);
assert_not_impl_any!(Buffer<'_>: Send);

impl BufRing {
    /// The group, as requests name it.
    #[must_use]
    pub fn group(&self) -> u16 {
        self.group
    }

    /// How many buffers there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.table.borrow().entries().into()
    }

    /// How many bytes each buffer has.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        self.len as usize
    }

    /// How many buffers are the kernel's: free, in use by requests, or named by completions that were not taken from.
    #[must_use]
    pub fn given(&self) -> usize {
        self.table.borrow().given()
    }

    /// How many buffers are free, for the kernel to choose from; since 6.8.
    ///
    /// # Errors
    ///
    /// As [`head`](Self::head).
    pub fn available(&self) -> Result<usize> {
        let head = self.head()?;
        Ok(self.table.borrow().tail().wrapping_sub(head).into())
    }

    /// How many buffers the kernel has taken in all, modulo 2<sup>16</sup> (`IORING_REGISTER_PBUF_STATUS`, since 6.8).
    ///
    /// # Errors
    ///
    /// `EINVAL` before 6.8, `EBADF` if the ring is gone.
    pub fn head(&self) -> Result<u16> {
        self.ask(|provided| provided.with(|core| head(core, self.group)))
    }

    /// Takes what a completion has left in the buffer that it names; nothing if it names none, or one that is not the
    /// kernel's.
    ///
    /// # Safety
    ///
    /// The completion is one of this ring, of a request that selects from this group, and neither it nor a copy of it was
    /// given to this or to [`take_bundle`](Self::take_bundle) before. Its buffer was one of these: when this was registered,
    /// no request was in flight that had taken one of another ring of buffers of the same number.
    ///
    /// From an [incremental](BufRingOptions::incremental) group completions are taken in their order, and its requests
    /// are on files that can be polled, without [`ASYNC`](crate::SqeFlags::ASYNC): of others the kernel does not tell how
    /// much of the buffer they have used.
    pub unsafe fn take(&self, completion: &Cqe) -> Option<Buffer<'_>> {
        let (id, bytes, more) = told(completion)?;
        let part = self.table.borrow_mut().take(id, bytes, more)?;
        Some(Buffer::new(self, part))
    }

    /// Takes what the completion of a bundle has left in the buffers that it names, which are one or more; nothing if it
    /// names none, or one that is not the kernel's.
    ///
    /// # Safety
    ///
    /// As [`take`](Self::take).
    pub unsafe fn take_bundle(&self, completion: &Cqe) -> Option<Bundle<'_>> {
        let (id, bytes, more) = told(completion)?;
        let rest = self.table.borrow().bundle(id, bytes, more)?;
        Some(Bundle { group: self, rest })
    }

    /// Takes a buffer that nobody has, all of it, to be filled and [given](Buffer::give): in an
    /// [outgoing](BufRingOptions::outgoing) ring. Nothing if there is none.
    pub fn idle(&self) -> Option<Buffer<'_>> {
        let id = self.table.borrow_mut().take_idle()?;
        Some(Buffer::new(self, Part { id, start: 0, len: self.len }))
    }

    /// Unregisters the group as a drop does, and says whether it could be done (`IORING_UNREGISTER_PBUF_RING`, since
    /// 5.19).
    ///
    /// # Errors
    ///
    /// `ENOENT`, or on older kernels `EINVAL`, if somebody else has done it, `EEXIST` in another thread than the one that the ring is bound to, `EBADF`
    /// if the ring is gone. Nothing is left to be done, the memory is kept until the end of the ring.
    pub fn unregister(self) -> Result<()> {
        self.leave()
    }

    /// Unregisters the group and frees its memory.
    ///
    /// # Safety
    ///
    /// No request that selects from the group is in flight.
    ///
    /// # Errors
    ///
    /// As [`unregister`](Self::unregister).
    pub unsafe fn free(self) -> Result<()> {
        self.leave()?;
        self.provided.release(&self.memory);
        Ok(())
    }

    fn leave(&self) -> Result<()> {
        if self.has_left.replace(true) {
            return Ok(());
        }
        self.ask(|provided| provided.with(|core| unregister(core, self.group)))
    }

    fn ask<T>(&self, ask: impl FnOnce(&Provided) -> io::Result<T>) -> Result<T> {
        if self.memory.is_forked() {
            return Err(crate::Error::Forked);
        }
        ask(&self.provided).map_err(|error| refused(error, self.group))
    }

    fn start(&self, part: Part) -> NonNull<u8> {
        // SAFETY: a part starts inside of its buffer, or at its end.
        unsafe { self.memory.buffer(part.id).add(part.start as usize) }
    }

    /// Lets go of a part, and gives the buffer to the kernel if that was the last: with `len` bytes, or with all if it
    /// is given back by itself.
    fn release(&self, id: u16, len: Option<u32>) {
        let mut table = self.table.borrow_mut();
        if !table.release(id) {
            return;
        }
        let all = table.is_given_back().then_some(self.len);
        if let Some(len) = len.map(|len| len.min(self.len)).or(all) {
            self.give(&mut table, id, len);
        }
    }

    fn give(&self, table: &mut Table, id: u16, len: u32) {
        let slot = table.give(id, len);
        if !self.memory.is_forked() {
            // SAFETY: not a child, and the slot is free: each buffer is in the ring once at most (the table's invariant).
            unsafe { self.memory.fill(slot, id, len) };
            // SAFETY: as above.
            unsafe { self.memory.publish(table.tail()) };
        }
    }

    /// Gives all buffers to the kernel.
    fn give_all(&self) {
        let mut table = self.table.borrow_mut();
        for id in 0..table.entries() {
            self.give(&mut table, id, self.len);
        }
    }
}

/// What a completion tells of a buffer: its number, the bytes in it, and whether the kernel still has it. One of an error
/// may name a buffer, too.
fn told(completion: &Cqe) -> Option<(u16, u32, bool)> {
    let id = completion.buffer_id()?;
    let bytes = u32::try_from(completion.raw_result()).unwrap_or(0);
    Some((id, bytes, completion.flags().contains(CqeFlags::BUF_MORE)))
}

impl Drop for BufRing {
    fn drop(&mut self) {
        // What cannot be unregistered any more ends with the ring.
        let _ = self.leave();
    }
}
