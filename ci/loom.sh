#!/usr/bin/env bash
# ci/loom.sh - the models of what races in the engine: the driver's queue, and in the futures the hand-over, the bell, the gate and the permits.
#
# Preemptions are bounded, so that it takes seconds; LOOM_MAX_PREEMPTIONS raises the bound.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom" LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}"
cargo test --locked -p engine --release --features tokio --lib --target-dir "${CARGO_TARGET_DIR:-target}/loom" -- loom models
