//! The three system calls.
//!
//! Each returns what the kernel returns: a failure is a negated errno, never -1 with `errno` set.

use core::ffi::{c_int, c_uint, c_void};

use crate::bindings::io_uring_params;
use crate::syscall::syscall;

/// Makes a ring and returns its file descriptor, which is close-on-exec.
///
/// `int io_uring_setup(unsigned int entries, struct io_uring_params *p)`, [io_uring_setup(2)]. Since Linux
/// 5.1.
///
/// `params` goes in with the flags of the ring and everything else zero, and comes out with its sizes,
/// features and the offsets that its mappings need. With `IORING_SETUP_REGISTERED_FD_ONLY` the answer is a
/// registered index instead of a descriptor.
///
/// # Errors
///
/// The [man page][io_uring_setup(2)] has the list. `-EINVAL` is what an older kernel says to a flag that it
/// does not know, and any kernel to 0 entries or too many; `-EPERM` comes from the sysctl
/// `kernel.io_uring_disabled`, or like `-ENOSYS` from a seccomp filter; `-ENOMEM` from the limit on locked
/// memory before Linux 5.12.
///
/// # Safety
///
/// - `params` is valid for reads and writes of an [`io_uring_params`].
/// - With `IORING_SETUP_NO_MMAP`, the memory that its `user_addr` fields name is valid for reads and writes
///   by the kernel for as long as the ring lives, and is otherwise used as ring memory only.
/// - With `IORING_SETUP_SQPOLL` the kernel reads submissions without being called: what [`io_uring_enter`]
///   asks of an entry is then asked from the moment in which the tail is published.
///
/// [io_uring_setup(2)]: https://man7.org/linux/man-pages/man2/io_uring_setup.2.html
#[inline]
pub unsafe fn io_uring_setup(entries: c_uint, params: *mut io_uring_params) -> c_int {
    let args = [entries as usize, params.expose_provenance(), 0, 0, 0, 0];
    // SAFETY: The kernel reads and writes one io_uring_params at the second argument, which the caller
    // vouches for, and the memory that this names under the caller's contract.
    unsafe { syscall(libc::SYS_io_uring_setup, args) }
}

/// Submits up to `to_submit` entries, waits for `min_complete` completions if the flags say so, and returns
/// how many entries the kernel has consumed.
///
/// `int io_uring_enter2(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int
/// flags, void *arg, size_t sz)`, [io_uring_enter(2)]. Since Linux 5.1; this is the one form that the kernel
/// has.
///
/// What `arg` and `size` are, depends on `flags`: a `sigset_t` and the size of the kernel's (8) without
/// `IORING_ENTER_EXT_ARG`, an [`io_uring_getevents_arg`](crate::io_uring_getevents_arg) and its size with it
/// (since 5.11), the offset of an [`io_uring_reg_wait`](crate::io_uring_reg_wait) in the registered region
/// and its size with `IORING_ENTER_EXT_ARG_REG` (since 6.13). Null and 0 are right where nothing is to be
/// said. `fd` is a descriptor, or a registered index with `IORING_ENTER_REGISTERED_RING` (since 5.18).
///
/// # Errors
///
/// The [man page][io_uring_enter(2)] has the list. To act upon: `-EINTR` (a signal came first; nothing was
/// lost), `-ETIME` (the timeout passed), `-EAGAIN` and `-EBUSY` (take completions, then try again), `-EBADR`
/// (completions were dropped). An error of an entry is no error of this call: it comes as that entry's
/// completion.
///
/// # Safety
///
/// - `arg` is null or what `flags` say, valid for reads of `size` bytes, and so is the memory that it names.
/// - For every entry that the kernel consumes: the memory that the entry names is valid for what the
///   operation does with it, and not otherwise touched, until the entry's last completion has been taken.
///   Memory that only describes the operation (an iovec array, a timespec, a path) may go when this call
///   returns, if the ring has `IORING_FEAT_SUBMIT_STABLE`.
/// - The descriptors that these entries name belong to the caller, for the operation that is asked for.
///
/// [io_uring_enter(2)]: https://man7.org/linux/man-pages/man2/io_uring_enter.2.html
#[inline]
pub unsafe fn io_uring_enter(
    fd: c_int,
    to_submit: c_uint,
    min_complete: c_uint,
    flags: c_uint,
    arg: *const c_void,
    size: usize,
) -> c_int {
    let args = [
        fd as usize,
        to_submit as usize,
        min_complete as usize,
        flags as usize,
        arg.expose_provenance(),
        size,
    ];
    // SAFETY: The kernel reads `size` bytes at `arg`, and reads and writes what the consumed entries name;
    // the caller vouches for both.
    unsafe { syscall(libc::SYS_io_uring_enter, args) }
}

/// Registers or unregisters resources with a ring, or asks about them, as `opcode` says (`IORING_REGISTER_*`,
/// `IORING_UNREGISTER_*`).
///
/// `int io_uring_register(unsigned int fd, unsigned int opcode, void *arg, unsigned int nr_args)`,
/// [io_uring_register(2)]. Since Linux 5.1; each opcode has a version of its own.
///
/// `fd` is a descriptor, or a registered index with `IORING_REGISTER_USE_REGISTERED_RING` in the opcode
/// (since 6.3). `IORING_REGISTER_QUERY` and `IORING_REGISTER_SEND_MSG_RING` work without a ring: `fd` is -1
/// then.
///
/// # Errors
///
/// The [man page][io_uring_register(2)] has the list per opcode. `-EINVAL` is what an older kernel says to an
/// opcode that it does not know, `-EACCES` what a restricted ring says to one that it does not allow, and
/// `-EEXIST` comes where there is a thread that alone may use the ring and it is another one.
///
/// # Safety
///
/// - `arg` is what `opcode` says, valid for the reads and the writes that the opcode does, in the number of
///   `nr_args`.
/// - Memory that gets registered (buffers, rings of buffers, regions) is valid for reads and writes by the
///   kernel until it is unregistered and no operation uses it any longer.
///
/// [io_uring_register(2)]: https://man7.org/linux/man-pages/man2/io_uring_register.2.html
#[inline]
pub unsafe fn io_uring_register(fd: c_int, opcode: c_uint, arg: *mut c_void, nr_args: c_uint) -> c_int {
    let args = [fd as usize, opcode as usize, arg.expose_provenance(), nr_args as usize, 0, 0];
    // SAFETY: What the kernel reads and writes at `arg`, now and while it is registered, is under the
    // caller's contract.
    unsafe { syscall(libc::SYS_io_uring_register, args) }
}
