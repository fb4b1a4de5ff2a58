//! The system calls themselves, and the memory of a ring.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use tests::files::{self, TempFile};
use tests::kernel::is_at_least;
use tests::require;
use uring::op::ring::Nop;
use uring::op::rw::Read;
use uring::{Fixed, Op, RegisterOp, Ring, SetupFlags};
use uring_sys::{
    IO_URING_QUERY_OPCODES, IORING_ENTER_GETEVENTS, IORING_REGISTER_PROBE, IORING_REGISTER_QUERY,
    io_uring_enter, io_uring_params, io_uring_probe_op, io_uring_query_hdr, io_uring_query_opcode,
    io_uring_setup,
};

use super::common::*;

fn enter(fd: i32, to_submit: u32, wanted: u32, flags: u32) -> Result<u32, i32> {
    let answer = unsafe { io_uring_enter(fd, to_submit, wanted, flags, std::ptr::null(), 0) };
    u32::try_from(answer).map_err(|_| -answer)
}

#[test]
fn set_up_refuses_what_it_does_not_know_and_a_ring_is_no_stream() {
    let setup = |entries, params: &mut io_uring_params| unsafe { io_uring_setup(entries, params) };
    let reserved = io_uring_params { resv: [0, 0, 1], ..Default::default() };
    let unknown = io_uring_params { flags: u32::MAX, ..Default::default() };
    for (entries, mut params) in [(0, io_uring_params::default()), (1, reserved), (1, unknown)] {
        assert_eq!(setup(entries, &mut params), -libc::EINVAL);
    }
    assert_eq!(unsafe { io_uring_setup(1, std::ptr::null_mut()) }, -libc::EFAULT);
    // A thread on a CPU that there is not, of which the error tells.
    let nowhere = Ring::<uring::Sqe>::builder(1).sqpoll(LONG).sqpoll_cpu(1 << 20);
    let error = nowhere.build().map(drop).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert!(error.to_string().contains("(os error 22): "), "a sentence follows the errno: {error}");

    let ring = ring(1);
    let mut stream = std::fs::File::from(ring.as_fd().try_clone_to_owned().unwrap());
    assert_eq!(errno(&stream.read(&mut [0]).unwrap_err()), libc::EINVAL);
    assert_eq!(errno(&stream.write(&[0]).unwrap_err()), libc::EINVAL);
}

#[test]
fn enter_refuses_what_is_no_ring_and_waits_for_a_full_queue() {
    let file = TempFile::new(64 * 1024);
    let mut blocks = vec![[0; 256]; 256];
    let mut ring = ring(256);
    let fd = ring.as_raw_fd();
    let null = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(enter(fd, 1, 0, u32::MAX), Err(libc::EINVAL));
    assert_eq!(enter(-1, 0, 0, 0), Err(libc::EBADF));
    assert_eq!(enter(null.as_raw_fd(), 0, 0, 0), Err(libc::EOPNOTSUPP));
    assert_eq!(enter(fd, 0, 0, 0), Ok(0));

    for (nr, block) in blocks.iter_mut().enumerate() {
        let read = unsafe { Read::new(file.file(), block.as_mut_ptr(), block.len(), nr as u64 * 256) };
        push(&mut ring, read.user_data(nr as u64));
    }
    assert_eq!(ring.submit().unwrap(), 256);
    enter(fd, 0, 256, IORING_ENTER_GETEVENTS).unwrap();
    assert_eq!(ring.ready(), 256, "enter came back with what it was to wait for");
    assert_eq!(take(&mut ring, 256).len(), 256);
    for (nr, block) in blocks.iter().enumerate() {
        files::check(block, nr as u64 * 256);
    }
    assert_eq!(ring.lost(), (0, 0), "no entry had an index past the queue");
}

#[test]
fn register_refuses_what_is_no_ring_and_what_it_does_not_know() {
    let null = std::fs::File::open("/dev/null").unwrap();
    let nothing = std::ptr::null_mut::<u8>();
    assert_eq!(register(&null, IORING_REGISTER_PROBE, nothing, 0), Err(libc::EOPNOTSUPP));
    assert_eq!(register(&closed_descriptor(), IORING_REGISTER_PROBE, nothing, 0), Err(libc::EBADF));
    let mut ring = ring(1);
    assert_eq!(register(&ring, 1000, nothing, 0), Err(libc::EINVAL));
    // The ring lives on.
    push(&mut ring, Nop::new());
    assert_eq!(take(&mut ring, 1), [(0, Ok(0))]);
}

#[test]
fn a_probe_of_the_rings_is_what_the_kernel_tells() {
    let ring = ring(1);
    let probe = ring.probe().unwrap();
    let mut answer: Vec<io_uring_probe_op> = vec![io_uring_probe_op::default(); 2 + 256];
    assert_eq!(register(&ring, IORING_REGISTER_PROBE, answer.as_mut_ptr(), 256), Ok(0));
    // A header of two entries' size, then one entry for each operation.
    for code in 0..=u8::MAX {
        let told = answer[2 + usize::from(code)].flags & 1 != 0;
        assert_eq!(probe.supports(Op::new(code)), told, "operation {code}");
    }
    assert!(probe.supports(Op::NOP) && probe.supports(Op::READV) && !probe.supports(Op::new(u8::MAX)));
    assert_eq!(probe.features(), ring.features());
}

#[test]
fn a_query_tells_what_a_probe_of_the_rings_says() {
    let ring = ring(1);
    let mut answer = io_uring_query_opcode::default();
    let mut header = io_uring_query_hdr {
        query_data: (&raw mut answer).expose_provenance() as u64,
        query_op: IO_URING_QUERY_OPCODES,
        size: size_of_val(&answer) as u32,
        ..Default::default()
    };
    let asked = register(&ring, IORING_REGISTER_QUERY, &raw mut header, 0);
    require!(asked != Err(libc::EINVAL), "Linux 6.18");
    assert_eq!((asked, header.result), (Ok(0), 0));
    let probe = ring.probe().unwrap();
    assert_eq!(probe.setup_flags(), Some(SetupFlags::from_bits_retain(answer.ring_setup_flags as u32)));
    let last = answer.nr_register_opcodes - 1;
    assert_eq!(probe.supports_register(RegisterOp::new(last)), Some(true));
    assert_eq!(probe.supports_register(RegisterOp::new(last + 1)), Some(false));
    // A question that does not exist has an answer of its own, and the call succeeds.
    header = io_uring_query_hdr { query_op: u32::MAX, ..Default::default() };
    assert_eq!(register(&ring, IORING_REGISTER_QUERY, &raw mut header, 0), Ok(0));
    assert_eq!(header.result, -libc::EOPNOTSUPP);
}

#[test]
fn a_ring_in_memory_of_the_callers_stays_inside_what_was_computed() {
    const MARK: u8 = 0x5a;
    require!(
        is_at_least(6, 10),
        "Linux 6.10, which takes pages that do not follow each other in physical memory"
    );
    for (entries, cq_entries) in [(256, 16384), (32, 4096), (128, 8192), (1024, 8192), (1, 8), (2, 1024)] {
        let builder = Ring::<uring::Sqe>::builder(entries).cq_entries(cq_entries);
        let len = builder.layout().unwrap().pages();
        // A page before it and one after.
        let pages = Pages::new(4096 + len + 4096);
        let start = NonNull::new(pages.start()).unwrap();
        let (before, after) = (start, unsafe { start.add(4096 + len) });
        unsafe { before.write_bytes(MARK, 4096) };
        unsafe { after.write_bytes(MARK, 4096) };
        let mut ring = unsafe { builder.memory(start.add(4096), len) }.build().unwrap();
        let batch = entries.min(64) as u64;
        for round in 0..(2 * cq_entries as u64).div_ceil(batch).min(600) {
            nops(&mut ring, round * batch, batch);
            let expected: Vec<_> = (0..batch).map(|nth| (round * batch + nth, Ok(0))).collect();
            assert_eq!(take(&mut ring, batch as usize), expected);
        }
        drop(ring);
        for page in [before, after] {
            let page = unsafe { std::slice::from_raw_parts(page.as_ptr(), 4096) };
            assert!(page.iter().all(|byte| *byte == MARK), "{entries} and {cq_entries} entries");
        }
    }
}

#[test]
fn a_ring_without_a_descriptor_registers_what_one_with_a_descriptor_does() {
    require!(is_at_least(6, 5), "Linux 6.5");
    let zero = std::fs::File::open("/dev/zero").unwrap();
    let mut bytes = [1; 16];
    let mut ring = built!(Ring::<uring::Sqe>::builder(4).no_mmap().registered_fd_only());
    ring.registrar().register_files(&[zero.as_fd().into()]).unwrap();
    unsafe { ring.registrar().register_buffers(&[iovec(&mut bytes)]) }.unwrap();
    read(&mut ring, &mut bytes, Fixed(0), 7);
    assert_eq!(take(&mut ring, 1), [(7, Ok(16))]);
    assert_eq!(bytes, [0; 16]);
    assert!(ring.probe().unwrap().supports(Op::READ));
    // Another thread has no such ring.
    std::thread::scope(|scope| {
        let ring = &mut ring;
        scope.spawn(move || {
            let error = ring.registrar().unregister_files().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        });
    });
    ring.registrar().unregister_buffers().unwrap();
    ring.registrar().unregister_files().unwrap();
    assert_eq!(ring.registrar().unregister_files().unwrap_err().raw_os_error(), Some(libc::ENXIO));
}

#[test]
fn a_ring_for_one_issuer_is_that_of_the_thread_that_first_submits() {
    let mut ring: Ring = built!(Ring::builder(8).single_issuer());
    // Made here, first used there, and then of no use in a third thread.
    let first = std::thread::spawn(move || {
        nops(&mut ring, 42, 1);
        assert_eq!(take(&mut ring, 1), [(42, Ok(0))]);
        nops(&mut ring, 43, 1);
        std::thread::scope(|scope| {
            let ring = &mut ring;
            scope.spawn(move || {
                let error = ring.submit().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
                assert!(error.to_string().contains("bound to the thread"), "{error}");
            });
        });
        assert_eq!(take(&mut ring, 1), [(43, Ok(0))], "nothing is lost by it");
    });
    first.join().unwrap();
}

#[test]
fn a_ring_with_a_polling_thread_takes_requests_of_any_thread_though_it_has_one_issuer() {
    let builder = Ring::<uring::Sqe>::builder(8).single_issuer();
    let mut ring = built!(builder.sqpoll(std::time::Duration::from_millis(10)));
    for round in 0..4 {
        let ring = &mut ring;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                nops(ring, round, 1);
                assert_eq!(take(ring, 1), [(round, Ok(0))]);
            });
        });
    }
}
