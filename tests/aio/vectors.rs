//! Vectored operations: contents, offsets, limits, and what becomes of the arrays.

use tests::files::{self, AlignedBuf, TempFile};
use tests::or_skip;

use crate::common::*;

#[test]
fn a_vectored_read_fills_its_parts_in_order() {
    let file = TempFile::new(10_000);
    let mut parts = [vec![0; 1], vec![0; 4096], vec![0; 17], vec![0; 300]];
    for mut context in both_ways(2) {
        let vectors: Vec<_> = parts.iter_mut().map(|part| iovec(part)).collect();
        let _ = unsafe { context.add_readv(vectors, file.file(), 33, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Ok(4414)));
        let mut offset = 33;
        for part in &mut parts {
            files::check(part, offset);
            offset += part.len() as u64;
            part.fill(0);
        }
    }
}

#[test]
fn a_vectored_write_writes_its_parts_in_order() {
    let file = TempFile::empty();
    let mut data = files::content(0, 5000);
    for mut context in both_ways(2) {
        file.file().set_len(0).unwrap();
        let (first, rest) = data.split_at_mut(7);
        let (second, third) = rest.split_at_mut(4000);
        let vectors = vec![iovec(first), iovec(second), iovec(third)];
        let _ = unsafe { context.add_writev(vectors, file.file(), 0, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Ok(5000)));
        files::check(&files::pread(file.file(), 0, 6000), 0);
    }
}

#[test]
fn the_iter_forms_do_the_same() {
    let file = TempFile::new(8192);
    let mut out = files::content(100_000, 600);
    let mut back = [[0; 200]; 3];
    for mut context in both_ways(2) {
        let _ =
            unsafe { context.add_writev_iter(out.chunks_mut(100).map(iovec), file.file(), 5, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Ok(600)));
        let parts = back.iter_mut().map(|part| iovec(part));
        let _ = unsafe { context.add_readv_iter(parts, file.file(), 5, 2) }.unwrap();
        assert_eq!(one(&mut context), (2, Ok(600)));
        files::check(back.as_flattened(), 100_000);
    }
}

#[test]
fn iovecs_are_not_looked_up_by_user_data() {
    // Several vectored operations with one user data, queued together, each keeps its own array.
    let file = TempFile::new(8192);
    let mut parts = vec![[0; 16]; 64];
    for mut context in both_ways(16) {
        for (nr, four) in (0..).zip(parts.chunks_mut(4)) {
            let vectors: Vec<_> = four.iter_mut().map(|part| iovec(part)).collect();
            let _ = unsafe { context.add_readv(vectors, file.file(), nr * 64, 7) }.unwrap();
        }
        assert_eq!(all(&mut context), [(7, Ok(64)); 16]);
        files::check(parts.as_flattened(), 0);
        parts.as_flattened_mut().fill(0);
    }
}

#[test]
fn the_array_of_an_iterator_may_end_before_submit() {
    let file = TempFile::new(4096);
    let mut buffer = [0; 64];
    let mut context = context(4);
    {
        let short_lived: Box<[libc::iovec]> = buffer.chunks_mut(16).map(iovec).collect();
        let _ = unsafe { context.add_readv_iter(short_lived.iter().copied(), file.file(), 0, 1) }.unwrap();
    }
    // What the allocator hands out now may be where the array was.
    let noise: Vec<_> = (0..64).map(|_| vec![0xff_u8; 64].into_boxed_slice()).collect();
    assert_eq!(one(&mut context), (1, Ok(64)));
    files::check(&buffer, 0);
    drop(noise);
}

#[test]
fn no_vectors_transfer_nothing() {
    let file = TempFile::new(100);
    for mut context in both_ways(4) {
        let _ = unsafe { context.add_readv(Vec::new(), file.file(), 0, 1) }.unwrap();
        let _ = unsafe { context.add_writev(Vec::new(), file.file(), 0, 2) }.unwrap();
        let _ = unsafe { context.add_readv_iter([], file.file(), 0, 3) }.unwrap();
        let _ = unsafe { context.add_writev_iter([], file.file(), 0, 4) }.unwrap();
        assert_eq!(all(&mut context), [1, 2, 3, 4].map(|nr| (nr, Ok(0))));
    }
}

#[test]
fn as_many_vectors_as_the_kernel_takes_and_one_more() {
    let file = TempFile::new(4096);
    let mut bytes = vec![0; 1025];
    for mut context in both_ways(4) {
        let vectors = |bytes: &mut [u8]| bytes.chunks_mut(1).map(iovec).collect::<Vec<_>>();
        let _ = unsafe { context.add_readv(vectors(&mut bytes[..1024]), file.file(), 0, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Ok(1024)));
        files::check(&bytes[..1024], 0);
        let mut other = [0; 8];
        let _ = unsafe { context.add_readv(vectors(&mut bytes), file.file(), 0, 2) }.unwrap();
        read(&mut context, &mut other, file.file(), 0, 3);
        assert_eq!(all(&mut context), [(2, Err(libc::EINVAL)), (3, Ok(8))]);
        let _ = unsafe { context.add_writev_iter(vectors(&mut bytes), file.file(), 0, 4) }.unwrap();
        assert_eq!(one(&mut context), (4, Err(libc::EINVAL)));
    }
}

#[test]
fn a_bad_pointer_within_the_vectors_is_efault_or_short() {
    let file = TempFile::new(4096);
    let mut buffer = [0; 16];
    for mut context in both_ways(4) {
        let bad = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 16 };
        let _ = unsafe { context.add_readv(vec![bad, iovec(&mut buffer)], file.file(), 0, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Err(libc::EFAULT)));
        let _ = unsafe { context.add_readv(vec![iovec(&mut buffer), bad], file.file(), 0, 2) }.unwrap();
        let (_, result) = one(&mut context);
        assert!(matches!(result, Ok(..=16) | Err(libc::EFAULT)), "{result:?}");
    }
}

#[test]
fn vectors_of_more_than_two_gibibytes_together_are_a_short_transfer() {
    let null = dev_null();
    let len = 1_usize << 30;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let start = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    let part = libc::iovec { iov_base: start, iov_len: len };
    let mut context = context(2);
    let _ = unsafe { context.add_writev(vec![part; 3], &null, 0, 1) }.unwrap();
    assert_eq!(one(&mut context), (1, Ok(0x7fff_f000)));
    unsafe { libc::munmap(start, len) };
}

#[test]
fn vectored_direct_io_in_flight_has_its_array_as_long_as_needed() {
    let file = TempFile::new(1 << 20);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..16).map(|_| AlignedBuf::new(65536)).collect();
    for mut context in both_ways(16) {
        for (nr, buffer) in (0..).zip(&mut buffers) {
            let parts = buffer.chunks_mut(4096).map(iovec);
            let _ = unsafe { context.add_readv_iter(parts, &direct, nr * 65536, nr) }.unwrap();
        }
        assert_eq!(context.submit().unwrap(), 16);
        // The slots are busy, their arrays may not be; new ones must not disturb what is in flight.
        let results = all(&mut context);
        assert_eq!(results, (0..16).map(|nr| (nr, Ok(65536))).collect::<Vec<_>>());
        for (nr, buffer) in (0..).zip(&mut buffers) {
            files::check(buffer, nr * 65536);
            buffer.fill(0);
        }
    }
}

#[test]
fn arrays_of_changing_length_reuse_their_slot() {
    let file = TempFile::new(65536);
    let mut bytes = vec![0; 1024];
    let mut context = context(1);
    for count in [1, 2, 500, 3, 1024, 1, 0, 64] {
        let _ = unsafe { context.add_readv_iter(bytes[..count].chunks_mut(1).map(iovec), file.file(), 9, 1) }
            .unwrap();
        assert_eq!(one(&mut context), (1, Ok(count as u32)));
        files::check(&bytes[..count], 9);
        bytes.fill(0);
    }
}
