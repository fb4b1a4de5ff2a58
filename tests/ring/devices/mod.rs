//! Drivers that are spoken to by commands, in guests that have the devices.

mod nvme;
mod ublk;

/// A structure of a driver's as the bytes of a command; those behind it are zero.
fn bytes<T: Copy, const LEN: usize>(command: &T) -> [u8; LEN] {
    assert!(size_of::<T>() <= LEN);
    let mut bytes = [0; LEN];
    unsafe { bytes.as_mut_ptr().cast::<T>().write_unaligned(*command) };
    bytes
}

/// `_IOWR` of `linux/ioctl.h`.
const fn iowr(kind: u8, number: u8, size: usize) -> u32 {
    3 << 30 | (size as u32) << 16 | (kind as u32) << 8 | number as u32
}
