//! What a parent was in the middle of is over in its forked child.

use tests::fork::ask;
use tests::in_child;
use uring::RwFlags;

use crate::common::*;

#[test]
fn an_iterator_ends_in_a_forked_child_and_goes_on_in_the_parent() {
    in_child!(|| {
        let mut context = context(8);
        nops(&mut context, 1, 4);
        let mut completions = context.wait_nr(4).unwrap();
        assert_eq!(completions.next().map(|(name, _)| name), Some(1));
        let answer = ask(|| {
            // A copy, whose drop has nothing to tell the kernel either.
            let mut inherited = unsafe { std::ptr::read(&raw const completions) };
            let taken = inherited.by_ref().count();
            format!("{taken} {:?}", inherited.size_hint())
        });
        assert_eq!(answer, "0 (0, None)");
        assert_eq!(names(completions), [2, 3, 4]);
    });
}

#[test]
fn a_drain_ends_in_a_forked_child_and_goes_on_in_the_parent() {
    in_child!(|| {
        let mut context = context(8);
        nops(&mut context, 1, 4);
        let mut drained = Vec::new();
        let mut child = false;
        let result = context.drain(|name, _| {
            drained.push(name);
            if name == 2 {
                match unsafe { libc::fork() } {
                    0 => child = true,
                    pid => {
                        let mut status = 0;
                        unsafe { libc::waitpid(pid, &raw mut status, 0) };
                        assert_eq!(status, 0, "the child has failed");
                    }
                }
            }
        });
        if child {
            let ended = matches!(result, Err(uring::Error::Forked)) && drained == [1, 2];
            unsafe { libc::_exit(i32::from(!ended)) };
        }
        assert_eq!(drained, [1, 2, 3, 4]);
    });
}

#[test]
fn a_request_that_was_just_added_cannot_be_changed_in_a_forked_child() {
    in_child!(|| {
        let file = dev_zero();
        let mut buffer = [1; 8];
        let mut context = context(8);
        let queued = unsafe { context.add_read(buffer.as_mut_ptr(), 8, &file, 0, 1) }.unwrap();
        let answer = ask(|| {
            let inherited = unsafe { std::ptr::read(&raw const queued) };
            inherited.rw_flags(RwFlags::from_bits_retain(-1)).ioprio(uring::IoPriority::idle());
            "unharmed".to_owned()
        });
        assert_eq!(answer, "unharmed");
        assert_eq!(all(&mut context), [(1, Ok(8))]);
        assert_eq!(buffer, [0; 8]);
    });
}
