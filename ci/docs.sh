#!/usr/bin/env bash
# ci/docs.sh - the documentation builds without a warning, and its examples run.
set -euo pipefail
cd "$(dirname "$0")/.."

RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc --locked --workspace --no-deps
cargo test --locked --workspace --doc
