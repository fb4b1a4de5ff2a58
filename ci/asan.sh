#!/usr/bin/env bash
# ci/asan.sh - the tests under AddressSanitizer and its leak detector, with the nightly toolchain.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "SKIP asan: no nightly toolchain (rustup toolchain install nightly)"
    [ "${REQUIRE_ALL:-0}" != 1 ]
    exit
fi
if [ "${REQUIRE_ALL:-0}" = 1 ] && [ -z "${LINUX_HEADERS:-}" ]; then
    LINUX_HEADERS=$(ci/bindings.sh --headers)
    export LINUX_HEADERS
fi

# Naming the target keeps the sanitizer out of build scripts and procedural macros.
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address" ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}"
cargo +nightly test --locked --workspace --lib --bins --tests --target x86_64-unknown-linux-gnu --target-dir "${CARGO_TARGET_DIR:-target}/asan"
