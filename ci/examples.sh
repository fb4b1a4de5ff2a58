#!/usr/bin/env bash
# ci/examples.sh - every example builds and runs on real files; each that is a `cat` prints what cat(1) prints, each that is a `cp` copies
# what cp(1) copies, and a server serves: itself or, if it echoes, clients that compare. Errors are words, and a reader may go away.
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

# fails COMMAND... - it does, and says why in words.
fails() {
    if "$@" </dev/null >/dev/null 2>"$work/said"; then
        echo "examples.sh: this succeeds: $*" >&2
        exit 1
    fi
    if ! grep -q . "$work/said" || grep -qE 'panicked|Os \{' "$work/said"; then
        echo "examples.sh: this fails without a word that one can read: $*" >&2
        cat "$work/said" >&2
        exit 1
    fi
}

while read -r package example features; do
    run=(cargo run --locked --quiet -p "$package" --features "$features" --example "$example" --)
    if [[ $example == *cat* ]]; then
        "${run[@]}" "${files[@]}" </dev/null | cmp - <(cat "${files[@]}")
        for file in "${files[@]}"; do "${run[@]}" "$file" </dev/null | cmp - "$file"; done
        "${run[@]}" "$work/large" </dev/null | head -c 1 >/dev/null
        fails "${run[@]}" "$work/missing"
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
        fails "${run[@]}" "$work/missing" "$work/copy"
        fails "${run[@]}"
        echo "$package $example: as cp(1) on ${#files[@]} files, and an error for a missing one"
    elif [[ $example == *echo* ]]; then
        # More connections than buffers.
        : >"$work/address"
        "${run[@]}" 127.0.0.1:0 100 </dev/null >"$work/address" &
        server=$!
        python3 ci/echo.py "$work/address" 100 || { kill "$server"; exit 1; }
        wait "$server"
        fails "${run[@]}"
        fails "${run[@]}" nowhere
        echo "$package $example: sent back what 100 clients sent, and an error for no address"
    elif [[ $example == *server* ]]; then
        "${run[@]}" --self-test "$work" </dev/null
        echo "$package $example: served itself"
    else
        "${run[@]}" "$work/large" </dev/null >/dev/null
        "${run[@]}" "$work/large" </dev/null | true
        echo "$package $example: ran"
    fi
done <<<"$examples"
