//! The way into the kernel: a system call's number and six arguments in, the kernel's own answer out.
//!
//! libc's `syscall` folds every failure into -1 and the thread's `errno`. The kernel says more in one word,
//! so where the calling convention is written down here, it is used as it is.

use core::ffi::{c_int, c_long};

/// Makes the system call `number` and returns what the kernel returns: 0 or more, or a negated errno.
///
/// # Safety
///
/// The arguments fulfil what the system call asks for. Pointers among them were turned into addresses by
/// `expose_provenance`, because the kernel may write through them.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) unsafe fn syscall(number: c_long, args: [usize; 6]) -> c_int {
    let answer: c_long;
    // SAFETY: This is the kernel's calling convention: number in rax, arguments in these six registers,
    // answer in rax. The instruction itself overwrites rcx and r11, which are declared lost; the kernel
    // restores the flags and every other register, and uses a stack of its own. Memory is left out of the
    // options on purpose: the kernel reads and writes it. What the call does beyond that is the caller's
    // contract.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    // The kernel widens what is an `int` in each of this crate's calls.
    answer as c_int
}

/// Makes the system call `number` and returns what the kernel returns: 0 or more, or a negated errno.
///
/// # Safety
///
/// The arguments fulfil what the system call asks for. Pointers among them were turned into addresses by
/// `expose_provenance`, because the kernel may write through them.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) unsafe fn syscall(number: c_long, args: [usize; 6]) -> c_int {
    // SAFETY: `syscall` hands number and arguments on as they are, and the caller vouches for what they do.
    // The six variadic arguments are of the width of a register, as the function expects.
    let answer = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) };
    if answer != -1 {
        return answer as c_int;
    }
    // SAFETY: It takes no argument and returns the address of this thread's errno, which lives as long as the
    // thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: As above: the address is valid and aligned, and no other thread writes there.
    -unsafe { *errno }
}
