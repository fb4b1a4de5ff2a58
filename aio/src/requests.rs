//! The requests that a context takes, which a whole context and its submitting half have in common.

/// Gives a type with a field `submission: Submission` the methods that queue requests.
macro_rules! impl_requests {
    ($type:ty) => {
        /// All of these only queue, and need one entry each.
        ///
        /// # Errors
        ///
        /// Each returns [`Error::NoSpace`](crate::Error::NoSpace) if no entry is free, and has changed nothing then, and
        /// [`Error::Forked`](crate::Error::Forked) in a forked child. What the kernel has against a request is in its completion:
        /// `EBADF` for a descriptor that is closed or open in the wrong mode, `EINVAL` for a negative offset (2⁶³ or more), for direct
        /// I/O that is not aligned or for a file that cannot do it, `EFAULT` for a bad address, `EAGAIN` for
        /// [`NOWAIT`](crate::RwFlags::NOWAIT), `EOPNOTSUPP` for flags.
        impl $type {
            /// Queues a read of up to `len` bytes at `offset` into the memory at `ptr`: [pread(2)].
            ///
            /// Completes with the number of bytes read, which is less than asked for at the end of the file (0 behind it). More
            /// than 0x7fff_f000 bytes are never read at once.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Safety
            ///
            /// [The contract](crate::AioContext#safety): `len` bytes at `ptr` are the kernel's until the completion.
            ///
            /// # Examples
            ///
            /// ```
            /// use aio::{AioContext, RwFlags};
            /// use std::fs::File;
            ///
            /// let file = File::open("/proc/self/exe")?;
            /// let mut magic = [0; 4];
            /// let mut context = AioContext::new(1)?;
            /// // SAFETY: `magic` is not touched before the completion is taken, and lives longer than the context.
            /// let queued = unsafe { context.add_read(magic.as_mut_ptr(), 4, &file, 0, 7)? };
            /// queued.rw_flags(RwFlags::HIPRI);
            /// for (user_data, result) in context.wait()? {
            ///     assert_eq!((user_data, result?), (7, 4));
            /// }
            /// assert_eq!(&magic, b"\x7fELF");
            /// # Ok::<(), std::io::Error>(())
            /// ```
            ///
            /// [pread(2)]: https://man7.org/linux/man-pages/man2/pread.2.html
            #[inline]
            pub unsafe fn add_read(
                &mut self,
                ptr: *mut u8,
                len: usize,
                fd: impl AsFd,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_read(ptr, len, fd, offset, user_data)
            }

            /// Queues a write of `len` bytes from the memory at `ptr` at `offset`: [pwrite(2)].
            ///
            /// Completes with the number of bytes written, which is less than asked for if the disk is full or a limit is
            /// reached. More than 0x7fff_f000 bytes are never written at once.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Safety
            ///
            /// [The contract](crate::AioContext#safety): nobody changes `len` bytes at `ptr` until the completion.
            ///
            /// [pwrite(2)]: https://man7.org/linux/man-pages/man2/pwrite.2.html
            #[inline]
            pub unsafe fn add_write(
                &mut self,
                ptr: *const u8,
                len: usize,
                fd: impl AsFd,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_write(ptr, len, fd, offset, user_data)
            }

            /// Queues a read at `offset` into several pieces of memory, one after the other: [preadv(2)].
            ///
            /// More than 1024 pieces complete with `EINVAL`.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked); the vector comes back in [`Rejected`].
            ///
            /// # Safety
            ///
            /// [The contract](crate::AioContext#safety): all pieces are the kernel's until the completion.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::fs::File;
            ///
            /// let file = File::open("/proc/self/exe")?;
            /// let (mut first, mut rest) = ([0_u8; 1], [0_u8; 3]);
            /// let iovec = |piece: &mut [u8]| libc::iovec {
            ///     iov_base: piece.as_mut_ptr().cast(),
            ///     iov_len: piece.len(),
            /// };
            /// let iovecs = vec![iovec(&mut first), iovec(&mut rest)];
            /// let mut context = aio::AioContext::new(1)?;
            /// // SAFETY: both pieces live longer than the context, and are not touched before the completion.
            /// unsafe { context.add_readv(iovecs, &file, 0, 0)? };
            /// assert_eq!(context.wait()?.next().expect("one is in flight").1?, 4);
            /// assert_eq!((&first, &rest), (b"\x7f", b"ELF"));
            /// # Ok::<(), std::io::Error>(())
            /// ```
            ///
            /// [preadv(2)]: https://man7.org/linux/man-pages/man2/preadv.2.html
            pub unsafe fn add_readv(
                &mut self,
                iovecs: Vec<iovec>,
                fd: impl AsFd,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>, Rejected> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_owned(false, iovecs, fd, offset, user_data)
            }

            /// Queues a write at `offset` of several pieces of memory, one after the other: [pwritev(2)].
            ///
            /// More than 1024 pieces complete with `EINVAL`.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked); the vector comes back in [`Rejected`].
            ///
            /// # Safety
            ///
            /// [The contract](crate::AioContext#safety): nobody changes the pieces until the completion.
            ///
            /// [pwritev(2)]: https://man7.org/linux/man-pages/man2/pwritev.2.html
            pub unsafe fn add_writev(
                &mut self,
                iovecs: Vec<iovec>,
                fd: impl AsFd,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>, Rejected> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_owned(true, iovecs, fd, offset, user_data)
            }

            /// Queues a read as [`add_readv`](Self::add_readv) does, from an iterator: the context's own array is filled again,
            /// and after a while nothing is allocated.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Safety
            ///
            /// As of [`add_readv`](Self::add_readv).
            #[inline]
            pub unsafe fn add_readv_iter(
                &mut self,
                iovecs: impl IntoIterator<Item = iovec>,
                fd: impl AsFd,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_items(false, iovecs, fd, offset, user_data)
            }

            /// Queues a write as [`add_writev`](Self::add_writev) does, from an iterator: the context's own array is filled
            /// again, and after a while nothing is allocated.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Safety
            ///
            /// As of [`add_writev`](Self::add_writev).
            #[inline]
            pub unsafe fn add_writev_iter(
                &mut self,
                iovecs: impl IntoIterator<Item = iovec>,
                fd: impl AsFd,
                offset: u64,
                user_data: UserData,
            ) -> Result<Queued<'_>> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_items(true, iovecs, fd, offset, user_data)
            }

            /// Queues an [fsync(2)].
            ///
            /// The kernel does it in a thread of its own, whatever the file. It is no barrier: it covers the writes whose
            /// completions were taken before it was submitted. Completes with 0; with `EINVAL` for what cannot be synced.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Safety
            ///
            /// [The contract](crate::AioContext#safety): the descriptor stays open until it is submitted.
            ///
            /// [fsync(2)]: https://man7.org/linux/man-pages/man2/fsync.2.html
            pub unsafe fn add_fsync(&mut self, fd: impl AsFd, user_data: UserData) -> Result<()> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_sync(false, fd, user_data)
            }

            /// Queues an [fdatasync(2)]: an [`add_fsync`](Self::add_fsync) that leaves out metadata which nobody needs to read the
            /// data back.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Safety
            ///
            /// As of [`add_fsync`](Self::add_fsync).
            ///
            /// [fdatasync(2)]: https://man7.org/linux/man-pages/man2/fdatasync.2.html
            pub unsafe fn add_fdatasync(&mut self, fd: impl AsFd, user_data: UserData) -> Result<()> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_sync(true, fd, user_data)
            }

            /// Queues a one-shot [poll(2)] of `fd` for `events`, such as `libc::POLLIN`.
            ///
            /// Completes with the events that are there, of those asked for and of `POLLERR` and `POLLHUP`. A file that poll cannot
            /// wait for with one queue completes with `EINVAL`.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Safety
            ///
            /// [The contract](crate::AioContext#safety): the descriptor stays open until it is submitted.
            ///
            /// [poll(2)]: https://man7.org/linux/man-pages/man2/poll.2.html
            pub unsafe fn add_poll_fd(
                &mut self,
                fd: impl AsFd,
                events: c_short,
                user_data: UserData,
            ) -> Result<()> {
                let fd = fd.as_fd().as_raw_fd();
                self.submission.add_poll(fd, events, user_data)
            }

            /// Queues the cancellation of the polls whose `user_data` is `target`; the same as [`cancel`](Self::cancel).
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// # Examples
            ///
            /// ```
            /// let (reader, _writer) = std::io::pipe()?;
            /// let mut context = aio::AioContext::new(2)?;
            /// // SAFETY: the pipe is open for longer than the context.
            /// unsafe { context.add_poll_fd(&reader, libc::POLLIN, 1)? };
            /// context.remove_poll_fd(1, 2)?;
            /// context.drain(|user_data, result| match user_data {
            ///     1 => assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED)),
            ///     _ => assert_eq!(result.unwrap(), 0),
            /// })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn remove_poll_fd(&mut self, target: UserData, user_data: UserData) -> Result<()> {
                self.cancel(target, user_data)
            }

            /// Queues the cancellation of a request in flight whose `user_data` is `target`, one of them if there are several: [io_cancel(2)].
            ///
            /// It needs an entry, as every request does: who fills a context with polls keeps one free for this. It has a completion of
            /// its own, 0 or `ENOENT`; what is cancelled completes with `ECANCELED`. **Polls alone can be
            /// cancelled.** A read, write or sync runs to its end, and a cancellation that names one completes with `ENOENT`. A poll
            /// that fires in the same instant may complete with its events all the same.
            ///
            /// # Errors
            ///
            /// [`NoSpace`](crate::Error::NoSpace), [`Forked`](crate::Error::Forked).
            ///
            /// [io_cancel(2)]: https://man7.org/linux/man-pages/man2/io_cancel.2.html
            pub fn cancel(&mut self, target: UserData, user_data: UserData) -> Result<()> {
                self.submission.add_cancel(target, user_data)
            }
        }
    };
}

pub(crate) use impl_requests;
