//! A block device in this process, by the driver `ublk`: 128-byte entries to its control file, others to the queue.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::{process, ptr, slice, thread};

use tests::guest_only;
use uring::op::command::{UringCmd, UringCmd80, UringCmd128};
use uring::{Completion, Cqe, MixedSqe, Op, Ring, Sqe128, Submission};

use super::{bytes, iowr};
use crate::ops::common::{has, ring};

/// `struct ublksrv_ctrl_cmd`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Control {
    dev_id: u32,
    queue_id: u16,
    len: u16,
    addr: u64,
    data: u64,
    dev_path_len: u16,
    pad: u16,
    reserved: u32,
}

/// `struct ublksrv_ctrl_dev_info`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Info {
    nr_hw_queues: u16,
    queue_depth: u16,
    state: u16,
    pad0: u16,
    max_io_buf_bytes: u32,
    dev_id: u32,
    pid: i32,
    pad1: u32,
    flags: u64,
    own_flags: u64,
    owner: [u32; 2],
    reserved: [u64; 2],
}

/// The beginning of `struct ublk_params`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Params {
    len: u32,
    types: u32,
    attrs: u32,
    shifts: [u8; 4],
    max_sectors: u32,
    chunk_sectors: u32,
    dev_sectors: u64,
    virt_boundary_mask: u64,
}

/// `struct ublksrv_io_cmd`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Io {
    queue: u16,
    tag: u16,
    result: i32,
    addr: u64,
}

/// `struct ublksrv_io_desc`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Desc {
    op_flags: u32,
    nr_sectors: u32,
    start_sector: u64,
    addr: u64,
}

const ADD: u32 = iowr(b'u', 0x04, size_of::<Control>());
const DELETE: u32 = iowr(b'u', 0x05, size_of::<Control>());
const START: u32 = iowr(b'u', 0x06, size_of::<Control>());
const STOP: u32 = iowr(b'u', 0x07, size_of::<Control>());
const SET_PARAMS: u32 = iowr(b'u', 0x08, size_of::<Control>());
const FETCH: u32 = iowr(b'u', 0x20, size_of::<Io>());
const COMMIT_AND_FETCH: u32 = iowr(b'u', 0x21, size_of::<Io>());
const IOCTL_ENCODE: u64 = 1 << 6;
const ANY_ID: u32 = u32::MAX;

const DEPTH: u16 = 4;
const SECTOR: usize = 512;
const DISK: usize = 1 << 20;
const MOST: usize = 1 << 16;

/// A control file with a ring for it.
struct Driver<S: Submission, C: Completion> {
    ring: Ring<S, C>,
    file: File,
    command: fn(&File, u32, &Control) -> S,
}

impl<S: Submission, C: Completion> Driver<S, C> {
    fn try_control<T>(&mut self, op: u32, id: u32, data: u64, memory: &mut T) -> Result<u32, i32> {
        let (addr, len) = (ptr::from_mut(memory).expose_provenance() as u64, size_of::<T>() as u16);
        let (addr, len) = if len == 0 { (0, 0) } else { (addr, len) };
        let control =
            Control { dev_id: id, queue_id: u16::MAX, len, addr, data, dev_path_len: 0, pad: 0, reserved: 0 };
        self.ring.push((self.command)(&self.file, op, &control)).expect("room");
        let cqe = self.ring.wait(1).expect("wait").next().expect("one was waited for");
        cqe.first().result().map_err(|error| error.raw_os_error().expect("an errno"))
    }

    #[track_caller]
    fn control<T>(&mut self, op: u32, id: u32, data: u64, memory: &mut T) {
        assert_eq!(self.try_control(op, id, data, memory), Ok(0), "command {op:#x}");
    }
}

/// Answers the requests of the device from memory, until it is stopped.
fn serve(id: u32, started: impl FnOnce()) -> Vec<u8> {
    let mut disk: Vec<u8> = (0..DISK).map(pattern).collect();
    let mut buffers = vec![vec![0; MOST]; usize::from(DEPTH)];
    let device =
        File::options().read(true).write(true).open(format!("/dev/ublkc{id}")).expect("the queue's file");
    let len = usize::from(DEPTH) * size_of::<Desc>();
    let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
    let map = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ, flags, device.as_raw_fd(), 0) };
    assert_ne!(map, libc::MAP_FAILED, "the descriptors");
    let mut ring = ring();
    let mut ask = |ring: &mut Ring, op, tag: u16, result| {
        let addr = buffers[usize::from(tag)].as_mut_ptr().expose_provenance() as u64;
        let io = Io { queue: 0, tag, result, addr };
        ring.push(unsafe { UringCmd::new(&device, op, &bytes(&io)) }.user_data(tag.into())).expect("room");
        addr
    };
    for tag in 0..DEPTH {
        ask(&mut ring, FETCH, tag, 0);
    }
    assert_eq!(ring.submit().unwrap(), usize::from(DEPTH));
    started();
    let mut live = DEPTH;
    while live > 0 {
        let cqes: Vec<Cqe> = ring.wait(1).unwrap().collect();
        for cqe in cqes {
            if cqe.raw_result() != 0 {
                assert_eq!(cqe.raw_result(), -libc::ENODEV, "the device is stopped");
                live -= 1;
                continue;
            }
            let tag = cqe.user_data() as u16;
            let desc = unsafe { map.cast::<Desc>().add(tag.into()).read_volatile() };
            let (start, len) = (desc.start_sector as usize * SECTOR, desc.nr_sectors as usize * SECTOR);
            let addr = ptr::with_exposed_provenance_mut::<u8>(desc.addr as usize);
            let result = match desc.op_flags & 0xff {
                0 => {
                    unsafe { slice::from_raw_parts_mut(addr, len) }.copy_from_slice(&disk[start..][..len]);
                    len as i32
                }
                1 => {
                    disk[start..][..len].copy_from_slice(unsafe { slice::from_raw_parts(addr, len) });
                    len as i32
                }
                _ => 0,
            };
            ask(&mut ring, COMMIT_AND_FETCH, tag, result);
        }
    }
    drop(ring);
    unsafe { libc::munmap(map, len) };
    disk
}

fn pattern(index: usize) -> u8 {
    (index / 5) as u8
}

/// Makes a device, uses it as a disk, and takes it down.
fn lives_and_dies<S: Submission, C: Completion>(ring: Ring<S, C>, command: fn(&File, u32, &Control) -> S) {
    let file = File::options().read(true).write(true).open("/dev/ublk-control").expect("the control file");
    let mut driver = Driver { ring, file, command };
    let mut info = Info {
        nr_hw_queues: 1,
        queue_depth: DEPTH,
        max_io_buf_bytes: MOST as u32,
        dev_id: ANY_ID,
        flags: IOCTL_ENCODE,
        ..Info::default()
    };
    driver.control(ADD, ANY_ID, 0, &mut info);
    let id = info.dev_id;
    assert_ne!(id, ANY_ID, "the driver has written the number");
    let mut params = Params {
        len: size_of::<Params>() as u32,
        types: 1,
        attrs: 0,
        shifts: [9, 12, 12, 9],
        max_sectors: (MOST / SECTOR) as u32,
        chunk_sectors: 0,
        dev_sectors: (DISK / SECTOR) as u64,
        virt_boundary_mask: 0,
    };
    driver.control(SET_PARAMS, id, 0, &mut params);
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = thread::spawn(move || serve(id, || sender.send(()).expect("somebody waits")));
    receiver.recv().expect("the server asks for requests");
    driver.control(START, id, process::id().into(), &mut ());
    let path = format!("/dev/ublkb{id}");
    let disk = File::options().read(true).write(true).open(path).expect("the disk");
    let mut seen = vec![0; DISK];
    disk.read_exact_at(&mut seen, 0).unwrap();
    assert!(seen.iter().enumerate().all(|(index, byte)| *byte == pattern(index)), "the disk has other bytes");
    disk.write_all_at(&[0xee; 8192], 4096).unwrap();
    disk.sync_all().unwrap();
    drop(disk);
    driver.control(STOP, id, 0, &mut ());
    let kept = server.join().expect("the server");
    assert!(kept[4096..12_288].iter().all(|byte| *byte == 0xee), "what was written has come to the server");
    driver.control(DELETE, id, 0, &mut ());
    assert_eq!(driver.try_control(DELETE, id, 0, &mut ()), Err(libc::ENODEV));
}

#[test]
fn a_device_is_controlled_by_commands_of_80_bytes() {
    guest_only!("the driver ublk");
    if !std::fs::exists("/dev/ublk-control").unwrap() {
        return;
    }
    lives_and_dies(Ring::<Sqe128, Cqe>::new(4).unwrap(), |file, op, control| {
        unsafe { UringCmd80::new(file, op, &bytes(control)) }.into()
    });
}

#[test]
fn a_device_is_controlled_from_a_ring_of_mixed_entries() {
    guest_only!("the driver ublk");
    if !std::fs::exists("/dev/ublk-control").unwrap() {
        return;
    }
    tests::require!(has(&ring(), Op::URING_CMD128), "Linux 6.19");
    lives_and_dies(Ring::<MixedSqe, Cqe>::new(4).unwrap(), |file, op, control| {
        unsafe { UringCmd128::new(file, op, &bytes(control)) }.into()
    });
}
