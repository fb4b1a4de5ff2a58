#!/usr/bin/env bash
# ci/kernels/assets.sh DIR SUITE... - unpacks into DIR what the guests are made of: QEMU, a static busybox, and the kernel of each
# Debian suite. Nothing is installed: apt works on lists, cache and package status of its own below DIR. What is there is kept;
# remove a subdirectory to have it fetched again.
set -euo pipefail
dir=$1
shift

die() { echo "assets.sh: $*" >&2; exit 1; }

command -v apt-get dpkg-deb >/dev/null || die "needs apt-get and dpkg-deb"
# shellcheck disable=SC2016  # the format is apt's
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Component: main' | awk '/\/debian\/?$/ && !n++')}
[ -n "$mirror" ] || die "apt knows no Debian mirror on this machine; name one in DEBIAN_MIRROR"
key=${DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

# setup ROOM SUITE...: a room is one apt world. Each kernel suite has its own, so that no suite's libc is mixed into another's.
setup() {
    local room=$dir/apt/$1
    shift
    mkdir -p "$room"/{lists/partial,archives/partial,sources}
    : >"$room/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$*" "$key" >"$room/sources/debian.sources"
    cat >"$room/apt.conf" <<END
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$room/sources";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$room";
Dir::State::Lists "$room/lists";
Dir::State::Status "$room/status";
Dir::Cache "$room";
Dir::Cache::Archives "$room/archives";
APT::Architecture "amd64";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Debug::NoLocking "true";
quiet "2";
END
    export APT_CONFIG=$room/apt.conf
    apt-get update
}

# unpack ROOM TREE: every package that lies in ROOM's archive, below TREE; TREE appears only when it is whole.
unpack() {
    rm -rf "$2.part"
    mkdir -p "$2.part"
    for deb in "$dir/apt/$1"/archives/*.deb; do dpkg-deb -x "$deb" "$2.part"; done
    rm -f "$dir/apt/$1"/archives/*.deb
    mv "$2.part" "$2"
}

if [ ! -e "$dir/qemu" ] || [ ! -e "$dir/busybox" ]; then
    setup tools bookworm bookworm-backports
    # The empty package status makes apt fetch every library too, down to libc: QEMU then runs on any host.
    [ -e "$dir/qemu" ] || { apt-get install -y -d -t bookworm-backports qemu-system-x86 >/dev/null; unpack tools "$dir/qemu"; }
    [ -e "$dir/busybox" ] || { (cd "$dir/apt/tools/archives" && apt-get download busybox-static); unpack tools "$dir/busybox"; }
fi

for suite; do
    [ ! -e "$dir/linux-$suite" ] || continue
    setup "$suite" "$suite"
    # The meta package names the current image; since 7.x that one is split into a binary and a modules package.
    image=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ && !n++ { print $2 }')
    [ -n "$image" ] || die "$suite has no linux-image-cloud-amd64"
    parts=$image
    for part in "${image/image/binary}" "${image/image/modules}"; do
        if apt-cache show "$part" >/dev/null 2>&1; then parts+=" $part"; fi
    done
    # shellcheck disable=SC2086  # a list of package names
    (cd "$dir/apt/$suite/archives" && apt-get download $parts)
    unpack "$suite" "$dir/linux-$suite"
done
rm -rf "$dir/apt"
