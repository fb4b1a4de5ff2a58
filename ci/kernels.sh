#!/usr/bin/env bash
# ci/kernels.sh [--release] [--only REGEX] [--manifest Cargo.toml] [KERNEL...] - runs the test binaries under other kernels.
#
# KERNEL is one of 5.10, 6.1, 6.12, 7.2 (all, if none is named). Each is Debian's cloud kernel, booted in an emulated QEMU guest
# (ACCEL=kvm where nested virtualisation works) that runs every test binary as root, with GUEST=1, a scratch ext4 disk as TMPDIR, a disk that does two
# operations a second as SLOW_DISK, an NVMe disk, /dev/fuse, loop and ublk devices. It prints for each binary its status, counts, time and skips, and in
# the end a table. Exit status 1 if anything failed, hung or left files, mounts, loop devices or AIO contexts behind.
#
# Assets come from the Debian mirror that apt knows (or DEBIAN_MIRROR), once, into KERNELS_DIR (~/.cache/...); nothing is installed.
# LIMIT is the time for one binary in seconds; TEST_ARGS are the arguments of each, and ci/kernels/args/NAME those of one.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
here=$top/ci/kernels
assets=${KERNELS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/linux-aio-uring-kernels}
limit=${LIMIT:-300}
test_args=${TEST_ARGS:---test-threads=2 --show-output}
declare -A suites=([5.10]=bullseye [6.1]=bookworm [6.12]=trixie [7.2]=sid)

die() { echo "kernels.sh: $*" >&2; exit 1; }

only=. manifest=$top/Cargo.toml profile=() kernels=()
while [ $# -gt 0 ]; do
    case $1 in
    --release) profile=(--release) ;;
    --only) only=$2; shift ;;
    --manifest) manifest=$2; shift ;;
    *) [ -n "${suites[$1]:-}" ] || die "unknown kernel $1; there are ${!suites[*]}"; kernels+=("$1") ;;
    esac
    shift
done
[ ${#kernels[@]} -gt 0 ] || kernels=(5.10 6.1 6.12 7.2)
[ "$(uname -m)" = x86_64 ] || die "the guests' kernels are for x86_64"
mke2fs=$(PATH=$PATH:/sbin:/usr/sbin command -v mke2fs) || die "needs mke2fs (package e2fsprogs)"

work=$(mktemp -d)
guest_pid=
trap '[ -z "$guest_pid" ] || kill "$guest_pid" 2>/dev/null || true; rm -rf "$work"' EXIT
# Without this a signal ends the shell past its EXIT trap, and the guest goes on.
trap 'exit 130' INT TERM HUP

echo "== test binaries"
cargo test --manifest-path "$manifest" --workspace --no-run --message-format=json "${profile[@]}" >"$work/messages"
python3 "$here/binaries.py" <"$work/messages" >"$work/binaries"

# The tools disk: binaries, their arguments, and the shared libraries of this machine that they are linked to.
tools=$work/tools
mkdir -p "$tools"/{tests,programs,args,lib}
: >"$tools/programs.list"
echo "$limit" >"$tools/limit"
# Emulation is slow: a guest gets fewer random cases than a full run, which has 80 (of hundreds of operations) for each test.
cases=${PROPERTY_CASES:-20}
printf 'export GUEST=1 PROPERTY_CASES=%s\n' "$cases" >"$tools/environment"
count=0
while read -r kind name path; do
    if [ "$kind" = program ]; then
        strip -g -o "$tools/programs/$name" "$path"
        echo "$path $name" >>"$tools/programs.list"
    elif [[ $name =~ $only ]]; then
        strip -g -o "$tools/tests/$name" "$path"
        if [ -e "$here/args/$name" ]; then cp "$here/args/$name" "$tools/args/$name"; else echo "$test_args" >"$tools/args/$name"; fi
        count=$((count + 1))
    fi
done <"$work/binaries"
[ "$count" -gt 0 ] || die "no test binary matches $only"
cut -d' ' -f3 "$work/binaries" | xargs ldd | grep -oE '/[^ ]+\.so[^ ]*' | sort -u | xargs cp -Lt "$tools/lib"
"$mke2fs" -q -t ext4 -d "$tools" "$work/tools.img" $(($(du -sk "$tools" | cut -f1) * 5 / 4 + 16384))k >/dev/null
head -c 16M /dev/zero | tr '\0' '\245' >"$work/slow.img"
truncate -s 16M "$work/nvme.img"

echo "== guests: $count binaries, PROPERTY_CASES=$cases, kernels ${kernels[*]}, assets in $assets"
mkdir -p "$assets"
for kernel in "${kernels[@]}"; do echo "${suites[$kernel]}"; done | xargs "$here/assets.sh" "$assets"
# QEMU runs with the libc that it was fetched with, so that it does not depend on this machine's.
root=$assets/qemu
qemu=("$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu"
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios")
disk() { echo "-drive if=none,id=$1,format=raw,cache=unsafe,file=$2 -device virtio-blk-pci,drive=$1,serial=$1"; }

failed=0
for kernel in "${kernels[@]}"; do
    guest=$work/$kernel
    "$here/initrd.sh" "$assets" "${suites[$kernel]}" "$guest"
    truncate -s 1G "$guest/scratch.img"
    "$mke2fs" -q -t ext4 "$guest/scratch.img"
    : >"$guest/log"
    # Every binary may use its time, and the boot two minutes; a guest that takes longer hangs as a whole.
    # shellcheck disable=SC2046  # disk prints several arguments
    timeout -k 5 $((count * (limit + 10) + 120)) "${qemu[@]}" \
        -nodefaults -no-user-config -machine q35 -accel "${ACCEL:-tcg,thread=multi}" -action panic=shutdown -cpu max -smp 2 -m "${MEMORY:-2048}" -display none -monitor none -no-reboot \
        -kernel "$guest/vmlinuz" -initrd "$guest/initrd.gz" -append "console=ttyS0 loglevel=4 panic=-1 mitigations=off" \
        $(disk tools "$work/tools.img,readonly=on") $(disk scratch "$guest/scratch.img") \
        $(disk slow "$work/slow.img,throttling.iops-total=2,snapshot=on") \
        -drive "if=none,id=nvme,format=raw,cache=unsafe,snapshot=on,file=$work/nvme.img" -device nvme,drive=nvme,serial=nvme \
        -serial "file:$guest/console" -serial "file:$guest/log" &
    guest_pid=$!
    wait "$guest_pid" || true
    guest_pid=
    if ! python3 "$here/report.py" "$kernel" "$guest/log" "$limit" "$count" "$work/summary"; then
        failed=1
        if ! grep -q '^DONE' "$guest/log"; then echo "  the guest did not reach its end; its console:"; tail -n 30 "$guest/console" | sed 's/^/    | /'; fi
    fi
done

echo "== summary"
echo "kernel release                      binaries  passed  failed  skipped   result"
cat "$work/summary"
exit $failed
