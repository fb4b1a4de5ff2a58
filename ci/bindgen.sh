#!/usr/bin/env bash
# ci/bindgen.sh - the feature `bindgen`: built with the pinned libclang and headers, without a warning, and tested.
set -euo pipefail
cd "$(dirname "$0")/.."

LIBCLANG_PATH=$(ci/bindings.sh --libclang)
LINUX_HEADERS=$(ci/bindings.sh --headers)
export LIBCLANG_PATH LINUX_HEADERS

features=aio-sys/bindgen,uring-sys/bindgen
cargo clippy --locked -p aio-sys -p uring-sys -p tests --all-targets --features "$features" -- -D warnings
cargo test --locked -p aio-sys -p uring-sys --features "$features"
cargo test --locked -p tests --test sys --features "$features"
