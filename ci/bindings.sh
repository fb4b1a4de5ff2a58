#!/usr/bin/env bash
# Holds the committed bindings to the headers that they were made from.
#
#   ci/bindings.sh              regenerates for every architecture; a difference is an error and is shown
#   ci/bindings.sh --update     regenerates and rewrites the committed files
#   ci/bindings.sh --headers    prints the directory of the pinned headers, for LINUX_HEADERS
#   ci/bindings.sh --libclang   prints the directory of the pinned libclang, for LIBCLANG_PATH
#
# Needs Rust, Python 3 with pip, and the package index. A new kernel comes in by a new version of `ziglang` below, which
# carries the UAPI headers of all architectures, and a run with --update.
set -euo pipefail

libclang=18.1.1
ziglang=0.17.0
targets=(x86_64 aarch64 riscv64 loongarch64)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${CARGO_TARGET_DIR:-$root/target}/bindings-$libclang-$ziglang

# Unpacks what is needed of the two packages, once: a tree as `make headers_install` makes it for each architecture.
fetch() {
    [[ -e $cache/complete ]] && return
    rm -rf "$cache"
    mkdir -p "$cache/wheels"
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$cache/wheels" \
        "libclang==$libclang" "ziglang==$ziglang" >&2
    python3 - "$cache" "${targets[@]}" <<'PYTHON'
import os, pathlib, shutil, sys, zipfile

cache, targets = pathlib.Path(sys.argv[1]), sys.argv[2:]
include = "ziglang/lib/libc/include/"
# The directory of a target's own `asm` headers; the ones that most targets have alike stand in `any`.
own = {"x86_64": "x86", "aarch64": "aarch64", "riscv64": "riscv", "loongarch64": "loongarch"}

for wheel in (cache / "wheels").glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = name.removeprefix(include).split("/")
            if "clang/native/libclang." in name:
                path = cache / "libclang" / parts[-1]
            elif name.startswith(include) and parts[0].endswith("-linux-any") and parts[1] in ("asm", "asm-generic", "linux"):
                path = cache / "include" / "/".join(parts)
            else:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))

for target in targets:
    headers = cache / "headers" / target
    headers.mkdir(parents=True)
    for common in ("linux", "asm-generic"):
        os.symlink(f"../../include/any-linux-any/{common}", headers / common)
    shutil.copytree(cache / "include/any-linux-any/asm", headers / "asm")
    shutil.copytree(cache / "include" / f"{own[target]}-linux-any/asm", headers / "asm", dirs_exist_ok=True)
PYTHON
    ls "$cache"/libclang/libclang.* >/dev/null
    rm -rf "$cache/wheels"
    touch "$cache/complete"
}

# Prints the path of the bindings of crate $1 for target $2, made by the crate's own build script; $3 goes to clang.
generate() {
    LIBCLANG_PATH=$cache/libclang LINUX_HEADERS=$cache/headers/$2 \
        BINDGEN_EXTRA_CLANG_ARGS="--target=$2-linux-gnu ${3:-}" \
        cargo build --locked --quiet --manifest-path "$root/Cargo.toml" --target-dir "$cache/build" -p "$1" --features bindgen \
        --message-format=json | python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["reason"] == "compiler-message":
        print(message["message"]["rendered"], file=sys.stderr)
    if message["reason"] == "build-script-executed" and "/" + sys.argv[1] + "-" in message["out_dir"]:
        print(message["out_dir"] + "/bindings.rs")
' "$1"
}

fetch
case ${1:-} in
    --headers) echo "$cache/headers/$(uname -m)"; exit ;;
    --libclang) echo "$cache/libclang"; exit ;;
    --update | "") ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

status=0
for crate in aio-sys uring-sys; do
    committed=$root/$crate/src/bindings.rs
    for target in "${targets[@]}"; do
        made=$(generate "$crate" "$target")
        if [[ ${1:-} == --update && $target == "${targets[0]}" ]]; then
            cp "$made" "$committed"
        fi
        if diff -u --label "$crate, committed" --label "$crate, $target" "$committed" "$made"; then
            echo "$crate: $target as committed"
        else
            status=1
        fi
    done
done

# Headers that say they are older have to be refused, by both versions' names.
mkdir -p "$cache/older/linux"
echo '#define LINUX_VERSION_CODE 0x50a00' >"$cache/older/linux/version.h"
for crate in aio-sys uring-sys; do
    if refusal=$(generate "$crate" "${targets[0]}" "-I$cache/older" 2>&1); then
        echo "$crate: headers of Linux 5.10 are accepted"
        status=1
    elif ! grep -E 'Linux 5\.10, .* Linux [0-9]+\.[0-9]+' <<<"$refusal" >/dev/null; then
        echo "$crate: the refusal of old headers does not name the versions: $refusal"
        status=1
    else
        echo "$crate: headers of Linux 5.10 refused"
    fi
done
exit $status
