//! Readiness of files.

mod epoll;

use uring_sys::{
    IORING_POLL_ADD_LEVEL, IORING_POLL_ADD_MULTI, IORING_POLL_UPDATE_EVENTS, IORING_POLL_UPDATE_USER_DATA,
};

pub use self::epoll::{EpollCtl, EpollWait};
use crate::UserData;
use crate::codes::Op;
use crate::entry::Sqe;

/// A mask of events as an entry has it: the kernel takes its halves in the order of a little-endian machine.
#[inline]
const fn mask(events: u32) -> u32 {
    if cfg!(target_endian = "big") { events.rotate_left(16) } else { events }
}

op! {
    /// Waits until a file is ready; see `poll(2)`; since 5.1. The result is the mask of what it is ready for.
    PollAdd
}

impl_on_file!(
    PollAdd,
    /// Waits until `fd` is ready for one of `events`, `libc::EPOLLIN` and its like, of which those that `poll(2)` has are
    /// the same as there. Errors and hang-ups are among them always.
    (events: u32) => Sqe { op_flags: mask(events), ..Sqe::new(Op::POLL_ADD) }
);

impl PollAdd {
    /// Goes on after the first time (`IORING_POLL_ADD_MULTI`, since 5.13): each change of readiness completes with
    /// [`MORE`](crate::CqeFlags::MORE), until one without it ends the request.
    #[inline]
    pub fn multishot(mut self) -> Self {
        self.0.len |= IORING_POLL_ADD_MULTI;
        self
    }

    /// Looks at the state instead of its changes (`IORING_POLL_ADD_LEVEL`, since 6.0). The kernel has the word but takes
    /// it from no one so far: 6.18 answers `EINVAL`.
    #[inline]
    pub fn level(mut self) -> Self {
        self.0.len |= IORING_POLL_ADD_LEVEL;
        self
    }
}

op! {
    /// Ends a [`PollAdd`], which completes with `ECANCELED`; since 5.1. The result is 0; `ENOENT` if there is none,
    /// `EALREADY` if it is completing.
    PollRemove
}

impl PollRemove {
    /// Ends the request that was named `target`, one of them if there are several.
    #[inline]
    pub fn new(target: UserData) -> Self {
        Self(Sqe { addr: target, ..Sqe::new(Op::POLL_REMOVE) })
    }
}

op! {
    /// Changes a [`PollAdd`] that goes on; since 5.13. The result is 0; `ENOENT` if there is none, `EALREADY` if it is
    /// completing.
    ///
    /// Without a change that is asked for, it is a [`PollRemove`].
    PollUpdate
}

impl PollUpdate {
    /// Changes the request that was named `target`, one of them if there are several.
    #[inline]
    pub fn new(target: UserData) -> Self {
        Self(Sqe { addr: target, ..Sqe::new(Op::POLL_REMOVE) })
    }

    /// Has it wait for other events (`IORING_POLL_UPDATE_EVENTS`, since 5.13); what else it is, such as
    /// [`multishot`](PollAdd::multishot), it stays.
    #[inline]
    pub fn events(mut self, events: u32) -> Self {
        self.0.len |= IORING_POLL_UPDATE_EVENTS;
        self.0.op_flags = mask(events);
        self
    }

    /// Says that it goes on after the first time, beside [`events`](Self::events) (`IORING_POLL_ADD_MULTI`, since
    /// 5.13). The kernel takes this and does not make one of a poll that completes once.
    #[inline]
    pub fn multishot(mut self) -> Self {
        self.0.len |= IORING_POLL_ADD_MULTI;
        self
    }

    /// Gives its further completions another name (`IORING_POLL_UPDATE_USER_DATA`, since 5.13).
    #[inline]
    pub fn new_user_data(mut self, user_data: UserData) -> Self {
        self.0.len |= IORING_POLL_UPDATE_USER_DATA;
        self.0.off = user_data;
        self
    }
}

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, flagged, same};

    const IN: u32 = libc::EPOLLIN as u32;

    #[test]
    fn polls_are_what_liburing_makes_of_them() {
        let mask = mask(IN | libc::EPOLLEXCLUSIVE as u32);
        // SAFETY: nothing is pushed.
        let poll = unsafe { PollAdd::new(std::io::stdout(), IN | libc::EPOLLEXCLUSIVE as u32) };
        same(poll, &flagged(IORING_OP_POLL_ADD, 1, 0, 0, 0, mask));
        let mut expected = flagged(IORING_OP_POLL_ADD, 3, 0, 1 | 8, 0, super::mask(IN));
        expected.flags = IOSQE_FIXED_FILE as u8;
        same(PollAdd::fixed(Fixed(3), IN).multishot().level(), &expected);
    }

    #[test]
    fn changes_of_polls_are_what_liburing_makes_of_them() {
        same(PollRemove::new(77), &entry(IORING_OP_POLL_REMOVE, -1, 77, 0, 0));
        let update = PollUpdate::new(77).events(IN).multishot().new_user_data(78);
        same(update, &flagged(IORING_OP_POLL_REMOVE, -1, 77, 1 | 2 | 4, 78, mask(IN)));
    }
}
