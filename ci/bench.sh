#!/usr/bin/env bash
# ci/bench.sh - a short run of each face of the bench program: that it works and verifies, not how fast it is.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
features=()
if pkg-config --exists liburing 2>/dev/null; then
    features=(--features peers)
elif [ "${REQUIRE_ALL:-0}" = 1 ]; then
    echo "bench.sh: no liburing (apt-get install liburing-dev pkg-config)" >&2
    exit 1
else
    echo "SKIP bench rings: no liburing (apt-get install liburing-dev pkg-config)"
fi
cargo build --locked --release -p bench "${features[@]}"
bench() { ci/leaks.sh cargo run --locked --quiet --release -p bench "${features[@]}" -- "$@"; }

bench --duration 0.1 --size 16M
bench --duration 0.05 --size 8M --engine aio,uring --json --plot "$work/plot.svg" >"$work/json"
python3 -m json.tool <"$work/json" >/dev/null
grep -q '</svg>' "$work/plot.svg"
head -c 1M /dev/urandom >"$work/file"
cp "$work/file" "$work/copy"
bench "$work/file" --duration 0.05 --mode buffered
cmp "$work/file" "$work/copy"
bench futures --rounds 2 --slice 2 --depth 1,8
bench probe "$work/file"
for engine in pread aio uring engine; do bench micro --engine "$engine" --op read --batch 4 --ops 1000; done
bench micro --engine uring --op nop --batch 32 --ops 3200
if [ ${#features[@]} -gt 0 ]; then
    cargo test --locked --release -p bench "${features[@]}" rings
    bench rings --runs 2 --rounds 3 --slice 1
    bench rings --runs 1 --rounds 2 --slice 1 --op nop --batch 4 --json | python3 -m json.tool >/dev/null
fi
