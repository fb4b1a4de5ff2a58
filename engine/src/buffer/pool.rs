//! Buffers of one size in one piece of memory, registered with the ring where there is one.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use static_assertions::assert_impl_all;

use super::{AlignedBuf, IoBuf, IoBufMut};
use crate::registration::Registration;

/// Aligned buffers of one size that come back to the pool when they are dropped.
///
/// [`Engine::buffer_pool`](crate::Engine::buffer_pool) makes one that is registered with the engine's ring, which
/// spares the kernel the pinning of each direct transfer: a tenth to a fifth of its work. Everywhere else the buffers
/// are plain memory.
///
/// ```
/// let pool = engine::BufferPool::new(2, 4096);
/// let (first, second) = (pool.take(), pool.take());
/// assert!(first.is_some() && second.is_some() && pool.take().is_none());
/// drop(first);
/// assert_eq!(pool.available(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct BufferPool {
    shared: Arc<Shared>,
    registration: Option<Registration>,
}

/// Invariant: a number is in `free`, or with the one [`PooledBuf`] that has it; so are the bytes of `memory` that
/// start at that many sizes.
struct Shared {
    /// The start of `owner`'s bytes; here nobody makes a reference to all of them.
    memory: NonNull<u8>,
    size: usize,
    count: usize,
    free: Mutex<Vec<u32>>,
    /// Keeps the memory, and is not looked at.
    _owner: AlignedBuf,
}

// SAFETY: each part of the memory is with one buffer at a time (the type's invariant), and the list is behind a lock.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

assert_impl_all!(BufferPool: Send, Sync);
assert_impl_all!(PooledBuf: Send, Sync);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("size", &self.size).field("count", &self.count).finish_non_exhaustive()
    }
}

impl BufferPool {
    /// Makes `count` buffers of `size` bytes, each at a multiple of [`AlignedBuf::ALIGNMENT`], registered nowhere.
    ///
    /// # Panics
    ///
    /// If there is not that much memory to address.
    #[must_use]
    pub fn new(count: usize, size: usize) -> Self {
        let size = size.next_multiple_of(AlignedBuf::ALIGNMENT).max(AlignedBuf::ALIGNMENT);
        let total = size.checked_mul(count).expect("a pool that can be addressed");
        let numbers = u32::try_from(count).expect("a pool of less than 2^32 buffers");
        let mut owner = AlignedBuf::new(total);
        let memory = NonNull::new(owner.stable_mut_ptr()).expect("a buffer is somewhere");
        let free = Mutex::new((0..numbers).rev().collect());
        Self { shared: Arc::new(Shared { memory, size, count, free, _owner: owner }), registration: None }
    }

    /// Takes a buffer, if one is there; its length is its whole size, its content what was left in it.
    #[must_use]
    pub fn take(&self) -> Option<PooledBuf> {
        let number = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let len = self.shared.size;
        Some(PooledBuf { shared: self.shared.clone(), number, len, registration: self.registration })
    }

    /// Buffers that can be taken now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Bytes of each buffer: what was asked for, rounded up to [`AlignedBuf::ALIGNMENT`].
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.shared.size
    }

    /// Buffers in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.count
    }

    /// Whether it has no buffers at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.count == 0
    }

    /// Whether the buffers are registered with a ring.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registration.is_some()
    }

    /// The memory of all buffers.
    pub(crate) fn memory(&self) -> libc::iovec {
        libc::iovec {
            iov_base: self.shared.memory.as_ptr().cast(),
            iov_len: self.shared.size * self.shared.count,
        }
    }

    /// The memory is registered; buffers that are taken from now on say so.
    pub(crate) fn register(&mut self, registration: Registration) {
        self.registration = Some(registration);
    }
}

/// A buffer of a [`BufferPool`], which it goes back to when it is dropped.
///
/// Like a vector it has a length within the pool's size; all bytes are initialised.
pub struct PooledBuf {
    shared: Arc<Shared>,
    number: u32,
    /// Invariant: at most `shared.size`.
    len: usize,
    registration: Option<Registration>,
}

impl PooledBuf {
    #[inline]
    fn start(&self) -> *mut u8 {
        self.shared.memory.as_ptr().wrapping_add(self.number as usize * self.shared.size)
    }

    /// Bytes that there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.size
    }

    /// Makes the buffer as long as this; bytes that come back are what they were.
    ///
    /// # Panics
    ///
    /// If that is more than its capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity(), "a length of {len} in a buffer of {}", self.capacity());
        self.len = len;
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: at most the size of this buffer's part of the memory, which is initialised and with this value alone
        // (the invariants of both types).
        unsafe { slice::from_raw_parts(self.start(), self.len) }
    }
}

impl DerefMut for PooledBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start(), self.len) }
    }
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuf")
            .field("number", &self.number)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

// SAFETY: the pool's memory stays where it is as long as the buffer holds it; the part is this buffer's alone.
unsafe impl IoBuf for PooledBuf {
    #[inline]
    fn stable_ptr(&self) -> *const u8 {
        self.start()
    }

    #[inline]
    fn bytes_init(&self) -> usize {
        self.len
    }

    #[inline]
    fn registration(&self) -> Option<Registration> {
        self.registration
    }
}

// SAFETY: as above, up to the size.
unsafe impl IoBufMut for PooledBuf {
    #[inline]
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.start()
    }

    #[inline]
    fn bytes_total(&self) -> usize {
        self.shared.size
    }

    #[inline]
    unsafe fn set_init(&mut self, count: usize) {
        self.len = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_overlap_and_come_back() {
        let pool = BufferPool::new(3, 5000);
        assert_eq!((pool.len(), pool.buffer_size(), pool.available()), (3, 8192, 3));
        let mut taken: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        for (buffer, value) in taken.iter_mut().zip(1..) {
            buffer.fill(value);
        }
        for (buffer, value) in taken.iter().zip(1..) {
            assert_eq!(buffer.len(), 8192);
            assert_eq!(buffer.as_ptr().addr() % AlignedBuf::ALIGNMENT, 0);
            assert!(buffer.iter().all(|&byte| byte == value));
        }
        drop(taken);
        assert_eq!(pool.available(), 3);
    }

    #[test]
    fn a_buffer_outlives_its_pool() {
        let pool = BufferPool::new(1, 1);
        let mut buffer = pool.take().unwrap();
        drop(pool);
        buffer.fill(9);
        assert_eq!(buffer[4095], 9);
    }

    #[test]
    fn an_empty_pool_has_nothing() {
        let pool = BufferPool::new(0, 4096);
        assert!(pool.is_empty() && pool.take().is_none());
    }
}
