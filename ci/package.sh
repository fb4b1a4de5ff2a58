#!/usr/bin/env bash
# ci/package.sh - the crates that users get can be packaged, and build from the package alone.
set -euo pipefail
cd "$(dirname "$0")/.."

crates=(aio-sys uring-sys aio uring engine)
for crate in aio-sys uring-sys; do
    if [ ! -L "$crate/build.rs" ] || [ "$(readlink "$crate/build.rs")" != ../build.rs ]; then
        echo "package.sh: $crate/build.rs is not a link to ../build.rs" >&2
        exit 1
    fi
done

# A developer's tree may have changes; a fresh clone has none.
cargo package --locked --allow-dirty "${crates[@]/#/-p}"

packages=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
metadata = json.load(sys.stdin)
for package in metadata["packages"]:
    if package["name"].endswith("-sys"):
        print("{}/package/{}-{}.crate".format(metadata["target_directory"], package["name"], package["version"]))')
while read -r package; do
    # A link inside the package would point outside it.
    # (grep reads to the end: with -q it would leave tar a broken pipe.)
    if ! tar -tvf "$package" | grep -E '^-.*/build\.rs$' >/dev/null; then
        echo "package.sh: $package holds no regular build.rs" >&2
        exit 1
    fi
    echo "$(basename "$package"): build.rs is a regular file"
done <<<"$packages"
