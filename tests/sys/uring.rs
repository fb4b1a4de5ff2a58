//! io_uring through nothing but `uring_sys` and `libc`.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use tests::files::{TempFile, pread};
use uring_sys::*;

use crate::with_errno;

/// Part of a ring, mapped from its descriptor and unmapped on drop.
struct Mapping {
    start: *mut c_void,
    len: usize,
}

impl Mapping {
    fn new(ring: &OwnedFd, len: usize, offset: u64) -> Self {
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                ring.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        assert_ne!(start, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        Self { start, len }
    }

    fn at<T>(&self, offset: u32) -> *mut T {
        assert!(offset as usize + size_of::<T>() <= self.len);
        unsafe { self.start.byte_add(offset as usize) }.cast()
    }

    fn atomic(&self, offset: u32) -> &AtomicU32 {
        unsafe { AtomicU32::from_ptr(self.at(offset)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.start, self.len) };
    }
}

/// The ring that a user of direct FFI writes down in an hour: three mappings, one entry at a time.
struct Ring {
    sq: Mapping,
    cq: Mapping,
    sqes: Mapping,
    params: io_uring_params,
    fd: OwnedFd,
}

impl Ring {
    fn new(entries: u32) -> Self {
        let mut params = io_uring_params::default();
        let fd = unsafe { io_uring_setup(entries, &mut params) };
        assert!(fd >= 0, "io_uring_setup answers {fd}");
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let sq_len = params.sq_off.array as usize + params.sq_entries as usize * size_of::<u32>();
        let cq_len = params.cq_off.cqes as usize + params.cq_entries as usize * size_of::<io_uring_cqe>();
        let sqes_len = params.sq_entries as usize * size_of::<io_uring_sqe>();
        Self {
            sq: Mapping::new(&fd, sq_len, IORING_OFF_SQ_RING),
            cq: Mapping::new(&fd, cq_len, IORING_OFF_CQ_RING),
            sqes: Mapping::new(&fd, sqes_len, IORING_OFF_SQES),
            params,
            fd,
        }
    }

    /// Submits one entry, waits for one completion and takes it.
    fn run(&self, sqe: io_uring_sqe) -> io_uring_cqe {
        let tail = self.sq.atomic(self.params.sq_off.tail);
        let index = tail.load(Ordering::Relaxed) & (self.params.sq_entries - 1);
        let slot = index * size_of::<io_uring_sqe>() as u32;
        unsafe { self.sqes.at::<io_uring_sqe>(slot).write(sqe) };
        let array = self.params.sq_off.array + index * size_of::<u32>() as u32;
        unsafe { self.sq.at::<u32>(array).write(index) };
        tail.store(tail.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);

        let submitted =
            unsafe { io_uring_enter(self.fd.as_raw_fd(), 1, 1, IORING_ENTER_GETEVENTS, ptr::null(), 0) };
        assert_eq!(submitted, 1);

        let head = self.cq.atomic(self.params.cq_off.head);
        let position = head.load(Ordering::Relaxed);
        assert_ne!(position, self.cq.atomic(self.params.cq_off.tail).load(Ordering::Acquire));
        let index = position & (self.params.cq_entries - 1);
        let slot = self.params.cq_off.cqes + index * size_of::<io_uring_cqe>() as u32;
        let cqe = unsafe { self.cq.at::<io_uring_cqe>(slot).read() };
        head.store(position.wrapping_add(1), Ordering::Release);
        cqe
    }
}

fn read(file: &File, buffer: &mut [u8], offset: u64, user_data: u64) -> io_uring_sqe {
    let mut sqe = io_uring_sqe {
        opcode: IORING_OP_READ as u8,
        fd: file.as_raw_fd(),
        len: buffer.len() as u32,
        user_data,
        ..Default::default()
    };
    sqe.__bindgen_anon_1.off = offset;
    sqe.__bindgen_anon_2.addr = buffer.as_mut_ptr().expose_provenance() as u64;
    sqe
}

#[test]
fn a_whole_file_read_through_the_raw_ring_is_what_pread_reads() {
    // Every buffer outlives its read, because `run` takes the completion before it returns.
    const LEN: usize = 70_001;
    let file = TempFile::new(LEN);
    let ring = Ring::new(4);
    let mut content = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let offset = content.len() as u64;
        let cqe = ring.run(read(file.file(), &mut buffer, offset, offset ^ u64::MAX));
        assert_eq!(cqe.user_data, offset ^ u64::MAX);
        assert_eq!(cqe.flags, 0);
        match cqe.res {
            0 => break,
            n => content.extend_from_slice(&buffer[..usize::try_from(n).expect("a read that succeeds")]),
        }
    }
    assert_eq!(content, pread(file.file(), 0, LEN));
}

#[test]
fn an_operation_that_fails_completes_with_a_negated_errno() {
    // The buffer is never used: the descriptor is none.
    let ring = Ring::new(1);
    let mut sqe = read(TempFile::empty().file(), &mut [0; 8], 0, 7);
    sqe.fd = -1;
    let cqe = ring.run(sqe);
    assert_eq!((cqe.user_data, cqe.res), (7, -libc::EBADF));
}

#[test]
fn a_probe_through_register_knows_the_opcodes_of_the_header() {
    // The buffer has room for the head and the 256 records that the call is told of.
    const MAX: usize = 256;
    let ring = Ring::new(1);
    let mut probe = vec![0_u64; (size_of::<io_uring_probe>() + MAX * size_of::<io_uring_probe_op>()) / 8];
    let answer = unsafe {
        io_uring_register(ring.fd.as_raw_fd(), IORING_REGISTER_PROBE, probe.as_mut_ptr().cast(), MAX as u32)
    };
    assert_eq!(answer, 0);
    let probe = probe.as_ptr().cast::<io_uring_probe>();
    let ops =
        unsafe { std::slice::from_raw_parts((&raw const (*probe).ops).cast::<io_uring_probe_op>(), MAX) };
    let supported = |op: io_uring_op| u32::from(ops[op as usize].flags) & IO_URING_OP_SUPPORTED != 0;
    assert!(supported(IORING_OP_NOP) && supported(IORING_OP_READ) && supported(IORING_OP_WRITEV));
    assert!(unsafe { (*probe).last_op } >= IORING_OP_TEE as u8);
}

#[test]
fn failures_are_negated_errnos_and_not_minus_one() {
    // No pointer is followed: the first call fails by its count, the others because no descriptor has this
    // number.
    let mut params = io_uring_params::default();
    assert_eq!(unsafe { io_uring_setup(0, &mut params) }, -libc::EINVAL);
    assert_eq!(unsafe { io_uring_enter(c_int::MAX, 0, 0, 0, ptr::null(), 0) }, -libc::EBADF);
    let unregister = IORING_UNREGISTER_BUFFERS;
    assert_eq!(unsafe { io_uring_register(c_int::MAX, unregister, ptr::null_mut(), 0) }, -libc::EBADF);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_failing_call_leaves_errno_alone() {
    // As above: no descriptor has this number.
    let enter = || unsafe { io_uring_enter(c_int::MAX, 0, 0, 0, ptr::null(), 0) };
    assert_eq!(with_errno(libc::EXDEV, enter), (-libc::EBADF, libc::EXDEV));
}

#[test]
fn flags_built_on_enumerators_and_casts_have_the_values_of_the_header() {
    assert_eq!(IOSQE_FIXED_FILE, 1 << IOSQE_FIXED_FILE_BIT);
    assert_eq!(IOSQE_CQE_SKIP_SUCCESS, 1 << IOSQE_CQE_SKIP_SUCCESS_BIT);
    assert_eq!(IORING_FILE_INDEX_ALLOC, u32::MAX);
    assert_eq!(IORING_ZCRX_AREA_MASK, u64::MAX << IORING_ZCRX_AREA_SHIFT);
    assert_eq!(IORING_REGISTER_USE_REGISTERED_RING, 1 << 31);
}

#[test]
fn entries_are_plain_data_that_starts_as_zeroes() {
    // Both types are `repr(C)`, and every byte of them belongs to a field.
    let bytes: [u8; 128] = unsafe { std::mem::transmute(io_uring_sqe128::default()) };
    assert_eq!(bytes, [0; 128]);
    let wide = io_uring_cqe32 { big_cqe: [1, 2], ..Default::default() };
    let copy = wide;
    assert_eq!((wide.big_cqe, copy.cqe.user_data), (copy.big_cqe, 0));
}
