//! The `add_*` family, which a whole context and its submitting half have in common.

/// Gives a type with methods `queue` and `half` the methods that add and submit requests.
macro_rules! impl_ops {
    ($type:ty) => {
        /// Adding requests. Each takes one entry of the submission queue and reaches the kernel with the
        /// next submit; [`NoSpace`](crate::Error::NoSpace) leaves everything as it was.
        impl $type {
            /// Adds a read of `len` bytes at `offset` of `fd` to `ptr`; see `pread(2)`.
            ///
            /// The result is the count of bytes, fewer than `len` at the end of the file; more than
            /// 0x7ffff000 bytes are cut to that. The offset `u64::MAX` stands for the file's position.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace) if the queue is full,
            /// [`Forked`](crate::Error::Forked) in a forked child.
            ///
            /// # Safety
            ///
            /// The [contract](crate::URingContext#contract): `ptr` is valid for writes of `len` bytes, which
            /// nobody else touches until the completion has been taken; `fd` stays open until the
            /// kernel has accepted the request.
            #[inline]
            pub unsafe fn add_read(
                &mut self,
                ptr: *mut u8,
                len: usize,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                // SAFETY: this fn's contract.
                let read = unsafe { op::rw::Read::new(fd, ptr, len, offset) };
                self.queue().add(read.user_data(user_data).into())
            }

            /// Adds a write of the `len` bytes at `ptr` to `offset` of `fd`; see `pwrite(2)`.
            ///
            /// The result is the count of bytes, which may be fewer than `len` (no space, a limit, a
            /// signal); more than 0x7ffff000 bytes are cut to that. The offset `u64::MAX` stands for the
            /// file's position.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// The [contract](crate::URingContext#contract): `ptr` is valid for reads of `len` bytes, which
            /// nobody changes until the completion has been taken; `fd` stays open until the
            /// kernel has accepted the request.
            #[inline]
            pub unsafe fn add_write(
                &mut self,
                ptr: *const u8,
                len: usize,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                // SAFETY: this fn's contract.
                let write = unsafe { op::rw::Write::new(fd, ptr, len, offset) };
                self.queue().add(write.user_data(user_data).into())
            }

            /// Adds a read into several buffers; see `preadv(2)`.
            ///
            /// The vector is kept until the kernel has consumed the request. More than 1024 buffers
            /// complete with `EINVAL`.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read), and gives the vector back.
            ///
            /// # Safety
            ///
            /// The [contract](crate::URingContext#contract), for the memory that each iovec names.
            pub unsafe fn add_readv(
                &mut self,
                iovecs: Vec<libc::iovec>,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>, Rejected> {
                // SAFETY: this fn's contract.
                unsafe { self.queue().add_vec(Op::READV, iovecs, &fd, offset, user_data) }
            }

            /// Adds a write from several buffers; see `pwritev(2)` and [`add_readv`](Self::add_readv).
            ///
            /// # Errors
            ///
            /// As [`add_readv`](Self::add_readv).
            ///
            /// # Safety
            ///
            /// The [contract](crate::URingContext#contract), for the memory that each iovec names.
            pub unsafe fn add_writev(
                &mut self,
                iovecs: Vec<libc::iovec>,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>, Rejected> {
                // SAFETY: this fn's contract.
                unsafe { self.queue().add_vec(Op::WRITEV, iovecs, &fd, offset, user_data) }
            }

            /// As [`add_readv`](Self::add_readv) from an iterator, into an array that the queue reuses:
            /// nothing is allocated once it has grown.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// As [`add_readv`](Self::add_readv).
            pub unsafe fn add_readv_iter(
                &mut self,
                iovecs: impl IntoIterator<Item = libc::iovec>,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                // SAFETY: this fn's contract.
                unsafe { self.queue().add_iter(Op::READV, iovecs, &fd, offset, user_data) }
            }

            /// As [`add_writev`](Self::add_writev) from an iterator, into an array that the queue reuses.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// As [`add_writev`](Self::add_writev).
            pub unsafe fn add_writev_iter(
                &mut self,
                iovecs: impl IntoIterator<Item = libc::iovec>,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                // SAFETY: this fn's contract.
                unsafe { self.queue().add_iter(Op::WRITEV, iovecs, &fd, offset, user_data) }
            }

            /// Adds a read into the registered buffer `buf_index`; see
            /// [`register_buffers`](crate::URingContext::register_buffers).
            ///
            /// `ptr` and `len` name a part of that buffer; what lies outside completes with `EFAULT`.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// As [`add_read`](Self::add_read).
            #[inline]
            pub unsafe fn add_read_fixed(
                &mut self,
                ptr: *mut u8,
                len: usize,
                buf_index: u16,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                // SAFETY: this fn's contract.
                let request = unsafe { op::rw::ReadFixed::new(fd, ptr, len, buf_index, offset) };
                self.queue().add(request.user_data(user_data).into())
            }

            /// Adds a write from the registered buffer `buf_index`; see
            /// [`add_read_fixed`](Self::add_read_fixed).
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// As [`add_write`](Self::add_write).
            #[inline]
            pub unsafe fn add_write_fixed(
                &mut self,
                ptr: *const u8,
                len: usize,
                buf_index: u16,
                fd: impl Target,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                // SAFETY: this fn's contract.
                let request = unsafe { op::rw::WriteFixed::new(fd, ptr, len, buf_index, offset) };
                self.queue().add(request.user_data(user_data).into())
            }

            /// Adds an `fsync(2)`: data and metadata of all *completed* writes become durable. It is not a
            /// barrier for writes in flight.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// `fd` stays open, a [`Fixed`](crate::Fixed) place unchanged, until the completion has been taken.
            pub unsafe fn add_fsync(&mut self, fd: impl Target, user_data: UserData) -> Result<()> {
                // SAFETY: this fn's contract.
                let fsync = unsafe { op::sync::Fsync::new(fd) };
                self.queue().add(fsync.user_data(user_data).into()).map(drop)
            }

            /// Adds an `fdatasync(2)`: as [`add_fsync`](Self::add_fsync), but only the metadata that reading
            /// the data back takes.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// `fd` stays open, a [`Fixed`](crate::Fixed) place unchanged, until the completion has been taken.
            pub unsafe fn add_fdatasync(&mut self, fd: impl Target, user_data: UserData) -> Result<()> {
                // SAFETY: this fn's contract.
                let fsync = unsafe { op::sync::Fsync::new(fd) };
                self.queue().add(fsync.datasync().user_data(user_data).into()).map(drop)
            }

            /// Adds a `fallocate(2)` of `len` bytes at `offset`; `mode` takes `libc::FALLOC_FL_*`.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// `fd` stays open, a [`Fixed`](crate::Fixed) place unchanged, until the completion has been taken.
            pub unsafe fn add_fallocate(
                &mut self,
                fd: impl Target,
                offset: u64,
                len: u64,
                mode: i32,
                user_data: UserData,
            ) -> Result<()> {
                // SAFETY: this fn's contract.
                let fallocate = unsafe { op::file::Fallocate::new(fd, mode, offset, len) };
                self.queue().add(fallocate.user_data(user_data).into()).map(drop)
            }

            /// Adds a one-shot `poll(2)` of `fd` for `events`, such as `libc::POLLIN`; the result is the
            /// mask of what happened.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            ///
            /// # Safety
            ///
            /// `fd` stays open until the kernel has accepted the request.
            pub unsafe fn add_poll_fd(
                &mut self,
                fd: impl Target,
                events: libc::c_short,
                user_data: UserData,
            ) -> Result<()> {
                // SAFETY: this fn's contract.
                let poll = unsafe { op::poll::PollAdd::new(fd, events.cast_unsigned().into()) };
                self.queue().add(poll.user_data(user_data).into()).map(drop)
            }

            /// Removes the poll that was added with the `user_data` of `target`.
            ///
            /// That poll completes with `ECANCELED`; this request with 0, or `ENOENT` if there is none.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            pub fn remove_poll_fd(&mut self, target: UserData, user_data: UserData) -> Result<()> {
                let flags = SqeFlags::from_bits_retain(self.half().core.required_flags());
                let remove = op::poll::PollRemove::new(target).flags(flags);
                self.queue().add(remove.user_data(user_data).into()).map(drop)
            }

            /// Cancels the request that was added with the `user_data` of `target`, one of them if there
            /// are several.
            ///
            /// A cancelled request completes with `ECANCELED` and this one with 0. `ENOENT`: there is no
            /// such request, *or it cannot be cancelled*, as a read of a disk cannot: its completion comes
            /// all the same, and its memory is the kernel's until then. `EALREADY`: it is running.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            pub fn cancel(&mut self, target: UserData, user_data: UserData) -> Result<()> {
                let flags = SqeFlags::from_bits_retain(self.half().core.required_flags());
                let cancel = op::cancel::AsyncCancel::new(target).flags(flags);
                self.queue().add(cancel.user_data(user_data).into()).map(drop)
            }

            /// Adds a request that does nothing and completes with 0, to measure or to wake a waiter.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            #[inline]
            pub fn add_nop(&mut self, user_data: UserData) -> Result<()> {
                self.queue().add(op::ring::Nop::new().user_data(user_data).into()).map(drop)
            }

            /// Adds a request that completes with `ETIME` after `timeout`, by the monotonic clock.
            ///
            /// # Errors
            ///
            /// As [`add_read`](Self::add_read).
            pub fn add_timeout(&mut self, timeout: Duration, user_data: UserData) -> Result<()> {
                self.queue().add_timeout(timeout, user_data)
            }

            /// Hands the added requests to the kernel and returns how many it accepted.
            ///
            /// Fewer than were [`queued`](Self::queued) means that the kernel wants completions taken
            /// first; the rest stays queued for the next submit. This does not wait for completions, but
            /// for whatever the kernel does within the call (buffered reads of cached data, for one).
            ///
            /// # Errors
            ///
            /// What `io_uring_enter(2)` says; nothing is lost, and what was not accepted stays queued.
            /// [`Forked`](crate::Error::Forked) in a forked child.
            pub fn submit(&mut self) -> Result<usize> {
                self.queue().submit.submit()
            }

            /// Requests that were added and that the kernel has not accepted; none, in a forked child.
            #[must_use]
            pub fn queued(&self) -> usize {
                if self.half().check().is_err() { 0 } else { self.half().sq.queued() as usize }
            }

            /// Requests that can be added before the next submit; none, in a forked child.
            #[must_use]
            pub fn space(&self) -> usize {
                if self.half().check().is_err() { 0 } else { self.half().sq.room() as usize }
            }
        }
    };
}

pub(crate) use impl_ops;
