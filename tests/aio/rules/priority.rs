//! I/O priority: set when asked for, and only then.

use aio::{AioContext, IoPriority, RwFlags};
use tests::files::{self, TempFile};

use crate::common::*;

/// Class 7 is none that the kernel knows.
const INVALID: u16 = 7 << 13;
/// Best effort, level 4: allowed to everybody.
const BEST_EFFORT: u16 = 2 << 13 | 4;

fn write_with(context: &mut AioContext, file: &std::fs::File, priority: u16) -> Taken {
    // SAFETY: as said in `main.rs`; the data is static.
    let queued = unsafe { context.add_write(b"data".as_ptr(), 4, file, 0, 1) };
    let _ = queued.unwrap().ioprio(IoPriority::from_raw(priority));
    one(context)
}

#[test]
fn a_priority_reaches_the_kernel() {
    let file = TempFile::new(100);
    let mut context = context(1);
    assert_eq!(write_with(&mut context, file.file(), BEST_EFFORT), (1, Ok(4)));
    assert_eq!(
        write_with(&mut context, file.file(), INVALID),
        (1, Err(libc::EINVAL)),
        "the kernel has looked at it"
    );
}

#[test]
fn a_slot_does_not_keep_the_priority_of_its_last_operation() {
    let file = TempFile::new(100);
    let mut context = context(1);
    for _ in 0..3 {
        assert_eq!(write_with(&mut context, file.file(), INVALID), (1, Err(libc::EINVAL)));
        write(&mut context, b"plain", file.file(), 0, 2);
        assert_eq!(one(&mut context), (2, Ok(5)));
    }
}

#[test]
fn a_priority_and_flags_go_together() {
    let file = TempFile::new(100);
    let mut context = context(1);
    // SAFETY: as said in `main.rs`.
    let queued = unsafe { context.add_write(b"data".as_ptr(), 4, file.file(), 0, 1) };
    let _ = queued.unwrap().rw_flags(RwFlags::APPEND).ioprio(IoPriority::from_raw(BEST_EFFORT));
    assert_eq!(one(&mut context), (1, Ok(4)));
    assert_eq!(files::pread(file.file(), 0, 200).len(), 104);
}
