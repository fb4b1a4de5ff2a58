#!/usr/bin/env bash
# ci/kernels/initrd.sh ASSETS SUITE OUT - puts the kernel of one unpacked Debian suite into OUT/vmlinuz, and into OUT/initrd.gz the
# static busybox, the guest's init and the few modules that it loads.
set -euo pipefail
assets=$1 suite=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
busybox=$assets/busybox/bin/busybox

shopt -s nullglob
releases=("$assets/linux-$suite"/{usr/,}lib/modules/*/)
[ ${#releases[@]} = 1 ] || { echo "initrd.sh: $assets/linux-$suite does not hold exactly one kernel" >&2; exit 1; }
modules=${releases[0]%/}
release=$(basename "$modules")
images=("$modules/vmlinuz" "$assets/linux-$suite/boot/vmlinuz-$release")

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc,tools,scratch} "$root/lib/modules/$release" "$out"
cp "$busybox" "$root/bin/busybox"
install -m 755 "$here/init" "$root/init"
for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"; done
printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"

# Debian's packages leave modules.dep to the installing machine; busybox's depmod writes it (it wants lib/modules below its base).
mkdir -p "$root/base/lib/modules"
ln -s "$modules" "$root/base/lib/modules/$release"
"$busybox" depmod -n -b "$root/base" "$release" | sed -n '/^kernel\/[^ ]*:/p' >"$root/modules.dep"
rm -r "$root/base"
for module in virtio_pci virtio_blk ext4 loop fuse ublk_drv; do
    # No line: built into this kernel.
    grep -E "/$module\.ko[.a-z]*:" "$root/modules.dep" | tr -d : | tr ' ' '\n' | sed '/^$/d' || true
done | sort -u | while read -r file; do
    install -D -m 644 "$modules/$file" "$root/lib/modules/$release/$file"
    grep "^$file:" "$root/modules.dep" >>"$root/lib/modules/$release/modules.dep"
done
rm "$root/modules.dep"

for image in "${images[@]}"; do [ ! -e "$image" ] || cp "$image" "$out/vmlinuz"; done
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$out/initrd.gz"
