//! Reads and writes in all their forms, positions, durability, space.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::os::fd::AsFd;
use std::time::Duration;

use tests::files::{self, AlignedBuf, TempFile};
use tests::{in_child, limits, or_skip};
use uring::op::file::Fallocate;
use uring::op::rw::{Read, ReadFixed, Readv, Write, WriteFixed, Writev};
use uring::op::sync::Fsync;
use uring::{Fixed, Ring, Sqe, SqeFlags, Target};

use super::common::*;

const BLOCK: usize = 4096;
const BLOCKS: usize = 32;
const NO: SqeFlags = SqeFlags::from_bits_retain(0);

/// How a transfer names its memory.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Vectored,
    Registered,
}

fn transfer(write: bool, form: Form, target: impl Target, iovec: &libc::iovec, offset: u64) -> Sqe {
    let (ptr, len) = (iovec.iov_base.cast::<u8>(), iovec.iov_len);
    unsafe {
        match (write, form) {
            (false, Form::Plain) => Read::new(target, ptr, len, offset).into(),
            (true, Form::Plain) => Write::new(target, ptr, len, offset).into(),
            (false, Form::Vectored) => Readv::new(target, iovec, 1, offset).into(),
            (true, Form::Vectored) => Writev::new(target, iovec, 1, offset).into(),
            (false, Form::Registered) => ReadFixed::new(target, ptr, len, 0, offset).into(),
            (true, Form::Registered) => WriteFixed::new(target, ptr, len, 0, offset).into(),
        }
    }
}

/// Writes a file block by block and reads it again.
fn there_and_back(ring: &mut Ring, file: &File, form: Form, flags: SqeFlags, registered: bool) {
    let mut memory = AlignedBuf::filled(BLOCKS * BLOCK, 0);
    let all = iovec(&mut memory);
    unsafe { ring.registrar().register_buffers(&[all]) }.unwrap();
    if registered {
        ring.registrar().register_files(&[file.as_fd().into()]).unwrap();
    }
    let start = memory.as_mut_ptr();
    let iovecs: Vec<_> = (0..BLOCKS)
        .map(|nr| libc::iovec { iov_base: unsafe { start.add(nr * BLOCK) }.cast(), iov_len: BLOCK })
        .collect();
    for write in [true, false] {
        // From the last block to the first.
        for nr in (0..BLOCKS).rev() {
            let offset = (nr * BLOCK) as u64;
            let request = match registered {
                true => transfer(write, form, Fixed(0), &iovecs[nr], offset),
                false => transfer(write, form, file, &iovecs[nr], offset),
            };
            if ring.space() == 0 {
                // A polling thread gives places back after what it took from them may have completed.
                ring.wait_for_space().unwrap();
            }
            push(ring, request.with_user_data(nr as u64).with_flags(flags));
        }
        let expected: Vec<_> = (0..BLOCKS as u64).map(|nr| (nr, Ok(BLOCK as u32))).collect();
        assert_eq!(take_sorted(ring, BLOCKS), expected, "{form:?} {flags:?} write {write}");
        if write {
            unsafe { start.write_bytes(0, BLOCKS * BLOCK) };
        }
    }
    files::check(&memory, 0);
    if registered {
        ring.registrar().unregister_files().unwrap();
    }
    ring.registrar().unregister_buffers().unwrap();
}

fn every_form(file: impl Fn(&TempFile) -> Result<File, String>) -> Result<(), String> {
    let idle = Duration::from_millis(20);
    for polled in [false, true] {
        let builder = Ring::<Sqe>::builder(BLOCKS);
        let mut ring = if polled { builder.sqpoll(idle) } else { builder }.build().unwrap();
        for form in [Form::Plain, Form::Vectored, Form::Registered] {
            for flags in [NO, SqeFlags::ASYNC] {
                // Before 5.11 such a thread takes registered files only.
                for registered in [true, false] {
                    if polled && !registered && !ring.features().contains(uring::Features::SQPOLL_NONFIXED) {
                        continue;
                    }
                    let empty = TempFile::new(0);
                    there_and_back(&mut ring, &file(&empty)?, form, flags, registered);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn blocks_of_a_file_go_there_and_back_in_every_form() {
    every_form(|temp| Ok(temp.open(libc::O_RDWR))).unwrap();
}

#[test]
fn blocks_of_a_file_go_there_and_back_directly_in_every_form() {
    or_skip!(every_form(TempFile::direct));
}

#[test]
fn a_file_read_in_pieces_of_all_sizes_is_the_file() {
    const LEN: usize = 300_000;
    let file = TempFile::new(LEN);
    let mut ring = ring(64);
    for direct in [false, true] {
        let opened = if direct { or_skip!(file.direct()) } else { file.open(libc::O_RDONLY) };
        // Pieces of 1 to 8 blocks, or of a size that fits nothing, from a place that jumps about.
        let unit = if direct { BLOCK } else { 1231 };
        let mut pieces: Vec<_> = (0..200)
            .map(|nth| (nth * 7919 % (LEN / unit) * unit, AlignedBuf::new((1 + nth % 8) * unit)))
            .collect();
        for batch in pieces.chunks_mut(50) {
            for (nth, (offset, piece)) in batch.iter_mut().enumerate() {
                let read = unsafe { Read::new(&opened, piece.as_mut_ptr(), piece.len(), *offset as u64) };
                push(&mut ring, read.user_data(nth as u64));
            }
            for (nth, result) in take_sorted(&mut ring, batch.len()) {
                let (offset, piece) = &batch[nth as usize];
                let len = piece.len().min(LEN - offset);
                assert_eq!(result, Ok(len as u32), "{} bytes at {offset}", piece.len());
                files::check(&piece[..len], *offset as u64);
            }
        }
    }
}

#[test]
fn reads_at_the_position_of_a_file_go_on_where_the_last_one_ended() {
    const LEN: usize = 5000;
    let temp = TempFile::new(LEN);
    for flags in [NO, SqeFlags::ASYNC] {
        for len in [7, 1] {
            let mut file = temp.open(libc::O_RDONLY);
            let mut ring = ring(1024);
            let mut bytes = vec![0; LEN + 1024 * len];
            let mut at = 0;
            'file: loop {
                for (nth, piece) in bytes[at..at + 1024 * len].chunks_mut(len).enumerate() {
                    let read = unsafe { Read::new(&file, piece.as_mut_ptr(), len, u64::MAX) };
                    let link = if nth == 1023 { NO } else { SqeFlags::IO_LINK };
                    push(&mut ring, read.user_data(nth as u64).flags(flags | link));
                }
                for (_, result) in take(&mut ring, 1024) {
                    match result {
                        Ok(0) => break 'file,
                        Ok(read) => at += read as usize,
                        // Behind a short one.
                        Err(errno) => assert_eq!(errno, libc::ECANCELED),
                    }
                }
                assert_eq!(file.stream_position().unwrap(), at as u64);
                if at == LEN {
                    break;
                }
            }
            assert_eq!((at, file.stream_position().unwrap()), (LEN, LEN as u64));
            files::check(&bytes[..LEN], 0);
        }
    }
}

#[test]
fn writes_at_the_position_of_a_file_lie_one_behind_the_other() {
    let data = files::content(0, 1000);
    for flags in [NO, SqeFlags::ASYNC] {
        let temp = TempFile::empty();
        let mut file = temp.open(libc::O_RDWR);
        let mut ring = ring(1024);
        for (nth, piece) in data.chunks(1).enumerate() {
            let write = unsafe { Write::new(&file, piece.as_ptr(), 1, u64::MAX) };
            let link = if nth == 999 { NO } else { SqeFlags::IO_LINK };
            push(&mut ring, write.flags(flags | link));
        }
        assert!(take(&mut ring, 1000).iter().all(|(_, result)| *result == Ok(1)));
        assert_eq!(file.stream_position().unwrap(), 1000);
        file.seek(SeekFrom::Start(0)).unwrap();
        assert_eq!(files::pread(&file, 0, 1000), data);
    }
}

#[test]
fn a_drained_fsync_comes_after_the_writes_before_it() {
    let data = files::content(0, 4 * BLOCK);
    let temp = TempFile::empty();
    let mut ring = ring(8);
    for round in 0..10 {
        for (nr, block) in data.chunks(BLOCK).enumerate() {
            let write = unsafe { Write::new(temp.file(), block.as_ptr(), BLOCK, (nr * BLOCK) as u64) };
            let flags = if round % 2 == 0 { SqeFlags::ASYNC } else { NO };
            push(&mut ring, write.user_data(nr as u64).flags(flags));
        }
        let fsync = unsafe { Fsync::new(temp.file()) };
        push(&mut ring, fsync.user_data(4).flags(SqeFlags::IO_DRAIN));
        let taken = take(&mut ring, 5);
        assert_eq!(taken[4], (4, Ok(0)), "{taken:?}");
        assert!(taken[..4].iter().all(|(_, result)| *result == Ok(BLOCK as u32)), "{taken:?}");
    }
    files::check(&files::pread(temp.file(), 0, 4 * BLOCK), 0);
}

#[test]
fn space_beyond_the_limit_of_file_sizes_is_refused() {
    in_child!(|| {
        limits::ignore(libc::SIGXFSZ);
        limits::set(libc::RLIMIT_FSIZE, 64 * 1024);
        let temp = TempFile::empty();
        let mut ring = ring(4);
        push(&mut ring, unsafe { Fallocate::new(temp.file(), 0, 0, 128 * 1024) });
        assert_eq!(take(&mut ring, 1), [(0, Err(libc::EFBIG))]);
        push(&mut ring, unsafe { Fallocate::new(temp.file(), 0, 0, 64 * 1024) });
        assert_eq!(take(&mut ring, 1), [(0, Ok(0))]);
        assert_eq!(temp.file().metadata().unwrap().len(), 64 * 1024);
    });
}

#[test]
fn an_fsync_in_a_chain_follows_the_space_that_was_allocated() {
    let temp = TempFile::empty();
    let mut ring = ring(4);
    let allocate = unsafe { Fallocate::new(temp.file(), 0, 0, 128 * 1024) };
    push(&mut ring, allocate.user_data(1).flags(SqeFlags::IO_LINK));
    push(&mut ring, unsafe { Fsync::new(temp.file()) }.user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, Ok(0)), (2, Ok(0))]);
    assert_eq!(temp.file().metadata().unwrap().len(), 128 * 1024);
}
