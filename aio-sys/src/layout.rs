//! The layouts that the memory shared with the kernel rests on.
//!
//! bindgen checks every struct against the header that it was made from; these checks hold the header to the
//! ABI, whatever headers the feature `bindgen` meets.

use core::mem::{align_of, offset_of, size_of};

use static_assertions::{assert_impl_all, const_assert_eq};

use crate::bindings::{aio_context_t, io_event, iocb};
use crate::ring::{__aio_sigset, aio_ring};

const_assert_eq!(size_of::<iocb>(), 64);
const_assert_eq!(align_of::<iocb>(), align_of::<u64>());
const_assert_eq!(offset_of!(iocb, aio_data), 0);
const_assert_eq!(offset_of!(iocb, aio_lio_opcode), 16);
const_assert_eq!(offset_of!(iocb, aio_reqprio), 18);
const_assert_eq!(offset_of!(iocb, aio_fildes), 20);
const_assert_eq!(offset_of!(iocb, aio_buf), 24);
const_assert_eq!(offset_of!(iocb, aio_nbytes), 32);
const_assert_eq!(offset_of!(iocb, aio_offset), 40);
const_assert_eq!(offset_of!(iocb, aio_flags), 56);
const_assert_eq!(offset_of!(iocb, aio_resfd), 60);

// The two halves of one 64-bit word of old change places with the byte order.
const KEY: usize = if cfg!(target_endian = "little") { 8 } else { 12 };
const_assert_eq!(offset_of!(iocb, aio_key), KEY);
const_assert_eq!(offset_of!(iocb, aio_rw_flags), 20 - KEY);

const_assert_eq!(size_of::<io_event>(), 32);
const_assert_eq!(offset_of!(io_event, data), 0);
const_assert_eq!(offset_of!(io_event, obj), 8);
const_assert_eq!(offset_of!(io_event, res), 16);
const_assert_eq!(offset_of!(io_event, res2), 24);

const_assert_eq!(size_of::<aio_ring>(), 32);
const_assert_eq!(offset_of!(aio_ring, nr), 4);
const_assert_eq!(offset_of!(aio_ring, head), 8);
const_assert_eq!(offset_of!(aio_ring, tail), 12);
const_assert_eq!(offset_of!(aio_ring, magic), 16);
const_assert_eq!(offset_of!(aio_ring, incompat_features), 24);
const_assert_eq!(offset_of!(aio_ring, header_length), 28);
const_assert_eq!(offset_of!(aio_ring, io_events), 32);

// The handle is an address.
const_assert_eq!(size_of::<aio_context_t>(), size_of::<usize>());
const_assert_eq!(size_of::<__aio_sigset>(), 2 * size_of::<usize>());

assert_impl_all!(iocb: Copy, Default, Send, Sync);
assert_impl_all!(io_event: Copy, Default, Send, Sync);
