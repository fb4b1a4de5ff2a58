//! Lengths that are zero, or larger than what the kernel transfers at once.

use memory::Reserved;
use tests::files::{self, TempFile};

use crate::common::*;

/// What the kernel cuts every transfer to.
const MOST: u32 = 0x7fff_f000;
const GIB: usize = 1 << 30;

mod memory {
    //! A large range of addresses.

    /// Addresses that cost no memory until they are touched.
    pub(super) struct Reserved(*mut u8, usize);

    impl Reserved {
        pub(super) fn new(len: usize) -> Reserved {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
            assert_ne!(start, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
            Reserved(start.cast(), len)
        }

        pub(super) fn start(&self) -> *mut u8 {
            self.0
        }
    }

    impl Drop for Reserved {
        fn drop(&mut self) {
            unsafe { libc::munmap(self.0.cast(), self.1) };
        }
    }
}

#[test]
fn zero_bytes_are_a_success_of_zero_bytes() {
    let file = TempFile::new(100);
    let mut buffer = [0xee; 4];
    let nothing = iovec(&mut buffer[..0]);
    let mut context = context(16);
    unsafe {
        context.add_read(buffer.as_mut_ptr(), 0, file.file(), 0, 0).unwrap();
        context.add_write(buffer.as_ptr(), 0, file.file(), 0, 1).unwrap();
        context.add_readv(vec![], file.file(), 0, 2).unwrap();
        context.add_writev(vec![], file.file(), 0, 3).unwrap();
        context.add_readv_iter([], file.file(), 0, 4).unwrap();
        context.add_writev_iter([], file.file(), 0, 5).unwrap();
        context.add_readv(vec![nothing; 3], file.file(), 0, 6).unwrap();
        context.add_writev_iter([nothing; 3], file.file(), 0, 7).unwrap();
        context.add_read(std::ptr::null_mut(), 0, file.file(), 0, 8).unwrap();
    }
    assert_eq!(all(&mut context), (0..9).map(|name| (name, Ok(0))).collect::<Vec<_>>());
    assert_eq!(buffer, [0xee; 4]);
    files::check(&files::pread(file.file(), 0, 100), 0);
}

#[test]
fn empty_parts_of_a_vector_are_passed_over() {
    let file = TempFile::new(1000);
    let (mut first, mut second) = ([0; 10], [0; 20]);
    let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let mut context = context(4);
    let parts = [empty, iovec(&mut first), empty, empty, iovec(&mut second), empty];
    unsafe { context.add_readv_iter(parts, file.file(), 33, 1) }.unwrap();
    assert_eq!(one(&mut context), (1, Ok(30)));
    files::check(&[&first[..], &second[..]].concat(), 33);
}

#[test]
fn as_many_iovecs_as_the_kernel_takes_are_taken_and_one_more_is_not() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 1025];
    let mut context = context(4);
    for (count, expected) in [(1023, Ok(1023)), (1024, Ok(1024)), (1025, Err(libc::EINVAL))] {
        let parts = || buffer[..count].chunks(1).map(iovec_of);
        unsafe { context.add_readv_iter(parts(), file.file(), 11, 1) }.unwrap();
        unsafe { context.add_readv(parts().collect(), file.file(), 11, 2) }.unwrap();
        assert_eq!(all(&mut context), [(1, expected), (2, expected)]);
    }
    files::check(&buffer[..1024], 11);
    buffer.fill(0);
    assert_eq!(files::pread(file.file(), 0, 1).len(), 1);
}

#[test]
fn a_write_over_2_gib_is_cut_to_what_the_kernel_transfers() {
    let null = dev_null();
    let data = Reserved::new(5 * GIB);
    let mut context = context(8);
    // 4 GiB, and a bit more, would be nothing and a bit in 32 bits.
    for len in [
        MOST as usize - 1,
        MOST as usize,
        MOST as usize + 1,
        2 * GIB,
        3 * GIB,
        4 * GIB,
        4 * GIB + 10,
        5 * GIB,
    ] {
        unsafe { context.add_write(data.start(), len, &null, 0, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Ok(MOST.min(len.try_into().unwrap_or(u32::MAX)))), "{len} bytes");
    }
    let part = libc::iovec { iov_base: data.start().cast(), iov_len: GIB };
    unsafe { context.add_writev(vec![part; 5], &null, 0, 1) }.unwrap();
    assert_eq!(one(&mut context), (1, Ok(MOST)));
}

#[test]
fn a_read_over_4_gib_reads_what_there_is() {
    let file = TempFile::new(100);
    let buffer = Reserved::new(5 * GIB);
    let mut context = context(4);
    for len in [3 * GIB, 4 * GIB, 4 * GIB + 10, 5 * GIB] {
        unsafe {
            buffer.start().write_bytes(0, 100);
            context.add_read(buffer.start(), len, file.file(), 0, 1).unwrap();
        }
        assert_eq!(one(&mut context), (1, Ok(100)));
        files::check(unsafe { std::slice::from_raw_parts(buffer.start(), 100) }, 0);
    }
}

#[test]
fn offsets_and_sizes_over_4_gib_are_taken_in_full() {
    let file = TempFile::empty();
    let data = files::content(5, 64);
    let mut buffer = [0; 64];
    let far = (5 << 30) + 3;
    let mut context = context(4);
    write(&mut context, &data, file.file(), far, 1);
    assert_eq!(one(&mut context), (1, Ok(64)));
    assert_eq!(file.file().metadata().unwrap().len(), far + 64);
    read(&mut context, &mut buffer, file.file(), far, 2);
    assert_eq!(one(&mut context), (2, Ok(64)));
    files::check(&buffer, 5);

    // A hole of more than 4 GiB in a file that is one.
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    unsafe { context.add_fallocate(file.file(), 7, 5 << 30, mode, 3) }.unwrap();
    assert_eq!(one(&mut context), (3, Ok(0)));
    assert_eq!(file.file().metadata().unwrap().len(), far + 64);
    assert_eq!(files::pread(file.file(), far, 4), [0; 4]);
    files::check(&files::pread(file.file(), far + 4, 60), 9);
}
