//! Buffers of every kind go in and come back.

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use engine::operation::{Operations, Read, ReadVectored, Write};
use engine::{AlignedBuf, Engine, Error, IoBuf, IoBufMut, Options, PooledBuf};
use tests::files::{self, TempFile};
use tests::or_skip;

use crate::common::*;

/// Reads 100 bytes at 7 into a buffer, writes them at 2000, and gives the buffer back.
#[track_caller]
fn round_trip<B: IoBufMut>(case: &Case, buffer: B) -> B {
    let file = TempFile::new(4096);
    let room = buffer.bytes_total();
    let mut engine: Engine<Operations<Arc<File>, B>> = case.engine(2);
    let done = run(&mut engine, Read::new(shared(&file), buffer, 7));
    assert_eq!((plain(done.result), done.transferred), (Ok(room), room));
    let buffer = done.operation.into_buffer().unwrap();
    assert_eq!(buffer.bytes_init(), room);
    let done = run(&mut engine, Write::new(shared(&file), buffer, 2000));
    assert_eq!(plain(done.result), Ok(room));
    files::check(&files::pread(file.file(), 2000, room), 7);
    done.operation.into_buffer().unwrap()
}

fn the_usual_buffers(case: &Case) {
    files::check(&round_trip(case, Vec::with_capacity(100)), 7);
    files::check(&round_trip(case, vec![0xee; 100]), 7);
    files::check(&round_trip(case, vec![0; 100].into_boxed_slice()), 7);
    files::check(&round_trip(case, AlignedBuf::new(100)), 7);
    files::check(&round_trip(case, BytesMut::with_capacity(100)), 7);
    let part = round_trip(case, vec![0xee; 300].slice(100..200)).into_inner();
    assert_eq!((&part[..100], &part[200..]), (&[0xee; 100][..], &[0xee; 100][..]));
    files::check(&part[100..200], 7);
    let mut grown = Vec::with_capacity(100);
    grown.extend([0xee; 40]);
    let grown = round_trip(case, grown.slice(40..100)).into_inner();
    assert_eq!((grown.len(), &grown[..40]), (100, &[0xee; 40][..]));
    files::check(&grown[40..], 7);
}

fn buffers_that_are_only_written_from(case: &Case) {
    fn write<B: IoBuf>(case: &Case, buffer: B, expected: &[u8]) {
        let file = TempFile::empty();
        let mut engine: Engine<Write<Arc<File>, B>> = case.engine(1);
        assert_eq!(result(&mut engine, Write::new(shared(&file), buffer, 3)), Ok(expected.len()));
        assert_eq!(files::pread(file.file(), 3, 100), expected);
    }
    static SHARED: [u8; 5] = *b"01234";
    write(case, &SHARED[..], b"01234");
    write(case, "text", b"text");
    write(case, String::from("owned"), b"owned");
    write(case, Arc::<[u8]>::from(&b"counted"[..]), b"counted");
    write(case, Bytes::from_static(b"bytes").slice(1..4), b"yte");
    write(case, b"0123456789"[..].to_vec().slice(2..5), b"234");
}

/// Memory that no allocator of Rust's knows: a guest's, as a hypervisor has it.
struct GuestMemory {
    start: NonNull<u8>,
    len: usize,
}

unsafe impl Send for GuestMemory {}

impl GuestMemory {
    fn new(len: usize) -> Self {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
        Self { start: NonNull::new(start.cast()).unwrap(), len }
    }

    fn byte(&self, at: usize) -> u8 {
        unsafe { self.start.as_ptr().add(at).read_volatile() }
    }
}

impl Drop for GuestMemory {
    fn drop(&mut self) {
        assert_eq!(unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) }, 0);
    }
}

// The mapping stays where it is until it is dropped, and no reference points to it.
unsafe impl IoBuf for GuestMemory {
    fn stable_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len
    }
}

unsafe impl IoBufMut for GuestMemory {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.len
    }

    unsafe fn set_init(&mut self, _count: usize) {}
}

fn memory_of_the_users_own(case: &Case) {
    let memory = round_trip(case, GuestMemory::new(1000));
    for at in 0..1000 {
        assert_eq!(memory.byte(at), files::byte_at(7 + at as u64));
    }
}

fn pools_are_registered_with_a_ring_and_good_everywhere(case: &Case) {
    let file = TempFile::new(65536);
    let direct = Arc::new(or_skip!(file.direct()));
    let mut engine: Engine<Operations<Arc<File>, PooledBuf>> = case.engine(4);
    let mut other = case.engine(4);
    let pool = engine.buffer_pool(4, 4096);
    assert_eq!(pool.is_registered(), case.is_uring());
    assert!(!engine.buffer_pool(1, 4096).is_registered(), "a ring has one table");
    for engine in [&mut engine, &mut other] {
        for file in [direct.clone(), shared(&file)] {
            let buffer = pool.take().unwrap();
            let done = run(engine, Read::new(file.clone(), buffer, 4096));
            assert_eq!(plain(done.result), Ok(4096));
            let buffer = done.operation.into_buffer().unwrap();
            files::check(&buffer, 4096);
            assert_eq!(result(engine, Write::new(file, buffer, 8192)), Ok(4096));
        }
    }
    drop(engine);
    // The memory outlives the ring that it was registered with.
    let done = run(&mut other, Read::new(direct.clone(), pool.take().unwrap(), 8192));
    files::check(&done.operation.into_buffer().unwrap(), 4096);
    assert_eq!(pool.available(), 4);
}

fn parts_of_registered_buffers_are_read_where_they_are(case: &Case) {
    let file = TempFile::new(4096);
    let mut engine: Engine<Read<Arc<File>, engine::Slice<PooledBuf>>> = case.engine(4);
    let pool = engine.buffer_pool(2, 4096);
    let mut buffer = pool.take().unwrap();
    buffer.fill(0xee);
    let done = run(&mut engine, Read::new(shared(&file), buffer.slice(100..300), 50));
    assert_eq!(plain(done.result), Ok(200));
    let whole = done.operation.buffer.into_inner();
    files::check(&whole[100..300], 50);
    assert!(whole[..100].iter().chain(&whole[300..]).all(|&byte| byte == 0xee));
}

fn buffer_and_file_come_back_with_an_error(case: &Case) {
    let file = TempFile::new(100);
    let read_only = Arc::new(File::open(file.path()).unwrap());
    let mut engine: Engine<Operations<Arc<File>, Vec<u8>>> = case.engine(1);
    let done = run(&mut engine, Write::new(read_only.clone(), vec![7; 10], 0));
    assert_eq!((plain(done.result), done.transferred), (Err(libc::EBADF), 0));
    assert_eq!(done.operation.into_buffer().unwrap(), [7; 10]);
    let write_only = Arc::new(File::options().write(true).open(file.path()).unwrap());
    let done = run(&mut engine, Read::new(write_only, vec![7; 10], 0));
    assert_eq!(plain(done.result), Err(libc::EBADF));
    // Nothing was read, so nothing is in it; the memory is the same.
    let buffer = done.operation.into_buffer().unwrap();
    assert_eq!((buffer.len(), buffer.capacity()), (0, 10));
    let directory = Arc::new(File::open(std::env::temp_dir()).unwrap());
    let outcome = result(&mut engine, Read::new(directory, vec![7; 10], 0));
    assert!(matches!(outcome, Err(libc::EISDIR | libc::EINVAL)), "{outcome:?}");
    assert_eq!(Arc::strong_count(&read_only), 1);
}

fn a_full_engine_gives_the_operation_back(case: &Case) {
    let file = shared(&TempFile::new(100));
    let mut engine: Engine<Read<Arc<File>, Vec<u8>>> = case.engine(2);
    for _ in 0..2 {
        engine.add(Read::new(file.clone(), vec![0; 10], 0)).unwrap();
    }
    let rejected = engine.add(Read::new(file.clone(), vec![7; 33], 5)).unwrap_err();
    assert!(matches!(rejected.error, Error::Full), "{rejected:?}");
    assert!(rejected.to_string().contains("take completions"));
    assert_eq!((rejected.operation.buffer.clone(), rejected.operation.offset), (vec![7; 33], 5));
    assert_eq!(io::Error::from(rejected).kind(), io::ErrorKind::WouldBlock);
    assert_eq!(engine.wait_nr(2).unwrap().count(), 2);
    assert_eq!(Arc::strong_count(&file), 1);
}

fn vectors_end_where_the_file_does(case: &Case) {
    let file = TempFile::new(1000);
    let mut engine: Engine<ReadVectored<Arc<File>, Vec<u8>>> = case.engine(1);
    let buffers = [100, 0, 1, 500, 200].map(|len| vec![0xee; len]).to_vec();
    let done = run(&mut engine, ReadVectored::new(shared(&file), buffers, 600));
    assert_eq!(plain(done.result), Ok(400));
    let (_, buffers, offset) = done.operation.into_parts();
    assert_eq!((offset, buffers.iter().map(Vec::len).collect::<Vec<_>>()), (600, vec![100, 0, 1, 299, 0]));
    files::check(&buffers.concat(), 600);
}

#[test]
fn a_pool_of_an_engine_may_be_used_before_and_after_it() {
    let mut engine = Options::new(1).build::<Read<Arc<File>, PooledBuf>>().unwrap();
    let pool = engine.buffer_pool(1, 1);
    let kept = pool.take().unwrap();
    drop((engine, pool));
    assert_eq!(kept.len(), 4096);
}

on_each!(
    the_usual_buffers,
    buffers_that_are_only_written_from,
    memory_of_the_users_own,
    pools_are_registered_with_a_ring_and_good_everywhere,
    parts_of_registered_buffers_are_read_where_they_are,
    buffer_and_file_come_back_with_an_error,
    a_full_engine_gives_the_operation_back,
    vectors_end_where_the_file_does,
);
