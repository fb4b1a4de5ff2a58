//! Commands to drivers.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use tests::files::{TempFile, check, pread};
use tests::{or_skip, require};
use uring::op::command::{Discard, UringCmd, UringCmd80, UringCmd128, ZoneResetAll};
use uring::{Cqe, Fixed, MixedSqe, Op, Ring, Sqe128};

use super::common::{has, kernel_is_at_least, next, push, ring, run};

fn null() -> File {
    File::options().read(true).write(true).open("/dev/null").expect("/dev/null")
}

#[test]
fn a_command_is_taken_where_a_driver_takes_any() {
    let (null, file) = (null(), TempFile::empty());
    let mut ring = ring();
    require!(kernel_is_at_least(6, 1), "Linux 6.1, whose null device takes every command");
    ring.registrar().register_files(&[null.as_fd().into()]).unwrap();
    assert_eq!(run(&mut ring, unsafe { UringCmd::new(&null, 1, &[7; 16]) }), Ok(0));
    assert_eq!(run(&mut ring, unsafe { UringCmd::new(Fixed(0), 1, &[7; 16]) }.addr(8).len(9)), Ok(0));
    let refused = unsafe { UringCmd::new(file.file(), 1, &[7; 16]) };
    assert_eq!(run(&mut ring, refused), Err(libc::EOPNOTSUPP));
    let buffer = unsafe { UringCmd::new(&null, 1, &[7; 16]) }.fixed_buffer(3);
    assert_eq!(run(&mut ring, buffer), if kernel_is_at_least(6, 15) { Ok(0) } else { Err(libc::EFAULT) });
}

#[test]
fn a_multishot_command_takes_buffers_and_no_registered_one() {
    let null = null();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 18), "Linux 6.18");
    let both = unsafe { UringCmd::new(&null, 1, &[7; 16]) }.multishot(1).fixed_buffer(0);
    assert_eq!(run(&mut ring, both), Err(libc::EINVAL));
}

#[test]
fn a_command_of_80_bytes_is_taken_in_a_ring_of_large_entries() {
    let null = null();
    let supported = has(&ring(), Op::URING_CMD128);
    require!(kernel_is_at_least(6, 1), "Linux 6.1, whose null device takes every command");
    let mut ring: Ring<Sqe128, Cqe> = Ring::new(4).unwrap();
    push(&mut ring, unsafe { UringCmd80::new(&null, 1, &[7; 80]) });
    assert_eq!(next(&mut ring).1, Ok(0));
    push(&mut ring, unsafe { UringCmd128::new(&null, 1, &[7; 80]) });
    assert_eq!(next(&mut ring).1, if supported { Ok(0) } else { Err(libc::EINVAL) });
    match Ring::<MixedSqe, Cqe>::new(4) {
        Ok(mut ring) => {
            push(&mut ring, unsafe { UringCmd128::new(&null, 1, &[7; 80]) });
            assert_eq!(next(&mut ring).1, Ok(0));
        }
        Err(error) => assert!(!supported, "a ring of mixed entries: {error}"),
    }
}

/// A block device over a file, gone when it is closed.
fn block_device(file: &TempFile) -> Result<File, String> {
    const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4c82;
    const LOOP_CONFIGURE: libc::Ioctl = 0x4c0a;
    const LO_FLAGS_AUTOCLEAR: u32 = 4;
    const BUSY: Option<i32> = Some(libc::EBUSY);

    /// `struct loop_config`.
    #[repr(C)]
    struct Config {
        fd: u32,
        block_size: u32,
        info: Info,
        reserved: [u64; 8],
    }

    /// `struct loop_info64`.
    #[repr(C)]
    struct Info {
        numbers: [u64; 5],
        number: u32,
        encrypt_type: u32,
        encrypt_key_size: u32,
        flags: u32,
        names: [u8; 160],
        init: [u64; 2],
    }

    let control = File::options().read(true).write(true).open("/dev/loop-control");
    let control = control.map_err(|error| format!("/dev/loop-control: {error}"))?;
    loop {
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
        if number < 0 {
            return Err(format!("LOOP_CTL_GET_FREE: {}", std::io::Error::last_os_error()));
        }
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = File::options().read(true).write(true).open(&path);
        let device = device.map_err(|error| format!("{}: {error}", path.display()))?;
        let mut config: Config = unsafe { std::mem::zeroed() };
        config.fd = file.file().as_raw_fd() as u32;
        config.info.flags = LO_FLAGS_AUTOCLEAR;
        if unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) } == 0 {
            return Ok(device);
        }
        let error = std::io::Error::last_os_error();
        if error.raw_os_error() != BUSY {
            return Err(format!("LOOP_CONFIGURE: {error}"));
        }
    }
}

#[test]
fn discarded_blocks_are_zero() {
    const LEN: usize = 1 << 20;
    let file = TempFile::new(LEN);
    let mut ring = ring();
    require!(kernel_is_at_least(6, 12), "Linux 6.12");
    let device = or_skip!(block_device(&file));
    ring.registrar().register_files(&[device.as_fd().into()]).unwrap();
    check(&pread(&device, 0, LEN), 0);
    assert_eq!(run(&mut ring, unsafe { Discard::new(&device, 4096, 8192) }), Ok(0));
    assert_eq!(run(&mut ring, Discard::fixed(Fixed(0), 65_536, 4096)), Ok(0));
    assert_eq!(pread(file.file(), 4096, 8192), [0; 8192]);
    assert_eq!(pread(file.file(), 65_536, 4096), [0; 4096]);
    check(&pread(file.file(), 0, 4096), 0);
    check(&pread(file.file(), 12_288, 4096), 12_288);
    assert_eq!(run(&mut ring, Discard::fixed(Fixed(0), 1, 4096)), Err(libc::EINVAL));
    let zones = run(&mut ring, unsafe { ZoneResetAll::new(&device) });
    assert!(zones.is_err(), "the device has no zones: {zones:?}");
    // The table would keep the device.
    drop(ring);
}

#[test]
fn only_block_devices_discard() {
    let file = TempFile::new(8192);
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    assert_eq!(run(&mut ring, unsafe { Discard::new(file.file(), 0, 4096) }), Err(libc::EOPNOTSUPP));
    assert_eq!(run(&mut ring, ZoneResetAll::fixed(Fixed(0))), Err(libc::EBADF));
    check(&pread(file.file(), 0, 8192), 0);
}
