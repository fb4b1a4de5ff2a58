#!/usr/bin/env bash
# ci/fuzz.sh - random legal calls on a ring of the kernel's for FUZZ_SECONDS, 60 unless said otherwise, by cargo-fuzz under AddressSanitizer.
#
# What it finds is left in tests/fuzz/artifacts, with the command that repeats it.
set -euo pipefail
cd "$(dirname "$0")/../tests/fuzz"

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "SKIP fuzz: no nightly toolchain (rustup toolchain install nightly)"
    [ "${REQUIRE_ALL:-0}" != 1 ]
    exit
fi
cargo +nightly fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
cargo +nightly fuzz run --fuzz-dir . ring "$corpus" -- -max_total_time="${FUZZ_SECONDS:-60}" -timeout=30 -max_len=1024 -print_final_stats=1 -verbosity=0
