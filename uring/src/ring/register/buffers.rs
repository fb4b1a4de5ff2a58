//! The table of buffers.

use std::io;
use std::ptr;
use std::sync::atomic::Ordering;

use uring_sys::{
    IORING_REGISTER_BUFFERS, IORING_REGISTER_BUFFERS_UPDATE, IORING_REGISTER_BUFFERS2,
    IORING_RSRC_REGISTER_SPARSE, IORING_UNREGISTER_BUFFERS, io_uring_rsrc_register, io_uring_rsrc_update2,
};

use super::{Registrar, Tag, length, refused};
use crate::error::{Error, Result};
use crate::ring::core::Core;

#[cold]
pub(super) fn buffers_refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EFAULT) => Error::kernel(
            "io_uring_register",
            error,
            "buffers: some of the memory is not mapped, or has no length",
        ),
        Some(libc::EINVAL | libc::EOVERFLOW) => Error::kernel(
            "io_uring_register",
            error,
            "buffers: none, more than 16384, a place past the end of the table, a tag on an empty place, or nothing that \
             this kernel knows",
        ),
        Some(libc::EOPNOTSUPP) => Error::kernel(
            "io_uring_register",
            error,
            "buffers: memory that is mapped from a file of some file systems cannot be registered",
        ),
        _ => refused(error, "buffers"),
    }
}

fn check_tags(buffers: usize, tags: usize) -> Result<()> {
    if buffers == tags {
        return Ok(());
    }
    Err(Error::invalid(
        "io_uring_register",
        format!("{tags} tags for {buffers} places: each has one, 0 for none"),
    ))
}

impl Core {
    /// # Safety
    ///
    /// Each `iovec` names memory that stays mapped and is not otherwise touched while requests on it are
    /// in flight, until it is unregistered or the ring is gone.
    pub(crate) unsafe fn register_buffers(&self, iovecs: &[libc::iovec]) -> Result<()> {
        let arg = iovecs.as_ptr().cast_mut().cast();
        // SAFETY: an array of that many iovecs that outlives the call; the kernel only reads it. What
        // they name is this fn's contract.
        unsafe { self.register(IORING_REGISTER_BUFFERS, arg, length(iovecs.len())) }
            .map_err(buffers_refused)?;
        self.has_buffers.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// # Safety
    ///
    /// As [`register_buffers`](Self::register_buffers).
    unsafe fn register_buffers_tagged(&self, iovecs: &[libc::iovec], tags: &[Tag]) -> Result<()> {
        check_tags(iovecs.len(), tags.len())?;
        let arg = io_uring_rsrc_register {
            nr: length(iovecs.len()),
            data: iovecs.as_ptr().expose_provenance() as u64,
            tags: tags.as_ptr().expose_provenance() as u64,
            ..Default::default()
        };
        // SAFETY: the arrays that `arg` names outlive the call; what the iovecs name is this fn's contract.
        self.with_tags(tags, || unsafe { self.register_table(arg) })
    }

    fn register_buffers_sparse(&self, nr: u32) -> Result<()> {
        let arg = io_uring_rsrc_register { nr, flags: IORING_RSRC_REGISTER_SPARSE, ..Default::default() };
        // SAFETY: names no arrays.
        unsafe { self.register_table(arg) }
    }

    /// # Safety
    ///
    /// `arg` names arrays of `nr` entries that outlive the call, or none; as
    /// [`register_buffers`](Self::register_buffers).
    unsafe fn register_table(&self, mut arg: io_uring_rsrc_register) -> Result<()> {
        let size = length(size_of_val(&arg));
        // SAFETY: `arg` outlives the call, and what it names is this fn's contract; this opcode takes the structure's
        // size as its count.
        unsafe { self.register(IORING_REGISTER_BUFFERS2, (&raw mut arg).cast(), size) }
            .map_err(buffers_refused)?;
        self.has_buffers.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// # Safety
    ///
    /// As [`register_buffers`](Self::register_buffers). `tags` has as many entries as `iovecs`, or none.
    unsafe fn update_buffers(&self, first: u32, iovecs: &[libc::iovec], tags: &[Tag]) -> Result<usize> {
        let tag_array = if tags.is_empty() { ptr::null() } else { tags.as_ptr() };
        let mut arg = io_uring_rsrc_update2 {
            offset: first,
            data: iovecs.as_ptr().expose_provenance() as u64,
            tags: tag_array.expose_provenance() as u64,
            nr: length(iovecs.len()),
            ..Default::default()
        };
        self.with_tags(tags, || {
            let size = length(size_of_val(&arg));
            // SAFETY: `arg` and the arrays that it names outlive the call; what the iovecs name is this fn's contract.
            // This opcode takes the structure's size as its count.
            unsafe { self.register(IORING_REGISTER_BUFFERS_UPDATE, (&raw mut arg).cast(), size) }
                .map(|done| done as usize)
                .map_err(buffers_refused)
        })
    }

    pub(crate) fn unregister_buffers(&self) -> Result<()> {
        let mut tenancy = self.tenancy.lock();
        self.empty_table()?;
        tenancy.vacate();
        Ok(())
    }

    /// Unregisters the buffers, for whoever has the tenancy locked.
    pub(super) fn empty_table(&self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.register(IORING_UNREGISTER_BUFFERS, ptr::null_mut(), 0) }
            .map_err(|error| refused(error, "buffers"))?;
        self.has_buffers.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// The table of buffers, named by their index in [`ReadFixed`](crate::op::rw::ReadFixed) and
/// [`WriteFixed`](crate::op::rw::WriteFixed).
///
/// The kernel pins their memory, which for direct I/O saves about a tenth of a small request.
/// [`register_owned_buffers`](Self::register_owned_buffers) is safe, and the first choice.
impl Registrar<'_> {
    /// Registers and pins buffers (`IORING_REGISTER_BUFFERS`, since 5.1).
    ///
    /// # Errors
    ///
    /// `EBUSY` if some are registered, `ENOMEM` beyond `RLIMIT_MEMLOCK`, `EFAULT` for memory that is not
    /// mapped, `EINVAL` for none or more than 16384, `EOPNOTSUPP` for memory backed by some file systems.
    ///
    /// # Safety
    ///
    /// The memory stays mapped until [`unregister_buffers`](Self::unregister_buffers) or the drop of the
    /// context, and until all requests that use it have completed; nobody else touches the parts that
    /// requests in flight use.
    pub unsafe fn register_buffers(self, buffers: &[libc::iovec]) -> Result<()> {
        let core = self.core()?;
        // SAFETY: this fn's contract.
        unsafe { core.register_buffers(buffers) }
    }

    /// As [`register_buffers`](Self::register_buffers), with a tag for each buffer (`IORING_REGISTER_BUFFERS2`, since
    /// 5.13): when the place has been given to another buffer or to none, and no request uses the buffer any more, a
    /// completion says so. A place without address and length stays empty.
    ///
    /// The end of a ring posts none, and before 6.13 neither does the end of the whole table.
    ///
    /// # Errors
    ///
    /// As [`register_buffers`](Self::register_buffers); `EINVAL` for another number of tags than of buffers, a tag on an
    /// empty place, before 5.13, and in an [`URingContext`](crate::URingContext), which takes each completion for that
    /// of a request.
    ///
    /// # Safety
    ///
    /// As [`register_buffers`](Self::register_buffers).
    pub unsafe fn register_buffers_tagged(self, buffers: &[libc::iovec], tags: &[Tag]) -> Result<()> {
        let core = self.core()?;
        // SAFETY: this fn's contract.
        unsafe { core.register_buffers_tagged(buffers, tags) }
    }

    /// Registers a table of `nr` empty places (`IORING_RSRC_REGISTER_SPARSE`, since 5.19), to be filled by
    /// [`update_buffers`](Self::update_buffers) and [`clone_buffers`](Self::clone_buffers).
    ///
    /// # Errors
    ///
    /// `EBUSY` if buffers are registered, `EINVAL` for none or more than 16384, and before 5.19.
    pub fn register_buffers_sparse(self, nr: u32) -> Result<()> {
        self.core()?.register_buffers_sparse(nr)
    }

    /// Changes the places from index `first` on, one after the other, and returns how many were changed
    /// (`IORING_REGISTER_BUFFERS_UPDATE`, since 5.13). A place without address and length becomes empty. Requests in
    /// flight keep the buffer that they started with.
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table, `EINVAL` beyond its end and before 5.13; as
    /// [`register_buffers`](Self::register_buffers), if it is the first that is refused.
    ///
    /// # Safety
    ///
    /// As [`register_buffers`](Self::register_buffers), for the new ones.
    pub unsafe fn update_buffers(self, first: u32, buffers: &[libc::iovec]) -> Result<usize> {
        let core = self.core()?;
        // SAFETY: this fn's contract.
        unsafe { core.update_buffers(first, buffers, &[]) }
    }

    /// As [`update_buffers`](Self::update_buffers), with a tag for each new buffer.
    ///
    /// # Errors
    ///
    /// As [`update_buffers`](Self::update_buffers) and [`register_buffers_tagged`](Self::register_buffers_tagged).
    ///
    /// # Safety
    ///
    /// As [`update_buffers`](Self::update_buffers).
    pub unsafe fn update_buffers_tagged(
        self,
        first: u32,
        buffers: &[libc::iovec],
        tags: &[Tag],
    ) -> Result<usize> {
        let core = self.core()?;
        check_tags(buffers.len(), tags.len())?;
        // SAFETY: this fn's contract, and the lengths were compared.
        unsafe { core.update_buffers(first, buffers, tags) }
    }

    /// Unregisters the buffers (`IORING_UNREGISTER_BUFFERS`, since 5.1). Older kernels wait for requests in flight that
    /// use them; newer ones, from about 6.13 on, return at once, and memory stays the kernel's until each completion
    /// has been taken.
    ///
    /// # Errors
    ///
    /// `ENXIO` if none are registered.
    pub fn unregister_buffers(self) -> Result<()> {
        self.core()?.unregister_buffers()
    }
}
