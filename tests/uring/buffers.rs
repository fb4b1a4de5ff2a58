//! Registered buffers.

use tests::files::{self, AlignedBuf, TempFile};
use tests::{in_child, or_skip, require};
use uring::{Fixed, URingContext};

use crate::common::*;

const SIZE: usize = 8192;

#[track_caller]
fn refused<T: std::fmt::Debug>(result: uring::Result<T>, errno: i32, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

fn with_buffers(buffers: &mut [AlignedBuf]) -> URingContext {
    let mut context = context(16);
    let iovecs: Vec<_> = buffers.iter_mut().map(|buffer| iovec(buffer)).collect();
    unsafe { context.register_buffers(&iovecs) }.unwrap();
    context
}

fn two() -> [AlignedBuf; 2] {
    [AlignedBuf::new(SIZE), AlignedBuf::new(SIZE)]
}

#[test]
fn registered_buffers_are_read_into_and_written_from_in_whole_and_in_part() {
    let (source, sink) = (TempFile::new(65536), TempFile::empty());
    let mut buffers = two();
    let mut context = with_buffers(&mut buffers);
    for (at, len, offset) in [(0, SIZE, 0), (1, 5, 77), (4095, 2, 4095), (SIZE - 1, 1, 9), (100, 0, 3)] {
        for (index, buffer) in (0..).zip(&mut buffers) {
            let place = buffer[at..].as_mut_ptr();
            unsafe { context.add_read_fixed(place, len, index, source.file(), offset, 1) }.unwrap();
            assert_eq!(one(&mut context), (1, Ok(len as u32)), "{len} bytes at {at}");
            files::check(&buffer[at..at + len], offset);
            unsafe { context.add_write_fixed(place, len, index, sink.file(), offset, 2) }.unwrap();
            assert_eq!(one(&mut context), (2, Ok(len as u32)));
            files::check(&files::pread(sink.file(), offset, len), offset);
        }
    }
}

#[test]
fn direct_reads_of_registered_files_into_registered_buffers() {
    let file = TempFile::new(16 * SIZE);
    let direct = or_skip!(file.direct());
    let mut buffers = two();
    let mut context = with_buffers(&mut buffers);
    context.register_files(&[std::os::fd::AsFd::as_fd(&direct)]).unwrap();
    drop(direct);
    for offset in (0..16 * SIZE as u64).step_by(2 * SIZE) {
        for (index, buffer) in (0..).zip(&mut buffers) {
            let offset = offset + u64::from(index) * SIZE as u64;
            unsafe {
                context.add_read_fixed(buffer.as_mut_ptr(), SIZE, index, Fixed(0), offset, index.into())
            }
            .unwrap();
        }
        assert_eq!(all(&mut context), [(0, Ok(SIZE as u32)), (1, Ok(SIZE as u32))]);
        files::check(&buffers[0], offset);
        files::check(&buffers[1], offset + SIZE as u64);
    }
}

#[test]
fn what_lies_outside_of_the_named_buffer_is_refused() {
    let file = TempFile::new(65536);
    let mut buffers = two();
    let mut stranger = AlignedBuf::new(SIZE);
    let (first, second) = (buffers[0].as_mut_ptr(), buffers[1].as_mut_ptr());
    let mut context = with_buffers(&mut buffers);
    let cases = [
        (first, 16, 2),
        (first, 16, u16::MAX),
        (first, 16, 1),
        (second, 16, 0),
        (first, SIZE + 1, 0),
        (first.wrapping_sub(1), 2, 0),
        (first.wrapping_add(SIZE), 1, 0),
        (stranger.as_mut_ptr(), 16, 0),
        (std::ptr::null_mut(), 16, 0),
    ];
    for (name, (place, len, index)) in (0..).zip(cases) {
        unsafe { context.add_read_fixed(place, len, index, file.file(), 0, name) }.unwrap();
    }
    let expected: Vec<Taken> = (0..cases.len() as u64).map(|name| (name, Err(libc::EFAULT))).collect();
    assert_eq!(all(&mut context), expected);
    assert!(stranger.iter().chain(&*buffers[0]).chain(&*buffers[1]).all(|&byte| byte == 0));
}

#[test]
fn without_buffers_a_fixed_request_is_refused() {
    let file = TempFile::new(100);
    let mut buffer = [0; 16];
    let mut context = context(4);
    unsafe { context.add_read_fixed(buffer.as_mut_ptr(), 16, 0, file.file(), 0, 1) }.unwrap();
    assert_eq!(one(&mut context), (1, Err(libc::EFAULT)));
    refused(context.unregister_buffers(), libc::ENXIO, "none are registered");
}

#[test]
fn a_second_set_is_refused_until_the_first_is_gone() {
    let file = TempFile::new(65536);
    let mut buffers = two();
    let mut others = two();
    let mut context = with_buffers(&mut buffers);
    let iovecs: Vec<_> = others.iter_mut().map(|buffer| iovec(buffer)).collect();
    refused(unsafe { context.register_buffers(&iovecs) }, libc::EBUSY, "unregister");
    context.unregister_buffers().unwrap();
    refused(context.unregister_buffers(), libc::ENXIO, "none are registered");
    unsafe { context.register_buffers(&iovecs) }.unwrap();
    unsafe { context.add_read_fixed(others[1].as_mut_ptr(), SIZE, 1, file.file(), 3, 1) }.unwrap();
    assert_eq!(one(&mut context), (1, Ok(SIZE as u32)));
    files::check(&others[1], 3);
}

#[test]
fn sets_that_make_no_sense_are_refused() {
    let mut context = context(4);
    let part =
        |address, len| libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: len };
    refused(unsafe { context.register_buffers(&[]) }, libc::EINVAL, "buffers");
    refused(unsafe { context.register_buffers(&[part(0, 4096)]) }, libc::EFAULT, "buffers");
    refused(unsafe { context.register_buffers(&[part(4096, 4096)]) }, libc::EFAULT, "buffers");
    refused(unsafe { context.register_buffers(&vec![part(4096, 4096); 16_385]) }, libc::EINVAL, "buffers");
    // A good one before a bad one does not stay.
    let mut buffer = AlignedBuf::new(SIZE);
    let mixed = [iovec(&mut buffer), part(0, 4096)];
    refused(unsafe { context.register_buffers(&mixed) }, libc::EFAULT, "buffers");
    refused(context.unregister_buffers(), libc::ENXIO, "none are registered");
}

#[test]
fn a_part_past_4_gib_of_a_buffer_is_not_taken_for_its_beginning() {
    let file = TempFile::new(100);
    let mut buffers = two();
    let mut context = with_buffers(&mut buffers);
    // Lengths are cut to what one transfer may have, which is far outside as well.
    unsafe { context.add_read_fixed(buffers[0].as_mut_ptr(), (4 << 30) + 16, 0, file.file(), 0, 1) }.unwrap();
    assert_eq!(one(&mut context), (1, Err(libc::EFAULT)));
}

/// Kilobytes that this process has pinned.
fn pinned() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPin")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn dropped_contexts_leave_no_memory_pinned() {
    in_child!(|| {
        // What the privileged pin is counted by some kernels only.
        crate::sandbox::give_up_privileges();
        let mut buffers = two();
        let context = with_buffers(&mut buffers);
        require!(pinned() > 0, "this kernel does not count pinned memory");
        drop(context);
        assert_eq!(pinned(), 0);
        // The halves do as the whole.
        let (submitter, completer) = with_buffers(&mut buffers).split().unwrap();
        assert!(pinned() > 0);
        drop((completer, submitter));
        assert_eq!(pinned(), 0);
    });
}

#[test]
fn a_limit_on_pinned_memory_is_named() {
    in_child!(|| {
        tests::limits::set(libc::RLIMIT_MEMLOCK, 64 << 10);
        let refusal = std::thread::spawn(|| {
            crate::sandbox::give_up_privileges();
            let mut large = vec![0; 1 << 20];
            let mut context = context(1);
            unsafe { context.register_buffers(&[iovec(&mut large)]) }
        });
        refused(refusal.join().unwrap(), libc::ENOMEM, "RLIMIT_MEMLOCK");
    });
}
