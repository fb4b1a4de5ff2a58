#!/usr/bin/env bash
# ci/examples.sh - every example builds and runs on real files; each that is a `cat` prints what cat(1) prints.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty"
printf 'no newline at the end' >"$work/short"
head -c 4096 /dev/urandom >"$work/block"
head -c 5000001 /dev/urandom >"$work/large"
files=("$work/short" "$work/empty" "$work/large" "$work/block" Cargo.lock)

examples=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    for target in package["targets"]:
        if target["kind"] == ["example"]:
            print(package["name"], target["name"])')
[ -n "$examples" ] || { echo "examples.sh: there are none" >&2; exit 1; }

while read -r package example; do
    run=(cargo run --locked --quiet -p "$package" --example "$example" --)
    if [[ $example == *cat* ]]; then
        "${run[@]}" "${files[@]}" </dev/null | cmp - <(cat "${files[@]}")
        for file in "${files[@]}"; do "${run[@]}" "$file" </dev/null | cmp - "$file"; done
        if "${run[@]}" "$work/missing" </dev/null 2>/dev/null; then
            echo "examples.sh: $package $example succeeds on a missing file" >&2
            exit 1
        fi
        echo "$package $example: as cat(1) on ${#files[@]} files, and an error for a missing one"
    else
        "${run[@]}" "$work/large" </dev/null >/dev/null
        echo "$package $example: ran"
    fi
done <<<"$examples"
