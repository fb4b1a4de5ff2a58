//! Rule 4: completions are read from the mapped ring without a system call, or with one where that is forced.

use tests::files::{self, TempFile};
use tests::seccomp::{self, Verdict};
use tests::{in_child, or_skip};

use crate::common::*;

/// `libc` has this number on some architectures only; all but x86-64 take it from the common table.
const SYS_IO_PGETEVENTS: libc::c_long = if cfg!(target_arch = "x86_64") { 333 } else { 292 };
const REAPING: [libc::c_long; 2] = [libc::SYS_io_getevents, SYS_IO_PGETEVENTS];

#[test]
fn taking_what_is_complete_makes_no_system_call() {
    in_child!(|| {
        let file = TempFile::new(4096);
        let mut buffers = [[0; 64]; 8];
        let mut context = context(8);
        // Whatever would ask the kernel for events fails from now on.
        or_skip!(seccomp::fail(&REAPING.map(|call| (call, libc::ENOSYS))));
        for round in 0..200 {
            for (nr, buffer) in (0..).zip(&mut buffers) {
                buffer.fill(0);
                read(&mut context, buffer, file.file(), nr * 64, round);
            }
            // A buffered read from the page cache is complete when `submit` is.
            assert_eq!(context.submit().unwrap(), 8);
            assert_eq!(taken(context.completions().unwrap()), [(round, Ok(64)); 8]);
            for (nr, buffer) in (0..).zip(&buffers) {
                files::check(buffer, nr * 64);
            }
        }
    });
}

#[test]
fn a_cached_read_costs_one_system_call() {
    let file = TempFile::new(4096);
    let mut buffer = [0; 64];
    let mut context = context(1);
    for round in 0..100 {
        let before = context.stats().enters;
        read(&mut context, &mut buffer, file.file(), 0, round);
        assert_eq!(one(&mut context), (round, Ok(64)));
        assert_eq!(context.stats().enters - before, 1, "one io_submit and nothing else");
    }
}

#[test]
fn a_context_that_is_forced_to_asks_the_kernel_every_time() {
    in_child!(|| {
        let null = dev_null();
        let [mut free, mut forced] = both_ways(4);
        let supervisor = or_skip!(seccomp::supervise(&REAPING, |_| Verdict::Pass));
        for round in 0..10 {
            write(&mut free, b"x", &null, 0, round);
            free.submit().unwrap();
            assert_eq!(taken(free.completions().unwrap()), [(round, Ok(1))]);
        }
        assert_eq!(supervisor.calls(), 0);
        for round in 0..10 {
            write(&mut forced, b"x", &null, 0, round);
            forced.submit().unwrap();
            assert_eq!(taken(forced.completions().unwrap()), [(round, Ok(1))]);
            assert!(supervisor.calls() > usize::try_from(round).unwrap());
        }
    });
}

#[test]
fn waiting_works_without_io_pgetevents() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut context = context(2);
        or_skip!(seccomp::fail(&[(SYS_IO_PGETEVENTS, libc::ENOSYS)]));
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        let fill = std::thread::spawn(move || {
            pipe.fill();
            pipe
        });
        assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
        drop(fill.join().unwrap());
    });
}

#[test]
fn both_ways_of_reaping_give_the_same() {
    let file = TempFile::new(1 << 20);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..32).map(|_| files::AlignedBuf::new(4096)).collect();
    let mut results = both_ways(32).map(|mut context| {
        for (nr, buffer) in (0..).zip(&mut buffers) {
            // Past the end from number 24 on: 0 bytes.
            read(&mut context, buffer, &direct, nr << 15 | (nr / 24) << 20, nr);
        }
        let all = all(&mut context);
        for (nr, buffer) in (0..24).zip(&buffers) {
            files::check(buffer, nr << 15);
        }
        all
    });
    let [free, forced] = &mut results;
    assert_eq!(free, forced);
    assert_eq!(free.iter().filter(|(_, result)| *result == Ok(0)).count(), 8);
}
