//! Rings whose requests or completions are polled for.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use tests::files::{self, AlignedBuf, TempFile};
use tests::{in_child, or_skip, require};
use uring::op::poll::PollAdd;
use uring::op::rw::Read;
use uring::{Features, Ring};

use super::common::*;

const IDLE: Duration = Duration::from_millis(10);

#[test]
fn a_wait_for_space_leaves_space() {
    let file = TempFile::new(4096);
    let mut block = vec![0; 4096];
    let mut ring: Ring = built!(Ring::builder(8).sqpoll(IDLE));
    require!(ring.features().contains(Features::SQPOLL_NONFIXED), "Linux 5.11");
    let (mut pushed, mut done) = (0, 0);
    while done < 10_000 {
        while pushed < 10_000 && pushed - done < 64 {
            if ring.space() == 0 {
                ring.wait_for_space().unwrap();
                assert!(ring.space() > 0, "the wait was for that");
            }
            // All of them to one place; what lies there is looked at when all are done.
            let read = unsafe { Read::new(file.file(), block.as_mut_ptr(), 4096, 0) };
            push(&mut ring, read);
            ring.submit().unwrap();
            pushed += 1;
        }
        done += ring.wait(1).unwrap().inspect(|cqe| assert_eq!(cqe.result().unwrap(), 4096)).count();
    }
    files::check(&block, 0);
}

#[test]
fn a_polled_ring_that_polls_itself_can_be_dropped() {
    in_child!(|| {
        let mut ring: Ring = built!(Ring::builder(2).sqpoll(IDLE));
        require!(ring.features().contains(Features::SQPOLL_NONFIXED), "Linux 5.11");
        let own = ring.as_fd().try_clone_to_owned().unwrap();
        push(&mut ring, unsafe { PollAdd::new(&own, libc::EPOLLIN as u32) });
        ring.submit().unwrap();
        std::thread::sleep(2 * IDLE);
        drop(own);
        let begin = Instant::now();
        ring.close().unwrap();
        assert!(begin.elapsed() < LONG / 2, "it did not wait in vain");
    });
}

#[test]
fn a_process_that_ends_with_a_polled_ring_that_polls_itself_ends() {
    in_child!(|| {
        let mut ring: Ring = built!(Ring::builder(2).sqpoll(IDLE));
        let own = ring.as_fd().try_clone_to_owned().unwrap();
        push(&mut ring, unsafe { PollAdd::new(&own, libc::EPOLLIN as u32) });
        ring.submit().unwrap();
        std::mem::forget((own, ring));
    });
}

/// Reads every block of a file through a ring whose completions are polled for.
fn read_polled(ring: &mut Ring, rounds: usize) -> Result<(), String> {
    const BLOCKS: usize = 32;
    let file = TempFile::new(BLOCKS * 4096);
    let direct = file.direct()?;
    let mut blocks: Vec<_> = (0..rounds * BLOCKS).map(|_| AlignedBuf::new(4096)).collect();
    for (nr, block) in blocks.iter_mut().enumerate() {
        let offset = (nr % BLOCKS) as u64 * 4096;
        let read = unsafe { Read::new(&direct, block.as_mut_ptr(), 4096, offset) };
        push(ring, read.user_data(nr as u64));
        if ring.space() == 0 {
            ring.submit().unwrap();
        }
    }
    let mut seen = vec![0; blocks.len()];
    while seen.iter().sum::<usize>() < blocks.len() {
        for cqe in ring.wait(1).unwrap() {
            let nr = cqe.user_data() as usize;
            seen[nr] += 1;
            match taken(&cqe).1 {
                Ok(4096) => files::check(&blocks[nr], (nr % BLOCKS) as u64 * 4096),
                // A device or file system without polling.
                Err(libc::EOPNOTSUPP) => {}
                other => panic!("request {nr}: {other:?}"),
            }
        }
    }
    assert!(seen.iter().all(|times| *times == 1));
    Ok(())
}

#[test]
fn polled_reads_come_or_are_refused_by_what_cannot_be_polled() {
    let mut ring: Ring = built!(Ring::builder(32).iopoll());
    or_skip!(read_polled(&mut ring, 1));
    // What goes through the page cache is not polled for.
    let file = TempFile::new(4096);
    let mut block = [0; 4096];
    let mut ring: Ring = built!(Ring::builder(32).iopoll());
    read(&mut ring, &mut block, file.file(), 1);
    assert_eq!(take(&mut ring, 1), [(1, Err(libc::EOPNOTSUPP))]);
    // Nor are pipes.
    let (reader, _writer) = pipe();
    read(&mut ring, &mut block, &reader, 2);
    assert_eq!(take(&mut ring, 1), [(2, Err(libc::EOPNOTSUPP))]);
}

#[test]
fn polled_reads_that_overflow_the_queue_all_come() {
    let mut ring: Ring = built!(Ring::builder(64).cq_entries(64).iopoll());
    or_skip!(read_polled(&mut ring, 8));
}
