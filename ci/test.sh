#!/usr/bin/env bash
# ci/test.sh - the tests as the README names them, then optimised; what they leave behind is a failure too.
#
# REQUIRE_ALL=1 turns each skip into a failure. Without it the test of the bindings' completeness skips unless LINUX_HEADERS is set.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${REQUIRE_ALL:-0}" = 1 ] && [ -z "${LINUX_HEADERS:-}" ]; then
    LINUX_HEADERS=$(ci/bindings.sh --headers)
    export LINUX_HEADERS
fi

# A path without libclang: default features must not look for one.
export LIBCLANG_PATH=/nonexistent
ci/leaks.sh cargo test --locked --workspace
ci/leaks.sh cargo test --locked --workspace --release
