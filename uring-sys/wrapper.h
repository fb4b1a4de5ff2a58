/* What the feature `bindgen` and ci/bindings.sh bind for this crate. */

#if __has_include(<linux/version.h>)
#include <linux/version.h>
#endif

#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/time_types.h>

/*
 * The ring of provided buffers is a union of its tail and a flexible array of buffers. bindgen makes plain union fields
 * only of members that can be copied, so this array gets the one element that lies beside the tail anyway. Every other
 * flexible array ends its struct and stays without length.
 */
#include <linux/stddef.h>
#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) TYPE NAME[__builtin_types_compatible_p(TYPE, struct io_uring_buf)]

/*
 * io_uring_sqe ends in a zero-length array, `cmd[0]`, inside a union. For bindgen that takes Copy and plain field access
 * from the whole union. The array is 16 bytes long where a 64-byte entry ends, so it is declared with that length; what is
 * left of the declaration, `[0]`, becomes the index into a string and with it the width of an empty bit-field.
 */
#define cmd cmd[16]; __u8 : "\0"
#include <linux/io_uring.h>
#undef cmd

#if __has_include(<linux/io_uring/query.h>)
#include <linux/io_uring/query.h>
#endif
#if __has_include(<linux/io_uring/bpf_filter.h>)
#include <linux/io_uring/bpf_filter.h>
#endif
#if __has_include(<linux/io_uring/mock_file.h>)
#include <linux/io_uring/mock_file.h>
#endif
