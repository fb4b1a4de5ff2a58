#!/usr/bin/env bash
# ci/fmt.sh - every source file is formatted.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
