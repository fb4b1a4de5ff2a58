//! Reads to provided buffers.

use std::io::Write;
use std::os::fd::AsFd;

use tests::files::{TempFile, check};
use tests::require;
use uring::op::rw::{ReadMultishot, ReadSelect};
use uring::{CqeFlags, Fixed, Op};

use super::common::{has, kernel_is_at_least, next, pipe, provide, push, ring, run};

const GROUP: u16 = 5;

#[test]
fn a_read_tells_which_provided_buffer_it_took() {
    let file = TempFile::new(1000);
    let mut memory = [0; 200];
    let mut ring = ring();
    provide(&mut ring, GROUP, &mut memory, 100);
    let mut taken = Vec::new();
    for offset in [30, 330] {
        push(&mut ring, unsafe { ReadSelect::new(file.file(), GROUP, 100, offset) });
        let cqe = ring.wait(1).unwrap().next().unwrap();
        assert_eq!(cqe.result().unwrap(), 100);
        let id = cqe.buffer_id().expect("a buffer");
        check(&memory[usize::from(id) * 100..][..100], offset);
        taken.push(id);
    }
    taken.sort_unstable();
    assert_eq!(taken, [0, 1]);
    let read = unsafe { ReadSelect::new(file.file(), GROUP, 0, 0) };
    assert_eq!(run(&mut ring, read), Err(libc::ENOBUFS), "the group is empty");
    require!(kernel_is_at_least(6, 0), "a kernel that takes no length for that of the buffer");
    provide(&mut ring, GROUP, &mut memory, 200);
    let read = unsafe { ReadSelect::new(file.file(), GROUP, 0, 0) };
    assert_eq!(run(&mut ring, read), Ok(200));
}

#[test]
fn a_read_of_a_registered_file_takes_no_more_than_it_asks_for() {
    let file = TempFile::new(1000);
    let mut memory = [0; 100];
    let mut ring = ring();
    ring.registrar().register_files(&[file.file().as_fd().into()]).unwrap();
    provide(&mut ring, GROUP, &mut memory, 100);
    push(&mut ring, ReadSelect::fixed(Fixed(0), GROUP, 40, 7));
    let (_, result, flags) = next(&mut ring);
    assert_eq!(result, Ok(40));
    assert!(flags.contains(CqeFlags::BUFFER));
    drop(ring);
    check(&memory[..40], 7);
    assert_eq!(memory[40..], [0; 60]);
}

#[test]
fn a_multishot_read_goes_on_until_the_pipe_ends() {
    let (reader, mut writer) = pipe();
    let mut memory = [0; 64];
    let mut ring = ring();
    require!(has(&ring, Op::READ_MULTISHOT), "Linux 6.7");
    provide(&mut ring, GROUP, &mut memory, 16);
    push(&mut ring, unsafe { ReadMultishot::new(&reader, GROUP, u64::MAX) }.user_data(9));
    ring.submit().unwrap();
    for word in [b"one", b"two"] {
        writer.write_all(word).unwrap();
        let cqe = ring.wait(1).unwrap().next().unwrap();
        assert_eq!((cqe.user_data(), cqe.result().unwrap(), cqe.has_more()), (9, 3, true));
        let id = usize::from(cqe.buffer_id().expect("a buffer"));
        assert_eq!(&memory[id * 16..][..3], word);
    }
    drop(writer);
    let (user_data, result, flags) = next(&mut ring);
    assert_eq!((user_data, result), (9, Ok(0)));
    assert!(!flags.contains(CqeFlags::MORE));
    assert_eq!(ring.completions().unwrap().count(), 0);
}

#[test]
fn a_multishot_read_takes_a_file_that_can_be_polled_and_a_group() {
    let (file, (reader, mut writer)) = (TempFile::new(1000), pipe());
    let mut memory = [0; 16];
    let mut ring = ring();
    require!(has(&ring, Op::READ_MULTISHOT), "Linux 6.7");
    writer.write_all(b"something").unwrap();
    let read = unsafe { ReadMultishot::new(&reader, GROUP, 0) };
    assert_eq!(run(&mut ring, read), Err(libc::ENOBUFS));
    provide(&mut ring, GROUP, &mut memory, 16);
    let read = unsafe { ReadMultishot::new(file.file(), GROUP, 0) };
    assert_eq!(run(&mut ring, read), Err(libc::EBADFD));
}
