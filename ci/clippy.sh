#!/usr/bin/env bash
# ci/clippy.sh - no warning in any target, with default features and with every feature that needs nothing beyond Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

# `bindgen` needs libclang: ci/bindgen.sh has it.
features=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
print(",".join("{}/{}".format(package["name"], feature) for package in json.load(sys.stdin)["packages"]
               for feature in package["features"] if feature not in ("default", "bindgen")))')

cargo clippy --locked --workspace --all-targets -- -D warnings
[ -z "$features" ] || cargo clippy --locked --workspace --all-targets --features "$features" -- -D warnings
