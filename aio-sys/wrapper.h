/* What the feature `bindgen` and ci/bindings.sh bind for this crate. */

#if __has_include(<linux/version.h>)
#include <linux/version.h>
#endif

#include <linux/aio_abi.h>
