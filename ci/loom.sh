#!/usr/bin/env bash
# ci/loom.sh - the models of what races: in the rings, whose orderings are each weakened in turn, which has to be noticed; in the engine
# the driver's queue, and in the futures the hand-over, the bell, the gate and the permits.
#
# Each model bounds its preemptions, so that it takes seconds; LOOM_MAX_PREEMPTIONS says otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
model() { cargo test --locked "$@" --release --lib --target-dir "${CARGO_TARGET_DIR:-target}/loom" -- loom models; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
model -p uring | tee "$log"
model -p engine --features tokio

# A model that survives a weaker ordering is a test that fails, above. Here is what was weakened, and that it was.
weaker=$(sed -n 's/^test ring::models::\(.*\) - should panic \.\.\. ok$/noticed: \1/p' "$log" | tr _ ' ' | sort)
of_source=$(grep -c 'Weaker::[A-Z].*"' uring/src/ring/models/mod.rs)
echo "$weaker"
if [[ $(wc -l <<<"$weaker") -ne $of_source ]]; then
    echo "loom.sh: $of_source orderings are to be weakened" >&2
    exit 1
fi
