#!/usr/bin/env bash
# ci/examples.sh - every example builds and runs on real files; each that is a `cat` prints what cat(1) prints, each that is a `cp` copies
# what cp(1) copies, and a server serves itself.
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
            print(package["name"], target["name"], ",".join(target.get("required-features", [])))')
[ -n "$examples" ] || { echo "examples.sh: there are none" >&2; exit 1; }

while read -r package example features; do
    run=(cargo run --locked --quiet -p "$package" --features "$features" --example "$example" --)
    if [[ $example == *cat* ]]; then
        "${run[@]}" "${files[@]}" </dev/null | cmp - <(cat "${files[@]}")
        for file in "${files[@]}"; do "${run[@]}" "$file" </dev/null | cmp - "$file"; done
        if "${run[@]}" "$work/missing" </dev/null 2>/dev/null; then
            echo "examples.sh: $package $example succeeds on a missing file" >&2
            exit 1
        fi
        echo "$package $example: as cat(1) on ${#files[@]} files, and an error for a missing one"
    elif [[ $example == cp* ]]; then
        options=("")
        [ "$package $example" != "engine cp" ] || options=("" --uring --aio --threads)
        for option in "${options[@]}"; do
            for file in "${files[@]}"; do
                rm -f "$work/copy"
                "${run[@]}" ${option:+"$option"} "$file" "$work/copy" </dev/null
                cmp "$file" "$work/copy"
            done
        done
        if "${run[@]}" "$work/missing" "$work/copy" </dev/null 2>/dev/null; then
            echo "examples.sh: $package $example succeeds on a missing file" >&2
            exit 1
        fi
        echo "$package $example: as cp(1) on ${#files[@]} files, and an error for a missing one"
    elif [[ $example == *server* || $example == *echo* ]]; then
        "${run[@]}" --self-test "$work" </dev/null
        echo "$package $example: served itself"
    else
        "${run[@]}" "$work/large" </dev/null >/dev/null
        echo "$package $example: ran"
    fi
done <<<"$examples"
