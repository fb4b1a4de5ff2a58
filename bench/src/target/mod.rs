//! The file or device that is measured.

pub(crate) mod alignment;
pub(crate) mod in_use;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use self::alignment::Alignment;
use crate::case::Mode;

/// Bytes of a target that are used at most where every block has to be written first.
const WRITE_LIMIT: u64 = 1 << 30;

/// An open target, as both modes see it.
#[derive(Debug)]
pub(crate) struct Target {
    /// What it is, for people.
    pub(crate) description: String,
    /// Type of the file system, or `block device`.
    pub(crate) file_system: &'static str,
    /// Bytes that are used, whole blocks, from the start on.
    pub(crate) size: u64,
    pub(crate) writable: bool,
    buffered: File,
    direct: Result<File, String>,
}

impl Target {
    /// Makes a file that has no name: nothing is left of it, however the program ends.
    pub(crate) fn temporary(directory: Option<&Path>, size: u64, block_size: u64) -> anyhow::Result<Self> {
        let directory = directory.map_or_else(scratch_directory, Path::to_owned);
        let file = tempfile::tempfile_in(&directory)
            .with_context(|| format!("making a file in {}", directory.display()))?;
        file.set_len(size)
            .with_context(|| format!("making a file of {size} bytes in {}", directory.display()))?;
        Self::open_modes(format!("temporary file in {}", directory.display()), &file, size, block_size, true)
    }

    /// Opens somebody's file or device, and refuses what is in use.
    pub(crate) fn existing(
        path: &Path,
        size: Option<u64>,
        block_size: u64,
        write: bool,
    ) -> anyhow::Result<Self> {
        let named = || path.display().to_string();
        let metadata = std::fs::metadata(path).with_context(named)?;
        let kind = metadata.file_type();
        ensure!(
            kind.is_file() || kind.is_block_device(),
            "{}: neither a regular file nor a block device",
            named()
        );
        if let Some(use_) = in_use::find(path, &metadata, write)? {
            bail!("{}: {use_}; this program leaves it alone", named());
        }
        // On a block device O_EXCL without O_CREAT claims it: EBUSY if anybody else has.
        let claim = if kind.is_block_device() { libc::O_EXCL } else { 0 };
        let file = OpenOptions::new().read(true).write(write).custom_flags(claim).open(path);
        let file = file.map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) => anyhow::anyhow!("{}: the device is in use", named()),
            _ => anyhow::Error::new(error).context(named()),
        })?;
        let opened = file.metadata().with_context(named)?;
        let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino(), metadata.rdev());
        ensure!(identity(&opened) == identity(&metadata), "{}: was replaced while it was looked at", named());
        let whole = length(&file, &metadata).with_context(named)?;
        let size = match size {
            Some(size) if size > whole => bail!("{}: has {whole} bytes, fewer than --size {size}", named()),
            Some(size) => size,
            None if write => whole.min(WRITE_LIMIT),
            None => whole,
        };
        Self::open_modes(named(), &file, size, block_size, write)
    }

    fn open_modes(
        description: String,
        file: &File,
        size: u64,
        block_size: u64,
        write: bool,
    ) -> anyhow::Result<Self> {
        ensure!(size >= block_size, "{description}: {size} bytes are less than one block of {block_size}");
        let file_system = file_system(file)?;
        // A read that also updates the access time measures the wrong thing; only the file's owner may say
        // so.
        let buffered = reopen(file, write, libc::O_NOATIME).or_else(|_| reopen(file, write, 0))?;
        let direct = open_direct(file, file_system, block_size, write);
        Ok(Self {
            description,
            file_system,
            size: size / block_size * block_size,
            writable: write,
            buffered,
            direct,
        })
    }

    /// The descriptor of a mode, or why there is none.
    pub(crate) fn file(&self, mode: Mode) -> Result<&File, &str> {
        match mode {
            Mode::Buffered => Ok(&self.buffered),
            Mode::Direct => self.direct.as_ref().map_err(String::as_str),
        }
    }

    /// The descriptor that reads what the device holds, if there is one; else that of the page cache.
    pub(crate) fn closest_to_the_medium(&self) -> &File {
        self.direct.as_ref().unwrap_or(&self.buffered)
    }

    /// Waits until what was written is on the device.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.buffered.sync_data()
    }
}

fn open_direct(file: &File, file_system: &str, block_size: u64, write: bool) -> Result<File, String> {
    let direct = reopen(file, write, libc::O_DIRECT | libc::O_NOATIME)
        .or_else(|_| reopen(file, write, libc::O_DIRECT))
        .map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => format!("{file_system} has no O_DIRECT"),
            _ => format!("O_DIRECT: {error}"),
        })?;
    let alignment = Alignment::of(&direct).map_err(|error| format!("direct-I/O alignment: {error}"))?;
    match alignment.offset {
        Some(0) => Err(format!("{file_system} has no direct I/O for this file")),
        Some(offset) if !block_size.is_multiple_of(u64::from(offset)) => {
            Err(format!("direct I/O needs blocks of a multiple of {offset} bytes here"))
        }
        _ => Ok(direct),
    }
}

/// Opens the same file anew with other flags, whether it has a name or not.
fn reopen(file: &File, write: bool, flags: libc::c_int) -> io::Result<File> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    OpenOptions::new().read(true).write(write).custom_flags(flags).open(path)
}

fn length(file: &File, metadata: &Metadata) -> io::Result<u64> {
    if metadata.file_type().is_block_device() {
        use std::io::{Seek, SeekFrom};
        let mut file = file;
        return file.seek(SeekFrom::End(0));
    }
    Ok(metadata.size())
}

/// The temporary directory, or `/var/tmp` if the former has no disk below and the latter has.
pub(crate) fn scratch_directory() -> PathBuf {
    let temporary = std::env::temp_dir();
    let on_disk =
        |path: &Path| File::open(path).and_then(|file| file_system(&file)).is_ok_and(|name| name != "tmpfs");
    let persistent = Path::new("/var/tmp");
    if !on_disk(&temporary) && on_disk(persistent) { persistent.to_owned() } else { temporary }
}

/// The name of the file's file system, for people.
pub(crate) fn file_system(file: &File) -> io::Result<&'static str> {
    if file.metadata()?.file_type().is_block_device() {
        return Ok("block device");
    }
    // SAFETY: all of `statfs` is integers, for which zero is a value.
    let mut statfs: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `fstatfs` writes one `statfs` to its second argument, which is one, and the descriptor is open.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &mut statfs) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Magic numbers have 32 bits, in a field whose width and sign depend on the architecture.
    Ok(match statfs.f_type as u32 {
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0xf2f5_2010 => "f2fs",
        0xca45_1a4e => "bcachefs",
        0x2fc1_2fc1 => "zfs",
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0x794c_7630 => "overlayfs",
        0x6969 => "nfs",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        _ => "file system of unknown type",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_has_no_name_and_both_descriptors_see_it() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::temporary(Some(directory.path()), 1 << 20, 4096).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(target.size, 1 << 20);
        assert_eq!(target.file(Mode::Buffered).unwrap().metadata().unwrap().len(), 1 << 20);
        if let Ok(direct) = target.file(Mode::Direct) {
            assert_eq!(direct.metadata().unwrap().len(), 1 << 20);
        }
    }

    #[test]
    fn a_file_is_opened_for_writing_only_on_demand_and_used_in_whole_blocks() {
        use std::os::unix::fs::FileExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(10_000).unwrap();
        let target = Target::existing(file.path(), None, 4096, false).unwrap();
        assert_eq!(target.size, 8192);
        assert!(target.file(Mode::Buffered).unwrap().write_all_at(b"x", 0).is_err());
        let target = Target::existing(file.path(), Some(4096), 4096, true).unwrap();
        assert_eq!(target.size, 4096);
        target.file(Mode::Buffered).unwrap().write_all_at(b"x", 0).unwrap();
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_its_reason() {
        let refused = |path: &Path, size| Target::existing(path, size, 4096, false).unwrap_err();
        let error = format!("{:#}", refused(Path::new("/dev/null"), None));
        assert!(error.contains("neither a regular file nor a block device"), "{error}");
        let directory = tempfile::tempdir().unwrap();
        assert!(format!("{:#}", refused(directory.path(), None)).contains("neither"));
        assert!(format!("{:#}", refused(&directory.path().join("absent"), None)).contains("absent"));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(format!("{:#}", refused(file.path(), None)).contains("less than one block"));
        assert!(format!("{:#}", refused(file.path(), Some(1 << 20))).contains("fewer than --size"));
    }
}
