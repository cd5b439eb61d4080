#!/bin/bash
# Makes what a rig boots: build-image.sh DEBS OUT NODE
#
#   DEBS  folder with the Debian packages fetched by packages.ts
#   OUT   gets xen, vmlinuz, base.cpio (dom0's user space), node.cpio (only node), linux.cpio (a Linux
#         guest's kernel and initramfs, and a disk for it)
#   NODE  the node binary that dom0 is to have
#
# dom0 has no disk: its root is one initramfs, and Linux takes several cpio archives one after the
# other as one. So each layer is built once, and a boot only adds a small one with what is tested.
set -euo pipefail

debs=$1 out=$2 node=$3
here=$(cd "$(dirname "$0")" && pwd)
multiarch=x86_64-linux-gnu
mkdir -p "$out"
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

for deb in "$debs"/*.deb; do dpkg -x "$deb" "$work/debian"; done
debian=$work/debian
release=$(basename "$debian"/boot/vmlinuz-* | sed s/^vmlinuz-//)
depmod --basedir "$debian" "$release"
xen_bin=$(cd "$debian" && echo usr/lib/xen-[0-9]*/bin)

pack() { # FOLDER ARCHIVE: the folder as a cpio archive, all files root's
  (cd "$1" && find . | cpio --create --format=newc --owner=0:0 --quiet) > "$2.part"
  mv "$2.part" "$2"
}

# Libraries a program is linked with, from this machine: dom0's user space and ours are one Debian.
libraries_of() { ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u; }

install_library() { # ROOT LIBRARY...: under its soname, so no ldconfig is needed
  local root=$1 library; shift
  for library; do cp --dereference --update "$library" "$root/lib/$multiarch/"; done
}

install_program() { # ROOT PROGRAM...: a program of this machine, with its libraries
  local root=$1 program; shift
  for program; do
    rm -f "$root/bin/$(basename "$program")" # cp would write through the link to busybox
    cp --dereference "$program" "$root/bin/"
  done
  install_library "$root" $(libraries_of "$@")
}

install_modules() { # ROOT MODULE...: with what they depend on; without debug sections (a third of the size)
  local root=$1 module; shift
  mkdir -p "$root/lib/modules/$release"
  cp "$debian/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$release/"
  for module; do
    modprobe --dirname "$debian" --set-version "$release" --show-depends "$module"
  done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
    install -D --mode=644 "$file" "$root/${file#"$debian"/}"
  done
  find "$root/lib/modules" -name '*.ko' -exec strip --strip-debug {} +
  depmod --basedir "$root" "$release"
}

install_busybox() { # ROOT
  local applet
  mkdir -p "$1/bin"
  for applet in $(busybox --list); do ln -s busybox "$1/bin/$applet"; done
  rm -f "$1/bin/busybox" # it lists itself
  cp "$(command -v busybox)" "$1/bin/busybox"
}

build_base() {
  local root=$work/base program
  mkdir -p "$root"/{bin,dev,etc,lib,lib64,out,proc,root,run,sys,tmp,opt} \
    "$root"/{"lib/$multiarch","$xen_bin",usr/bin,usr/sbin,usr/lib,var/lib/xen,var/lib/xenstored,var/log/xen/console}
  # Everything lies in /bin and /lib: /sbin and /usr/lib/MULTIARCH are other names of them.
  ln -s bin "$root/sbin"
  ln -s "/lib/$multiarch" "$root/usr/lib/$multiarch"
  ln -s /run "$root/var/run"
  ln -s /run/lock "$root/var/lock"
  install_busybox "$root"
  cp --dereference /lib64/ld-linux-x86-64.so.2 "$root/lib64/"

  # Xen's hotplug scripts want the real bash, ip, flock and a stat that knows --dereference on
  # /dev/stdin; with busybox's their lock never comes free and the block script runs into its time-out.
  install_program "$root" /bin/bash "$(command -v ip)" "$(command -v bridge)" "$(command -v stat)" \
    "$(command -v flock)" "$(command -v losetup)" "$(command -v mount)" "$(command -v umount)" \
    "$(command -v setpriv)" "$(command -v script)" "$(command -v sort)" "$(command -v comm)" \
    "$(command -v env)" "$(command -v start-stop-daemon)"
  ln -sf bash "$root/bin/sh"
  ln -sf /bin/bash "$root/usr/bin/bash"
  ln -sf /bin/env "$root/usr/bin/env"

  for program in xl xenstored oxenstored xenconsoled xenconsole xen-init-dom0 lsevtchn \
    libxl-save-helper xenstore-control xentop xen-diag; do
    cp "$debian/$xen_bin/$program" "$root/$xen_bin/"
    ln -s "/$xen_bin/$program" "$root/usr/sbin/$program"
  done
  cp --no-dereference "$debian"/usr/bin/xenstore* "$root/usr/bin/"
  cp --recursive "$debian/etc/xen" "$root/etc/"
  install_library "$root" $(libraries_of "$root/$xen_bin"/* "$root/usr/bin/xenstore" "$node")
  # Also those which nothing of Debian's needs but our addon may.
  install_library "$root" "/usr/lib/$multiarch"/libxen*.so.* "/usr/lib/$multiarch"/libxl*.so.* \
    "/usr/lib/$multiarch"/libstdc++.so.6 "/lib/$multiarch"/lib{gcc_s,m,dl,rt,pthread,util,nss_files}.so.?

  install_modules "$root" xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs \
    xen-netback xen-blkback bridge loop ext4
  printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
  echo '127.0.0.1 localhost dom0' > "$root/etc/hosts"
  echo 'passwd: files' > "$root/etc/nsswitch.conf"
  pack "$root" "$out/base.cpio"
}

build_node() {
  local root=$work/node
  mkdir -p "$root/usr/bin"
  cp --dereference "$node" "$root/usr/bin/node"
  strip "$root/usr/bin/node"
  pack "$root" "$out/node.cpio"
}

# A Linux guest: Debian's kernel, busybox and the drivers, PVH, about 128 MiB.
build_linux() {
  local root=$work/linux guest=$work/linux-layer/opt/linux
  mkdir -p "$root"/{dev,proc,sys,tmp} "$guest"
  install_busybox "$root"
  ln -s bin "$root/sbin"
  install_modules "$root" xen-netfront xen-blkfront
  install --mode=755 "$here/linux-guest-init" "$root/init"
  pack "$root" "$guest/initrd"
  # Unpacked by an emulated processor: gzip costs it less than the time to copy raw bytes would save.
  gzip --fast "$guest/initrd"
  cp "$debian/boot/vmlinuz-$release" "$guest/vmlinuz"
  truncate --size=1M "$guest/disk.img"
  printf 'XCL-RIG-DISK-MARKER\n' | dd of="$guest/disk.img" conv=notrunc status=none
  pack "$work/linux-layer" "$out/linux.cpio"
}

zcat "$debian"/boot/xen-*.gz > "$out/xen"
cp "$debian/boot/vmlinuz-$release" "$out/vmlinuz"
build_base
build_node
build_linux
