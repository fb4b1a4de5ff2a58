//! Names of files.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tempfile::TempDir;
use tests::require;
use uring::op::file::{CWD, Linkat, Mkdirat, Renameat, Symlinkat, Unlinkat};
use uring::{Op, Ring};

use super::common::{c_path, has, ring, run};

fn directory() -> (TempDir, File) {
    let dir = tempfile::tempdir().unwrap();
    let dirfd = File::open(dir.path()).unwrap();
    (dir, dirfd)
}

#[test]
fn a_file_is_renamed() {
    let (dir, dirfd) = directory();
    let mut ring = ring();
    require!(has(&ring, Op::RENAMEAT), "Linux 5.11");
    fs::write(dir.path().join("old"), "content").unwrap();
    let rename = |old: &std::ffi::CStr, new: &std::ffi::CStr| unsafe {
        Renameat::new(&dirfd, old.as_ptr(), &dirfd, new.as_ptr())
    };
    assert_eq!(run(&mut ring, rename(c"old", c"new")), Ok(0));
    assert_eq!(fs::read_to_string(dir.path().join("new")).unwrap(), "content");
    assert!(!dir.path().join("old").exists());
    assert_eq!(run(&mut ring, rename(c"old", c"new")), Err(libc::ENOENT));
    fs::write(dir.path().join("old"), "other").unwrap();
    let kept = rename(c"old", c"new").rename_flags(libc::RENAME_NOREPLACE);
    assert_eq!(run(&mut ring, kept), Err(libc::EEXIST));
    let exchanged = rename(c"old", c"new").rename_flags(libc::RENAME_EXCHANGE);
    assert_eq!(run(&mut ring, exchanged), Ok(0));
    assert_eq!(fs::read_to_string(dir.path().join("new")).unwrap(), "other");
}

#[test]
fn directories_are_made_and_removed() {
    let (dir, dirfd) = directory();
    let mut ring = ring();
    require!(has(&ring, Op::MKDIRAT), "Linux 5.15");
    let path = dir.path().join("made");
    let make = || unsafe { Mkdirat::new(&dirfd, c"made".as_ptr(), 0o700) };
    assert_eq!(run(&mut ring, make()), Ok(0));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(run(&mut ring, make()), Err(libc::EEXIST));
    let remove = || unsafe { Unlinkat::new(&dirfd, c"made".as_ptr()) };
    assert_eq!(run(&mut ring, remove()), Err(libc::EISDIR));
    assert_eq!(run(&mut ring, remove().unlink_flags(libc::AT_REMOVEDIR)), Ok(0));
    assert!(!path.exists());
}

#[test]
fn files_are_removed() {
    let (dir, _) = directory();
    let mut ring = ring();
    require!(has(&ring, Op::UNLINKAT), "Linux 5.11");
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let name = c_path(&path);
    let remove = || unsafe { Unlinkat::new(CWD, name.as_ptr()) };
    assert_eq!(run(&mut ring, remove()), Ok(0));
    assert!(!path.exists());
    assert_eq!(run(&mut ring, remove()), Err(libc::ENOENT));
}

#[test]
fn links_are_made() {
    let (dir, dirfd) = directory();
    let mut ring = ring();
    require!(has(&ring, Op::LINKAT), "Linux 5.15");
    fs::write(dir.path().join("file"), "content").unwrap();
    let symlink = || unsafe { Symlinkat::new(c"file".as_ptr(), &dirfd, c"symbolic".as_ptr()) };
    assert_eq!(run(&mut ring, symlink()), Ok(0));
    assert_eq!(fs::read_link(dir.path().join("symbolic")).unwrap().to_str(), Some("file"));
    assert_eq!(run(&mut ring, symlink()), Err(libc::EEXIST));

    let link = |ring: &mut Ring, from: &std::ffi::CStr, to: &std::ffi::CStr, flags| {
        let link = unsafe { Linkat::new(&dirfd, from.as_ptr(), &dirfd, to.as_ptr()) };
        run(ring, link.hardlink_flags(flags))
    };
    assert_eq!(link(&mut ring, c"file", c"hard", 0), Ok(0));
    let inode = |name| fs::symlink_metadata(dir.path().join(name)).unwrap().ino();
    assert_eq!(inode("hard"), inode("file"));
    assert_eq!(link(&mut ring, c"symbolic", c"followed", libc::AT_SYMLINK_FOLLOW), Ok(0));
    assert_eq!(inode("followed"), inode("file"));
    assert_eq!(link(&mut ring, c"symbolic", c"unfollowed", 0), Ok(0));
    assert_eq!(inode("unfollowed"), inode("symbolic"));
    assert_eq!(link(&mut ring, c"missing", c"other", 0), Err(libc::ENOENT));
}
