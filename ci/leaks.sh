#!/usr/bin/env bash
# ci/leaks.sh COMMAND... - runs the command with an empty TMPDIR of its own and fails if it leaves a file, a mount, a loop device, a
# process or an AIO context behind. Otherwise its exit status is the command's.
set -euo pipefail

# Without symbolic links, as the kernel prints it.
directory=$(realpath "$(mktemp -d)")
mark=leaks-$$-$RANDOM
trap 'rm -rf --one-file-system "$directory"' EXIT

contexts() { cat /proc/sys/fs/aio-nr; }
# Children inherit the environment, so the mark finds them in whatever session they are.
processes() { grep -lzsx "LEAKS_MARK=$mark" /proc/[0-9]*/environ || true; }

before=$(contexts)
status=0
LEAKS_MARK=$mark TMPDIR=$directory "$@" || status=$?

# The kernel takes mounts and contexts of a dead process apart a moment after its parent has learned of the end.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -n "$(processes)" ] || [ "$(contexts)" -gt "$before" ] || grep -qF "$directory" /proc/self/mountinfo || break
    sleep 0.5
done

left=()
for environ in $(processes); do
    process=${environ%/environ}
    left+=("process ${process#/proc/}: $(tr '\0' ' ' <"$process/cmdline" || true)")
done
after=$(contexts)
if [ "$after" -gt "$before" ]; then
    # The count is the whole system's. A context is mapped by its owner, so another process that has one may be the reason.
    if owners=$(grep -ls '\[aio\]' /proc/[0-9]*/maps); then
        echo "leaks.sh: fs.aio-nr was $before and is $after, which cannot be judged while others use AIO: ${owners//$'\n'/ }" >&2
    else
        left+=("fs.aio-nr was $before and is $after, and no process has a context")
    fi
fi
while read -r line; do left+=("mount: $line"); done < <(grep -F "$directory" /proc/self/mountinfo || true)
for backing in /sys/block/loop*/loop/backing_file; do
    if grep -qsF "$directory" "$backing"; then left+=("loop device: $backing"); fi
done
while read -r file; do left+=("file: $file"); done < <(find "$directory" -xdev -mindepth 1 -ls)

if [ ${#left[@]} -gt 0 ]; then
    echo "leaks.sh: left behind by: $*" >&2
    printf '  %s\n' "${left[@]}" >&2
    [ "$status" != 0 ] || status=1
fi
exit "$status"
