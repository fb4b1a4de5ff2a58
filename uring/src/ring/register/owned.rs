//! Registered buffers that own their memory.

use std::error;
use std::fmt;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::process;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Weak};

use memmap2::MmapMut;
use static_assertions::assert_impl_all;

use super::Registrar;
use super::tenancy::{Life, Tenancy};
use crate::error::{Error, Result};
use crate::ring::core::Core;

/// Memory that [`RegisteredBuffers`] can own.
///
/// # Safety
///
/// Between a call of `start` and the drop, while nothing else is done with the value but to move what holds it on the
/// heap, `size` bytes from `start` on are initialised and valid for reads and writes.
pub unsafe trait BufferMemory: Send + 'static {
    /// The address of the first byte.
    fn start(&mut self) -> *mut u8;

    /// How many bytes there are.
    fn size(&self) -> usize;
}

// SAFETY: the heap memory of a box stays where it is as long as the box is left alone.
unsafe impl BufferMemory for Box<[u8]> {
    fn start(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn size(&self) -> usize {
        self.len()
    }
}

// SAFETY: as for a box; the bytes up to the length are initialised.
unsafe impl BufferMemory for Vec<u8> {
    fn start(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn size(&self) -> usize {
        self.len()
    }
}

// SAFETY: a mapping stays where it is until it is dropped. Nobody cuts the file that may be behind it, which whoever
// mapped it has vouched for.
unsafe impl BufferMemory for MmapMut {
    fn start(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn size(&self) -> usize {
        self.len()
    }
}

/// Registered buffers that own their memory and unregister it before it is freed; see
/// [`Registrar::register_owned_buffers`].
///
/// They and their ring may go in any order. Requests on them are under the [contract](crate::op#contract) like all
/// others: their last completion is taken, or their ring dropped, before the memory is looked at or freed. If a ring has
/// to be leaked with requests in flight, so are its buffers; what cannot be unregistered, because the ring is restricted
/// or bound to another thread, lives as long as the ring.
///
/// ```
/// use uring::{Ring, op};
///
/// let file = std::fs::File::open("/proc/self/exe")?;
/// let mut ring: Ring = Ring::new(8)?;
/// let buffers = ring.registrar().register_owned_buffers(vec![vec![0; 4096], vec![0; 4096]])?;
/// // SAFETY: `buffers` and `file` outlive the wait below, and nobody looks at buffer 1 before.
/// ring.push(unsafe { op::rw::ReadFixed::new(&file, buffers.as_mut_ptr(1), 4, 1, 0) })?;
/// ring.wait(1)?.next().expect("one was waited for").result()?;
/// assert_eq!(&buffers.get(1)[..4], b"\x7fELF");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropped buffers are unregistered"]
pub struct RegisteredBuffers<B: BufferMemory> {
    /// Left alone until it is taken out, by `drop` or `unregister`: `parts` points into it.
    memory: ManuallyDrop<Vec<B>>,
    parts: Vec<(NonNull<u8>, usize)>,
    ring: Weak<Core>,
    tenancy: Arc<Tenancy>,
    /// By what name `tenancy` knows these.
    tenant: u64,
    /// The process that `tenancy` may be locked in.
    process: u32,
}

// SAFETY: the pointers are to memory that the value owns, and `B` is `Send`.
unsafe impl<B: BufferMemory> Send for RegisteredBuffers<B> {}
// SAFETY: a shared reference gives shared references to the memory, and pointers, whose use is under a contract.
unsafe impl<B: BufferMemory + Sync> Sync for RegisteredBuffers<B> {}

assert_impl_all!(RegisteredBuffers<Vec<u8>>: Send, Sync);

impl<B: BufferMemory> RegisteredBuffers<B> {
    /// How many buffers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none, which never is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The address of a buffer, for requests.
    ///
    /// # Panics
    ///
    /// If there is no such buffer, as all that names one.
    #[must_use]
    pub fn as_mut_ptr(&self, index: u16) -> *mut u8 {
        self.part(index).0.as_ptr()
    }

    /// The bytes of a buffer, for when no request writes them.
    ///
    /// # Panics
    ///
    /// As [`as_mut_ptr`](Self::as_mut_ptr).
    #[must_use]
    pub fn get(&self, index: u16) -> &[u8] {
        let (start, len) = self.part(index);
        // SAFETY: initialised and valid while `memory` is (`BufferMemory`). No `&mut` is out, since that borrows `self`; who
        // made a request that writes here has promised that nobody looks.
        unsafe { slice::from_raw_parts(start.as_ptr(), len) }
    }

    /// The bytes of a buffer, for when no request is on them.
    ///
    /// # Panics
    ///
    /// As [`as_mut_ptr`](Self::as_mut_ptr).
    #[must_use]
    pub fn get_mut(&mut self, index: u16) -> &mut [u8] {
        let (start, len) = self.part(index);
        // SAFETY: as in `get`, and no other reference is out.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), len) }
    }

    fn part(&self, index: u16) -> (NonNull<u8>, usize) {
        self.parts[usize::from(index)]
    }

    /// Unregisters the buffers and gives their memory back.
    ///
    /// # Errors
    ///
    /// What [`Registrar::unregister_buffers`] says, and `EBUSY` if the ring had to be leaked; with the buffers, as they
    /// were.
    pub fn unregister(self) -> Result<Vec<B>, (Error, Self)> {
        if let Err(error) = self.leave() {
            return Err((error, self));
        }
        let mut this = ManuallyDrop::new(self);
        drop(mem::take(&mut this.parts));
        drop(mem::take(&mut this.ring));
        // What would be left in its place has memory of its own.
        // SAFETY: `this` is never used or dropped again, so that this is taken once.
        drop(unsafe { ptr::read(&raw const this.tenancy) });
        // SAFETY: `this` is never used or dropped again, so that this is taken once.
        Ok(unsafe { ManuallyDrop::take(&mut this.memory) })
    }

    /// Unregisters, if these are what is registered.
    fn leave(&self) -> Result<()> {
        if self.is_forked() {
            return Ok(());
        }
        // The core goes before the lock: see `Tenancy`.
        let mut tenancy = self.tenancy.lock();
        match tenancy.ring {
            Life::Goes => {}
            Life::Over => return Ok(()),
            Life::Leaked => {
                let busy = io::Error::from_raw_os_error(libc::EBUSY);
                return Err(Error::kernel(
                    "io_uring_register",
                    busy,
                    "the ring was leaked, the kernel may use its buffers",
                ));
            }
        }
        let Some(core) = self.ring.upgrade() else { return Ok(()) };
        if tenancy.tenant != self.tenant {
            // They were unregistered before.
            return Ok(());
        }
        match core.empty_table() {
            Err(error) if error.raw_os_error() != Some(libc::ENXIO) => Err(error),
            // Also where it was done by the ring's descriptor.
            _ => {
                tenancy.vacate();
                Ok(())
            }
        }
    }

    /// In a forked child the memory is a copy, and whoever has locked the tenancy may never unlock it.
    fn is_forked(&self) -> bool {
        process::id() != self.process
    }
}

impl<B: BufferMemory> Drop for RegisteredBuffers<B> {
    fn drop(&mut self) {
        let left = self.leave();
        // SAFETY: taken once, here, and not used after.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        if left.is_ok() {
            return;
        }
        // As in `leave`; a ring that has ended is not held, since its drop locks this.
        let tenancy = self.tenancy.lock();
        match tenancy.ring {
            Life::Goes => {
                if let Some(core) = self.ring.upgrade() {
                    core.kept.keep(memory);
                }
            }
            Life::Leaked => mem::forget(memory),
            Life::Over => {}
        }
    }
}

impl<B: BufferMemory> fmt::Debug for RegisteredBuffers<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredBuffers").field("parts", &self.parts).finish_non_exhaustive()
    }
}

/// Buffers that were not registered.
pub struct BuffersError<B> {
    /// Why.
    pub error: Error,
    /// What the caller gave.
    pub buffers: Vec<B>,
}

impl<B> fmt::Debug for BuffersError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuffersError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<B> fmt::Display for BuffersError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<B> error::Error for BuffersError<B> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error.source()
    }
}

/// As that of the [`Error`] in it; the buffers are dropped.
impl<B> From<BuffersError<B>> for io::Error {
    fn from(refused: BuffersError<B>) -> Self {
        refused.error.into()
    }
}

impl<B> From<BuffersError<B>> for Error {
    fn from(refused: BuffersError<B>) -> Self {
        refused.error
    }
}

impl Registrar<'_> {
    /// Registers and pins buffers, which then belong to what is returned, buffer `n` of it being place `n` of the table.
    ///
    /// # Errors
    ///
    /// As [`register_buffers`](Self::register_buffers), with the buffers.
    pub fn register_owned_buffers<B: BufferMemory>(
        self,
        buffers: Vec<B>,
    ) -> Result<RegisteredBuffers<B>, BuffersError<B>> {
        let core = match self.core() {
            Ok(core) => core,
            Err(error) => return Err(BuffersError { error, buffers }),
        };
        // From here on the values are left alone, so that the pointers stay good.
        let mut memory = ManuallyDrop::new(buffers);
        let parts: Vec<_> = memory.iter_mut().map(|buffer| (buffer.start(), buffer.size())).collect();
        let iovecs: Vec<_> =
            parts.iter().map(|&(start, len)| libc::iovec { iov_base: start.cast(), iov_len: len }).collect();
        // Where there is no memory, there is a place in the table all the same.
        let part = |&(start, len): &(*mut u8, usize)| {
            NonNull::new(start).map_or((NonNull::dangling(), 0), |start| (start, len))
        };
        let parts = parts.iter().map(part).collect();
        let mut tenancy = core.tenancy.lock();
        // SAFETY: the memory stays until these are unregistered or the ring has ended (`RegisteredBuffers::drop`), and a
        // request that uses it is made under the contract.
        if let Err(error) = unsafe { core.register_buffers(&iovecs) } {
            return Err(BuffersError { error, buffers: ManuallyDrop::into_inner(memory) });
        }
        Ok(RegisteredBuffers {
            memory,
            parts,
            ring: Arc::downgrade(core),
            tenant: tenancy.occupy(),
            tenancy: Arc::clone(&core.tenancy),
            process: process::id(),
        })
    }
}
