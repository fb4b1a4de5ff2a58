#!/usr/bin/env bash
# ci/clippy.sh - no warning in any target, with default features and with every feature that this machine has the libraries for.
set -euo pipefail
cd "$(dirname "$0")/.."

# `bindgen` needs libclang: ci/bindgen.sh has it. `peers` needs a C library, and is checked where that is.
without=bindgen
pkg-config --exists liburing 2>/dev/null || without+=,peers
features=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
without = ["default", *sys.argv[1].split(",")]
print(",".join("{}/{}".format(package["name"], feature) for package in json.load(sys.stdin)["packages"]
               for feature in package["features"] if feature not in without))' $without)

cargo clippy --locked --workspace --all-targets -- -D warnings
[ -z "$features" ] || cargo clippy --locked --workspace --all-targets --features "$features" -- -D warnings
