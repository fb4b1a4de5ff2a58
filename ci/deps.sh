#!/usr/bin/env bash
# ci/deps.sh - what a user builds: few crates, and nothing that needs libclang or a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

# tree PACKAGE KINDS: the crates of a package, itself included, each once.
tree() { cargo tree --locked -p "$1" -e "$2" --prefix none --format '{p}' | cut -d' ' -f1,2 | sort -u; }

status=0
for package in aio-sys uring-sys aio uring engine; do
    # The engine has the other four below it.
    most=6
    [ $package != engine ] || most=8
    crates=$(tree "$package" normal)
    count=$(wc -l <<<"$crates")
    echo "$package: $count crates: $(tr '\n' ' ' <<<"$crates")"
    [ "$count" -le $most ] || { echo "deps.sh: $package has more than $most crates" >&2; status=1; }
    if tree "$package" normal,build | grep -E '^(bindgen|clang-sys|cc) '; then
        echo "deps.sh: $package needs the above by default" >&2
        status=1
    fi
done
exit $status
