//! The layouts that the memory shared with the kernel rests on.
//!
//! bindgen checks every struct against the header that it was made from; these checks hold the header to the
//! ABI, whatever headers the feature `bindgen` meets.

use core::mem::{align_of, offset_of, size_of};

use static_assertions::{assert_impl_all, const_assert_eq};

use crate::bindings::{
    __kernel_timespec, io_cqring_offsets, io_sqring_offsets, io_uring_buf, io_uring_buf_reg,
    io_uring_buf_ring, io_uring_cqe, io_uring_getevents_arg, io_uring_params, io_uring_probe,
    io_uring_probe_op, io_uring_query_hdr, io_uring_query_opcode, io_uring_reg_wait, io_uring_restriction,
    io_uring_rsrc_register, io_uring_rsrc_update2, io_uring_sqe, io_uring_sync_cancel_reg,
};
use crate::wide::{io_uring_cqe32, io_uring_sqe128};

const_assert_eq!(size_of::<io_uring_sqe>(), 64);
const_assert_eq!(align_of::<io_uring_sqe>(), 8);
const_assert_eq!(offset_of!(io_uring_sqe, opcode), 0);
const_assert_eq!(offset_of!(io_uring_sqe, flags), 1);
const_assert_eq!(offset_of!(io_uring_sqe, ioprio), 2);
const_assert_eq!(offset_of!(io_uring_sqe, fd), 4);
const_assert_eq!(offset_of!(io_uring_sqe, __bindgen_anon_1.off), 8);
const_assert_eq!(offset_of!(io_uring_sqe, __bindgen_anon_2.addr), 16);
const_assert_eq!(offset_of!(io_uring_sqe, len), 24);
const_assert_eq!(offset_of!(io_uring_sqe, __bindgen_anon_3.rw_flags), 28);
const_assert_eq!(offset_of!(io_uring_sqe, user_data), 32);
const_assert_eq!(offset_of!(io_uring_sqe, __bindgen_anon_4.buf_index), 40);
const_assert_eq!(offset_of!(io_uring_sqe, personality), 42);
const_assert_eq!(offset_of!(io_uring_sqe, __bindgen_anon_5.file_index), 44);
const_assert_eq!(offset_of!(io_uring_sqe, __bindgen_anon_6.__bindgen_anon_1.addr3), 48);
const_assert_eq!(offset_of!(io_uring_sqe, __bindgen_anon_6.cmd), 48);

const_assert_eq!(size_of::<io_uring_sqe128>(), 128);
const_assert_eq!(align_of::<io_uring_sqe128>(), 8);

const_assert_eq!(size_of::<io_uring_cqe>(), 16);
const_assert_eq!(align_of::<io_uring_cqe>(), 8);
const_assert_eq!(offset_of!(io_uring_cqe, user_data), 0);
const_assert_eq!(offset_of!(io_uring_cqe, res), 8);
const_assert_eq!(offset_of!(io_uring_cqe, flags), 12);
const_assert_eq!(size_of::<io_uring_cqe32>(), 32);
const_assert_eq!(offset_of!(io_uring_cqe32, big_cqe), 16);

const_assert_eq!(size_of::<io_uring_params>(), 120);
const_assert_eq!(offset_of!(io_uring_params, flags), 8);
const_assert_eq!(offset_of!(io_uring_params, features), 20);
const_assert_eq!(offset_of!(io_uring_params, wq_fd), 24);
const_assert_eq!(offset_of!(io_uring_params, sq_off), 40);
const_assert_eq!(offset_of!(io_uring_params, cq_off), 80);
const_assert_eq!(size_of::<io_sqring_offsets>(), 40);
const_assert_eq!(size_of::<io_cqring_offsets>(), 40);

const_assert_eq!(size_of::<io_uring_getevents_arg>(), 24);
const_assert_eq!(size_of::<io_uring_reg_wait>(), 64);
const_assert_eq!(size_of::<io_uring_probe>(), 16);
const_assert_eq!(size_of::<io_uring_probe_op>(), 8);
const_assert_eq!(size_of::<io_uring_restriction>(), 16);
const_assert_eq!(size_of::<io_uring_rsrc_register>(), 32);
const_assert_eq!(size_of::<io_uring_rsrc_update2>(), 32);
const_assert_eq!(size_of::<io_uring_sync_cancel_reg>(), 64);
const_assert_eq!(size_of::<io_uring_buf>(), 16);
const_assert_eq!(size_of::<io_uring_buf_reg>(), 40);
const_assert_eq!(size_of::<io_uring_buf_ring>(), 16);
const_assert_eq!(offset_of!(io_uring_buf_ring, __bindgen_anon_1.__bindgen_anon_1.tail), 14);
const_assert_eq!(size_of::<io_uring_query_hdr>(), 40);
const_assert_eq!(size_of::<io_uring_query_opcode>(), 48);
const_assert_eq!(size_of::<__kernel_timespec>(), 16);

// Entries are copied into and out of slots, and begin as zeroes.
assert_impl_all!(io_uring_sqe: Copy, Default);
assert_impl_all!(io_uring_sqe128: Copy, Default);
assert_impl_all!(io_uring_cqe: Copy, Default);
assert_impl_all!(io_uring_cqe32: Copy, Default);
