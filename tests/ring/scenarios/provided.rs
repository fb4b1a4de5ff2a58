//! Rings of provided buffers.

use std::fs::File;

use tests::files::{self, TempFile};
use tests::kernel::is_at_least;
use tests::{or_skip, require};
use uring::op::rw::ReadSelect;
use uring::ring::BufRingOptions;
use uring::{Cqe, Ring, SqeFlags};
use uring_sys::{IORING_REGISTER_PBUF_RING, IORING_UNREGISTER_PBUF_RING, io_uring_buf_reg};

use super::common::*;

const PAGE: usize = 4096;
const GROUP: u16 = 127;

/// Reads one byte at each offset, to a buffer of its own.
fn read_bytes(ring: &mut Ring, file: &File, offsets: std::ops::Range<u64>) -> Vec<Cqe> {
    for offset in offsets.clone() {
        push(ring, unsafe { ReadSelect::new(file, GROUP, 1, offset) }.user_data(offset));
    }
    ring.wait(offsets.count()).unwrap().collect()
}

/// Uses up all buffers of a group, twice: each one once, and then there is none.
fn each_buffer_once(options: impl Fn(usize) -> BufRingOptions) {
    const BATCH: u64 = 64;
    let file = TempFile::new(1 << 15);
    for entries in [1, 4096, 1 << 15] {
        let mut ring = ring(BATCH as usize);
        // Buffers of one byte: what a read writes past its own lies in that of another.
        let buffers = ring.registrar().register_buf_ring(GROUP, &options(entries)).unwrap();
        for round in 0..2 {
            let mut held = Vec::new();
            for first in (0..entries as u64).step_by(BATCH as usize) {
                let offsets = first..(first + BATCH).min(entries as u64);
                for cqe in read_bytes(&mut ring, file.file(), offsets) {
                    assert_eq!(cqe.result().unwrap(), 1, "{entries} buffers, round {round}");
                    held.push((cqe.user_data(), unsafe { buffers.take(&cqe) }.expect("a buffer")));
                }
            }
            let none = read_bytes(&mut ring, file.file(), 0..1);
            assert_eq!(taken(&none[0]), (0, Err(libc::ENOBUFS)), "{entries} buffers, round {round}");
            let mut used = vec![false; entries];
            for (offset, buffer) in &held {
                assert!(!std::mem::replace(&mut used[usize::from(buffer.id())], true), "{}", buffer.id());
                assert_eq!(buffer[..], [files::byte_at(*offset)]);
            }
        }
    }
}

#[test]
fn groups_of_one_buffer_and_of_as_many_as_can_be_are_used_up_and_filled_again() {
    require!(is_at_least(5, 19), "Linux 5.19");
    each_buffer_once(|entries| BufRingOptions::new(entries, 1));
}

#[test]
fn groups_in_memory_of_the_kernels_are_used_up_and_filled_again() {
    require!(is_at_least(6, 4), "Linux 6.4");
    each_buffer_once(|entries| BufRingOptions::new(entries, 1).kernel_memory());
}

/// The crate's own ring of buffers lies in memory that it has made, so this goes past it.
#[test]
fn a_ring_of_buffers_may_fill_its_page_and_lies_nowhere_else() {
    require!(is_at_least(5, 19), "Linux 5.19");
    let pages = Pages::new(2 * PAGE);
    assert_eq!(unsafe { libc::mprotect(pages.start().add(PAGE).cast(), PAGE, libc::PROT_NONE) }, 0);
    let full_page = pages.start().expose_provenance() as u64;
    let full = u32::try_from(PAGE / 16).unwrap();
    let ring = ring(1);
    for bgid in [1, GROUP] {
        let group = |ring_addr, ring_entries| io_uring_buf_reg {
            ring_addr,
            ring_entries,
            bgid,
            ..Default::default()
        };
        let tell = |opcode, mut group: io_uring_buf_reg| register(&ring, opcode, &raw mut group, 1);
        // Below what a process may map at all.
        assert_eq!(tell(IORING_REGISTER_PBUF_RING, group(4096, 32)), Err(libc::EFAULT));
        assert_eq!(tell(IORING_REGISTER_PBUF_RING, group(full_page, full)), Ok(0));
        assert_eq!(tell(IORING_UNREGISTER_PBUF_RING, group(0, 0)), Ok(0));
        assert_eq!(tell(IORING_REGISTER_PBUF_RING, group(full_page, 2 * full)), Err(libc::EFAULT));
    }
}

#[test]
fn reads_of_a_file_tell_which_buffer_has_which_block() {
    const BLOCKS: usize = 64;
    require!(is_at_least(5, 19), "Linux 5.19");
    let file = TempFile::new(BLOCKS * PAGE);
    for direct in [true, false] {
        let file = if direct { or_skip!(file.direct()) } else { file.open(libc::O_RDONLY) };
        for by_workers in [false, true] {
            let mut ring = ring(BLOCKS);
            // More than are used.
            let options = BufRingOptions::new(2 * BLOCKS, PAGE);
            let buffers = ring.registrar().register_buf_ring(GROUP, &options).unwrap();
            for nr in 0..BLOCKS as u64 {
                let read = unsafe { ReadSelect::new(&file, GROUP, PAGE, nr * PAGE as u64) };
                let by_worker = by_workers && nr % 2 == 0;
                let flags = if by_worker { SqeFlags::ASYNC } else { SqeFlags::default() };
                push(&mut ring, read.user_data(nr).flags(flags));
            }
            let mut seen = [0; BLOCKS];
            for cqe in ring.wait(BLOCKS).unwrap() {
                assert_eq!(cqe.result().unwrap() as usize, PAGE, "{}", cqe.user_data());
                let buffer = unsafe { buffers.take(&cqe) }.expect("a buffer");
                files::check(&buffer, cqe.user_data() * PAGE as u64);
                assert_eq!(buffer.len(), PAGE);
                seen[cqe.user_data() as usize] += 1;
            }
            assert_eq!(seen, [1; BLOCKS]);
        }
    }
}
