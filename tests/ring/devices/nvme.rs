//! Reads and writes of an NVMe namespace past the block layer, by its character device.

use std::fs::File;
use std::os::unix::fs::FileExt;

use tests::{guest_only, require};
use uring::op::command::{UringCmd, UringCmd80, UringCmd128};
use uring::{Completion, Cqe32, MixedCqe, MixedSqe, Op, Ring, Sqe128, Submission};

use super::{bytes, iowr};
use crate::ops::common::{has, kernel_is_at_least, run};

const WRITE: u8 = 1;
const READ: u8 = 2;
const BLOCK: usize = 512;

/// `struct nvme_uring_cmd`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Command {
    opcode: u8,
    flags: u8,
    reserved: u16,
    nsid: u32,
    cdw2_3: [u32; 2],
    metadata: u64,
    addr: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10_15: [u32; 6],
    timeout_ms: u32,
    reserved2: u32,
}

const NVME_URING_CMD_IO: u32 = iowr(b'N', 0x80, size_of::<Command>());

/// A transfer of whole blocks from block `first` on.
fn transfer(opcode: u8, buffer: &mut [u8], first: u32) -> Command {
    let blocks = (buffer.len() / BLOCK) as u32;
    Command {
        opcode,
        nsid: 1,
        addr: buffer.as_mut_ptr().expose_provenance() as u64,
        data_len: buffer.len() as u32,
        cdw10_15: [first, 0, blocks - 1, 0, 0, 0],
        ..Command::default()
    }
}

/// The character device of the namespace, and the disk.
fn namespace() -> (File, File) {
    let open = |path: &str| File::options().read(true).write(true).open(path).expect(path);
    (open("/dev/ng0n1"), open("/dev/nvme0n1"))
}

fn taken<S: Submission, C: Completion>(ring: &mut Ring<S, C>, request: impl Into<S>) -> Result<u32, i32> {
    ring.push(request).expect("room");
    let cqe = ring.wait(1).expect("wait").next().expect("one was waited for");
    cqe.first().result().map_err(|error| error.raw_os_error().expect("an errno"))
}

/// What is written by command is what the disk has, and what is read by command what was written.
fn transfers<S: Submission, C: Completion>(
    ring: &mut Ring<S, C>,
    first: u32,
    command: fn(&File, Command) -> S,
) {
    let (device, disk) = namespace();
    let mut written: Vec<u8> = (0..8 * BLOCK).map(|index| (index / 7) as u8 ^ first as u8).collect();
    assert_eq!(taken(ring, command(&device, transfer(WRITE, &mut written, first))), Ok(0));
    let mut seen = vec![0; written.len()];
    disk.read_exact_at(&mut seen, u64::from(first) * BLOCK as u64).unwrap();
    assert!(seen == written, "the disk has other bytes");
    let mut read = vec![0; written.len()];
    assert_eq!(taken(ring, command(&device, transfer(READ, &mut read, first))), Ok(0));
    assert!(read == written, "other bytes are read");
    let nowhere = Command { nsid: 77, ..transfer(READ, &mut read, first) };
    assert_eq!(taken(ring, command(&device, nowhere)), Err(libc::EINVAL));
}

#[test]
fn blocks_are_transferred_by_commands_of_80_bytes() {
    guest_only!("an NVMe device");
    require!(kernel_is_at_least(6, 1), "Linux 6.1");
    let mut ring: Ring<Sqe128, Cqe32> = Ring::new(4).unwrap();
    transfers(&mut ring, 64, |device, command| {
        unsafe { UringCmd80::new(device, NVME_URING_CMD_IO, &bytes(&command)) }.into()
    });
}

#[test]
fn blocks_are_transferred_in_a_ring_of_mixed_entries() {
    guest_only!("an NVMe device");
    require!(has(&crate::ops::common::ring(), Op::URING_CMD128), "Linux 6.19");
    let mut ring: Ring<MixedSqe, MixedCqe> = Ring::new(4).unwrap();
    for round in 0..5 {
        // Entries of one place between shift the others, once past the end of the queue.
        ring.push(uring::op::ring::Nop::new()).unwrap();
        assert_eq!(ring.wait(1).unwrap().count(), 1);
        transfers(&mut ring, 128 + 8 * round, |device, command| {
            unsafe { UringCmd128::new(device, NVME_URING_CMD_IO, &bytes(&command)) }.into()
        });
    }
}

#[test]
fn a_registered_buffer_is_transferred() {
    guest_only!("an NVMe device");
    require!(kernel_is_at_least(6, 1), "Linux 6.1");
    let (device, disk) = namespace();
    let mut buffer = vec![0x5c; 8 * BLOCK];
    let mut ring: Ring<Sqe128, Cqe32> = Ring::new(4).unwrap();
    let iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    unsafe { ring.registrar().register_buffers(&[iovec]) }.unwrap();
    let command = transfer(WRITE, &mut buffer, 512);
    let request = unsafe { UringCmd80::new(&device, NVME_URING_CMD_IO, &bytes(&command)) };
    assert_eq!(taken(&mut ring, request.fixed_buffer(0)), Ok(0));
    let mut seen = vec![0; buffer.len()];
    disk.read_exact_at(&mut seen, 512 * BLOCK as u64).unwrap();
    assert!(seen == buffer, "the disk has other bytes");
}

#[test]
fn a_ring_of_small_entries_is_refused() {
    guest_only!("an NVMe device");
    require!(kernel_is_at_least(6, 1), "Linux 6.1");
    let (device, _) = namespace();
    let mut ring = crate::ops::common::ring();
    let small = unsafe { UringCmd::new(&device, NVME_URING_CMD_IO, &[0; 16]) };
    assert_eq!(run(&mut ring, small), Err(libc::EOPNOTSUPP));
}
