//! Who else uses a block device or a file.
//!
//! Opening a device with `O_EXCL` is the kernel's own answer. What is looked up here says who it is, and also
//! finds uses that claim nothing, or that claim another device: the disk around a partition, the partitions
//! on a disk.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::Context;

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    major: u32,
    minor: u32,
}

/// Why a target must be left alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Mounted { device: Device, at: String },
    Held { device: Device, by: String },
    Swap { name: String },
    Loop { device: String },
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { device, at } => write!(f, "device {device} is mounted at {at}"),
            Self::Held { device, by } => write!(f, "device {device} is part of {by}"),
            Self::Swap { name } => write!(f, "{name} is swap space"),
            Self::Loop { device } => write!(f, "it is the disk of {device}"),
        }
    }
}

impl Device {
    pub(crate) fn from_raw(raw: u64) -> Self {
        Self { major: libc::major(raw), minor: libc::minor(raw) }
    }

    /// Reads `major:minor`, as the kernel writes it in its text files.
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

/// Looks for somebody who uses the target. Reading a file hurts nobody; a device is refused in any case.
pub(crate) fn find(path: &Path, metadata: &Metadata, write: bool) -> anyhow::Result<Option<Use>> {
    let kind = metadata.file_type();
    if kind.is_block_device() {
        let device = Device::from_raw(metadata.rdev());
        let mounts = fs::read_to_string("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
        for device in related(device, Path::new("/sys/dev/block"))? {
            if let Some(use_) = mounted(device, &mounts).or(held(device, Path::new("/sys/dev/block"))?) {
                return Ok(Some(use_));
            }
        }
    }
    if kind.is_block_device() || write {
        let same = |other: &Path| same_file(other, metadata);
        if let Some(use_) = swap(&optional("/proc/swaps")?, same) {
            return Ok(Some(use_));
        }
        return loop_disk(path);
    }
    Ok(None)
}

/// The device, and those that share bytes with it: its partitions, or the disk that it is a partition of.
fn related(device: Device, sysfs: &Path) -> io::Result<Vec<Device>> {
    let mut devices = vec![device];
    // The name is a link into the tree of devices, where partitions lie below their disk.
    let Ok(place) = fs::canonicalize(sysfs.join(device.to_string())) else {
        return Ok(devices);
    };
    let number =
        |place: &Path| fs::read_to_string(place.join("dev")).ok().and_then(|text| Device::parse(&text));
    if place.join("partition").exists() {
        devices.extend(place.parent().and_then(number));
    }
    for entry in fs::read_dir(&place)? {
        let below = entry?.path();
        if below.join("partition").exists() {
            devices.extend(number(&below));
        }
    }
    Ok(devices)
}

/// Searches the text of `/proc/self/mountinfo`.
pub(crate) fn mounted(device: Device, mounts: &str) -> Option<Use> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let found = Device::parse(fields.next()?)?;
        let at = fields.nth(1)?;
        (found == device).then(|| Use::Mounted { device, at: at.to_owned() })
    })
}

/// Searches sysfs for a device that is built on this one: LVM, RAID, dm-crypt, bcache.
fn held(device: Device, sysfs: &Path) -> io::Result<Option<Use>> {
    let holders = match fs::read_dir(sysfs.join(device.to_string()).join("holders")) {
        Ok(holders) => holders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let holder = holders.flatten().next();
    Ok(holder.map(|holder| Use::Held { device, by: holder.file_name().to_string_lossy().into_owned() }))
}

/// Searches the text of `/proc/swaps`.
fn swap(swaps: &str, same: impl Fn(&Path) -> bool) -> Option<Use> {
    let names = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let mut names = names.filter(|name| same(Path::new(name)));
    names.next().map(|name| Use::Swap { name: name.to_owned() })
}

fn loop_disk(path: &Path) -> anyhow::Result<Option<Use>> {
    let (Ok(path), Ok(devices)) = (fs::canonicalize(path), fs::read_dir("/sys/block")) else {
        return Ok(None);
    };
    for device in devices.flatten() {
        let Ok(backing) = fs::read_to_string(device.path().join("loop/backing_file")) else {
            continue;
        };
        if path == Path::new(backing.trim_end_matches('\n')) {
            return Ok(Some(Use::Loop { device: device.file_name().to_string_lossy().into_owned() }));
        }
    }
    Ok(None)
}

fn same_file(path: &Path, metadata: &Metadata) -> bool {
    fs::metadata(path).is_ok_and(|other| {
        let same_device = other.file_type().is_block_device() && other.rdev() == metadata.rdev();
        same_device || (other.dev(), other.ino()) == (metadata.dev(), metadata.ino())
    })
}

/// A file of `/proc` that a kernel may not have.
fn optional(path: &str) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).context(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_of_a_mounted_file_system_is_refused() {
        let proc = Device::from_raw(fs::metadata("/proc").unwrap().dev());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert_eq!(mounted(proc, &mounts), Some(Use::Mounted { device: proc, at: "/proc".to_owned() }));
    }

    #[test]
    fn a_mounted_device_is_told_from_another_one() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      30 22 8:17 / /mnt/data rw - xfs /dev/sdb1 rw\n";
        let device = |major, minor| Device { major, minor };
        let at = mounted(device(8, 17), mounts).unwrap().to_string();
        assert_eq!(at, "device 8:17 is mounted at /mnt/data");
        assert_eq!(mounted(device(8, 16), mounts), None);
        assert_eq!(mounted(device(1, 8), mounts), None);
    }

    #[test]
    fn a_disk_answers_for_its_partitions_and_they_for_the_disk() {
        let sysfs = tempfile::tempdir().unwrap();
        let disk = sysfs.path().join("disk");
        fs::create_dir_all(disk.join("part/holders/dm-0")).unwrap();
        fs::create_dir_all(disk.join("queue")).unwrap();
        fs::write(disk.join("dev"), "8:16\n").unwrap();
        fs::write(disk.join("part/dev"), "8:17\n").unwrap();
        fs::write(disk.join("part/partition"), "1\n").unwrap();
        std::os::unix::fs::symlink("disk", sysfs.path().join("8:16")).unwrap();
        std::os::unix::fs::symlink("disk/part", sysfs.path().join("8:17")).unwrap();
        let (disk, part) = (Device { major: 8, minor: 16 }, Device { major: 8, minor: 17 });
        assert_eq!(related(disk, sysfs.path()).unwrap(), [disk, part]);
        assert_eq!(related(part, sysfs.path()).unwrap(), [part, disk]);
        assert_eq!(held(disk, sysfs.path()).unwrap(), None);
        assert_eq!(held(part, sysfs.path()).unwrap().unwrap().to_string(), "device 8:17 is part of dm-0");
    }

    #[test]
    fn swap_space_is_found_by_what_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = file.as_file().metadata().unwrap();
        let table = format!("Filename Type Size Used Priority\n{} file 1024 0 -2\n", file.path().display());
        assert!(swap(&table, |other| same_file(other, &metadata)).is_some());
        assert_eq!(swap("Filename Type Size Used Priority\n", |_| true), None);
    }
}
