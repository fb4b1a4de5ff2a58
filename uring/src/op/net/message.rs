//! What a multishot receive of messages writes to a provided buffer.

use std::iter::FusedIterator;
use std::mem::offset_of;

use uring_sys::io_uring_recvmsg_out;

/// A message in a provided buffer, as [`RecvmsgMultishot`](super::RecvmsgMultishot) leaves it there
/// (`struct io_uring_recvmsg_out`): a header, the name, the control messages, the data.
///
/// Whatever the buffer holds, nothing outside of it is read.
#[derive(Clone, Copy, Debug)]
pub struct RecvmsgOut<'buffer> {
    out: io_uring_recvmsg_out,
    name: &'buffer [u8],
    control: &'buffer [u8],
    payload: &'buffer [u8],
}

const HEADER: usize = size_of::<io_uring_recvmsg_out>();

impl<'buffer> RecvmsgOut<'buffer> {
    /// Takes apart what was received, which are as many bytes of the buffer as the result of the completion says.
    /// `msg_namelen` and `msg_controllen` are those of the message that the request was made with. `None` if the buffer
    /// is too short for the header and both.
    #[must_use]
    pub fn parse(received: &'buffer [u8], msg_namelen: usize, msg_controllen: usize) -> Option<Self> {
        let word = |offset: usize| {
            Some(u32::from_ne_bytes(received.get(offset..offset + 4)?.try_into().expect("four bytes")))
        };
        let out = io_uring_recvmsg_out {
            namelen: word(offset_of!(io_uring_recvmsg_out, namelen))?,
            controllen: word(offset_of!(io_uring_recvmsg_out, controllen))?,
            payloadlen: word(offset_of!(io_uring_recvmsg_out, payloadlen))?,
            flags: word(offset_of!(io_uring_recvmsg_out, flags))?,
        };
        let (name, rest) = received.get(HEADER..)?.split_at_checked(msg_namelen)?;
        let (control, payload) = rest.split_at_checked(msg_controllen)?;
        Some(Self {
            out,
            name: first(name, out.namelen),
            control: first(control, out.controllen),
            payload: first(payload, out.payloadlen),
        })
    }

    /// The name of the sender, a `sockaddr`, as much of it as there was room for.
    #[must_use]
    pub fn name(&self) -> &'buffer [u8] {
        self.name
    }

    /// Whether the name had no room.
    #[must_use]
    pub fn is_name_truncated(&self) -> bool {
        self.out.namelen as usize > self.name.len()
    }

    /// The control messages, as they are.
    #[must_use]
    pub fn control(&self) -> &'buffer [u8] {
        self.control
    }

    /// The control messages, one by one.
    #[must_use]
    pub fn control_messages(&self) -> ControlMessages<'buffer> {
        ControlMessages { rest: self.control }
    }

    /// Whether control messages had no room (`MSG_CTRUNC`).
    #[must_use]
    pub fn is_control_truncated(&self) -> bool {
        self.flags() & libc::MSG_CTRUNC != 0
    }

    /// The data.
    #[must_use]
    pub fn payload(&self) -> &'buffer [u8] {
        self.payload
    }

    /// The length of the data as the kernel tells it: with `MSG_TRUNC` among the request's flags that of the whole
    /// message, even if there was not room for all of it.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.out.payloadlen as usize
    }

    /// Whether data had no room and is lost (`MSG_TRUNC`).
    #[must_use]
    pub fn is_payload_truncated(&self) -> bool {
        self.flags() & libc::MSG_TRUNC != 0
    }

    /// The flags of the message, `libc::MSG_*`.
    #[must_use]
    pub fn flags(&self) -> i32 {
        self.out.flags.cast_signed()
    }
}

/// The first `len` bytes, or all if there are fewer.
fn first(bytes: &[u8], len: u32) -> &[u8] {
    &bytes[..bytes.len().min(len as usize)]
}

/// One control message; see `cmsg(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlMessage<'buffer> {
    /// Whose it is, such as `libc::SOL_SOCKET`.
    pub level: i32,
    /// What it is, such as `libc::SCM_RIGHTS`.
    pub kind: i32,
    /// What it says.
    pub data: &'buffer [u8],
}

/// Iterator over control messages. It ends where they do, or where one claims to be longer than the rest.
#[derive(Clone, Debug)]
pub struct ControlMessages<'buffer> {
    rest: &'buffer [u8],
}

/// Control messages start at multiples of a word, and so does their data.
const fn aligned(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(size_of::<usize>())
}

impl<'buffer> Iterator for ControlMessages<'buffer> {
    type Item = ControlMessage<'buffer>;

    fn next(&mut self) -> Option<ControlMessage<'buffer>> {
        const WORD: usize = size_of::<usize>();
        let header = aligned(WORD + 2 * size_of::<i32>())?;
        let rest = std::mem::take(&mut self.rest);
        let len = usize::from_ne_bytes(rest.get(..WORD)?.try_into().ok()?);
        let number = |at: usize| Some(i32::from_ne_bytes(rest.get(at..at + 4)?.try_into().ok()?));
        let message =
            ControlMessage { level: number(WORD)?, kind: number(WORD + 4)?, data: rest.get(header..len)? };
        self.rest = aligned(len).and_then(|next| rest.get(next..)).unwrap_or_default();
        Some(message)
    }
}

impl FusedIterator for ControlMessages<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(header: [u32; 4], rest: &[u8]) -> Vec<u8> {
        header.iter().flat_map(|word| word.to_ne_bytes()).chain(rest.iter().copied()).collect()
    }

    #[test]
    fn a_message_is_taken_apart_by_the_room_of_its_parts() {
        let buffer = message([2, 1, 3, libc::MSG_EOR as u32], b"NAmeC.ontrolDATAmore");
        let out = RecvmsgOut::parse(&buffer, 4, 8).unwrap();
        assert_eq!((out.name(), out.control(), out.payload()), (&b"NA"[..], &b"C"[..], &b"DAT"[..]));
        assert_eq!((out.payload_len(), out.flags()), (3, libc::MSG_EOR));
        assert!(!out.is_name_truncated() && !out.is_control_truncated() && !out.is_payload_truncated());
    }

    #[test]
    fn lengths_past_the_room_are_cut_and_told() {
        let flags = (libc::MSG_TRUNC | libc::MSG_CTRUNC) as u32;
        let buffer = message([u32::MAX, u32::MAX, u32::MAX, flags], b"nameCONTROL.data");
        let out = RecvmsgOut::parse(&buffer, 4, 8).unwrap();
        assert_eq!(
            (out.name(), out.control(), out.payload()),
            (&b"name"[..], &b"CONTROL."[..], &b"data"[..])
        );
        assert_eq!(out.payload_len(), u32::MAX as usize);
        assert!(out.is_name_truncated() && out.is_control_truncated() && out.is_payload_truncated());
    }

    #[test]
    fn a_buffer_that_is_too_short_is_no_message() {
        let buffer = message([0; 4], b"nameCONTROL.");
        assert!(RecvmsgOut::parse(&buffer, 4, 8).unwrap().payload().is_empty());
        for len in 0..buffer.len() {
            assert!(RecvmsgOut::parse(&buffer[..len], 4, 8).is_none());
        }
        assert!(RecvmsgOut::parse(&buffer, usize::MAX, usize::MAX).is_none());
    }

    fn control(len: usize, level: i32, kind: i32, rest: &[u8]) -> Vec<u8> {
        [&len.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes(), rest].concat()
    }

    fn messages(rest: &[u8]) -> Vec<ControlMessage<'_>> {
        ControlMessages { rest }.collect()
    }

    #[test]
    fn control_messages_are_read_until_one_does_not_fit() {
        let header = size_of::<libc::cmsghdr>();
        let mut bytes = control(header + 4, 1, 2, b"four....");
        bytes.extend(control(header + 8, 3, 4, b"eightsss"));
        let expected = [
            ControlMessage { level: 1, kind: 2, data: b"four" },
            ControlMessage { level: 3, kind: 4, data: b"eightsss" },
        ];
        assert_eq!(messages(&bytes), expected);
        assert_eq!(messages(&bytes[..bytes.len() - 1]), expected[..1]);
        for len in [0, 1, header - 1, header + 9, usize::MAX] {
            assert_eq!(messages(&control(len, 1, 2, b"eight...")), []);
        }
    }
}
