//! Limits of the process and the system.

use aio::AioContext;
use tests::files::{self, TempFile};
use tests::{guest_only, in_child, or_skip};

use crate::common::*;

#[test]
fn a_write_across_the_limit_on_file_sizes_is_short_and_at_the_limit_efbig() {
    in_child!(|| {
        const LIMIT: u64 = 8192;
        let file = TempFile::empty();
        let data = files::content(0, 4096);
        let mut context = context(4);
        tests::limits::ignore(libc::SIGXFSZ);
        tests::limits::set(libc::RLIMIT_FSIZE, LIMIT);
        write(&mut context, &data, file.file(), LIMIT - 512, 1);
        assert_eq!(one(&mut context), (1, Ok(512)));
        write(&mut context, &data, file.file(), LIMIT, 2);
        assert_eq!(one(&mut context), (2, Err(libc::EFBIG)));
        write(&mut context, &[], file.file(), LIMIT, 3);
        assert_eq!(one(&mut context), (3, Ok(0)));
        files::check(&files::pread(file.file(), LIMIT - 512, 9999), 0);
    });
}

#[test]
fn a_refused_context_takes_nothing_from_the_system() {
    let limit = usize::try_from(or_skip!(files::aio_max_nr())).unwrap();
    for _ in 0..1000 {
        assert!(AioContext::new(limit + 1).is_err());
    }
    in_child!(|| {
        assert!(AioContext::new(usize::MAX).is_err());
        assert!(AioContext::new(0).is_err());
        assert_eq!(files::aio_rings(), 0);
    });
}

#[test]
fn an_exhausted_system_is_told_with_both_numbers() {
    guest_only!("it uses up the whole system's AIO events");
    let limit = or_skip!(files::aio_max_nr());
    let mut contexts = Vec::new();
    // Other tests of this process make and drop contexts meanwhile, so a moment is awaited in which the use stands still.
    for _ in 0..100_000 {
        let used = or_skip!(files::aio_nr());
        match AioContext::new(4096) {
            Ok(context) => contexts.push(context),
            Err(error) if or_skip!(files::aio_nr()) == used => {
                drop(contexts);
                let text = error.to_string();
                assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{text}");
                assert!(text.contains(&limit.to_string()), "the limit {limit}: {text}");
                assert!(text.contains(&used.to_string()), "the use {used}: {text}");
                return;
            }
            Err(_) => {}
        }
    }
    panic!("the system's AIO events cannot be used up");
}

#[test]
fn in_a_guest_aio_nr_is_back_at_its_start_after_a_drop() {
    guest_only!("other processes change the system's count");
    // Other tests of this process make contexts meanwhile, so the count is looked at until it fits.
    for _ in 0..1000 {
        let before = or_skip!(files::aio_nr());
        let context = context(777);
        let during = or_skip!(files::aio_nr());
        drop(context);
        let after = or_skip!(files::aio_nr());
        if (before, before + 777) == (after, during) {
            return;
        }
    }
    panic!("no quiet moment in which the count goes up by 777 and back");
}
