# xcl, by default on our daemons, and guests with network cards and disks; stock xl looks on, and takes
# one away.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/linux.sh
TOOL=/opt/xcl/bin/xcl
FILE_DISK='file:/tmp/disk.img,xvda,w'

loops() { losetup -a | sed 's/ (deleted)//'; }
no_loop_left() { # those of the beginning, and no more; stock tools' list, not ours
  loops > /tmp/now.loops && diff /tmp/first.loops /tmp/now.loops
}
nothing_of_devices_left() {
  ok "$1: no interface and no back end is left" wait_for 10 backends_are_gone
  ok "$1: no loop device is left" wait_for 10 no_loop_left
}
devices_cfg() { # NAME: a small guest, which never looks at its devices
  guest_cfg pv "$1" 'vif = [ "", "bridge=xenbr0,rate=10Mb/s" ]' \
    "disk = [ \"$FILE_DISK\", \"phy:/dev/loop0,xvdb,r\" ]"
}
make_swap() {
  truncate -s 1M /tmp/swap.img && losetup /dev/loop1 /tmp/swap.img && mkswap /dev/loop1 && swapon /dev/loop1
}
small_cycle() {
  devices_cfg small
  rm -f "$(console_log small)"
  with_tool create small.cfg && wait_ready pv small && with_tool destroy small && wait_for 10 no_domain small &&
    wait_for 10 backends_are_gone && wait_for 10 no_loop_left
}
refused() { # STATUS PATTERN LINE...: xcl create of a guest with these lines fails so, and leaves nothing
  local status=$1 pattern=$2; shift 2
  guest_cfg pv refused "$@"
  ok "refused: $*" refused_as "$status" "$pattern"
  ok "refused: $*: leaves nothing" wait_for 5 nothing_half_made refused
}
refused_as() {
  with_tool create refused.cfg > /tmp/refused.out 2>&1
  local got=$?
  cat /tmp/refused.out
  [ "$got" = "$1" ] && grep -Eq -- "$2" /tmp/refused.out
}
xl_sees() { # COMMAND PATTERN
  timeout 20 xl $1 > /tmp/xl.out 2>&1
  cat /tmp/xl.out
  grep -Eq -- "$2" /tmp/xl.out
}

start_daemons "${STORE:-lixs}" "${CONSOLES:-consoled}"
ok 'dom0 has a bridge and a disk' make_bridge_and_disk
ok 'dom0 has a disk in use' make_swap
cp /opt/linux/disk.img /tmp/disk.img
loops > /tmp/first.loops

ok 'a small guest with devices comes and goes, to warm up' small_cycle
remember cycle
ok 'a small guest with devices comes and goes, measured' small_cycle
nothing_left cycle 'a small guest with devices'
remember refused
refused 3 'nosuch' 'vif = [ "bridge=nosuch" ]'
refused 3 '/tmp/none.img' "disk = [ \"$FILE_DISK\", \"file:/tmp/none.img,xvdb,w\" ]"
refused 3 'EISDIR' 'disk = [ "file:/tmp,xvdb,w" ]'
refused 3 'EBUSY' 'disk = [ "phy:/dev/loop1,xvdb,w" ]'
refused 3 'ENOTBLK' 'disk = [ "phy:/dev/null,xvdb,w" ]'
refused 3 'runs no hotplug scripts' 'vif = [ "script=vif-route" ]'

linux_comes_up tux
linux_works tux
ok 'stock xl lists its network card, connected' xl_sees 'network-list tux' '00:16:3e:00:00:01 +0 +4'
ok 'stock xl lists its disk, connected' xl_sees 'block-list tux' '51712 +0 +[0-9]+ +4'
ok 'stock xl lists it' xl_sees list '^tux '
linux_reboots tux
linux_goes tux destroy
nothing_of_devices_left tux

linux_comes_up pal "$FILE_DISK"
ok "pal's disk is a loop device" fails no_loop_left
ok 'another guest cannot write to its disk' eval \
  'devices_cfg other; with_tool create other.cfg > /tmp/other.out 2>&1; [ $? = 1 ] && grep -q /tmp/disk.img /tmp/other.out'
ok 'xcld is killed' kill -9 "$(cat /run/xen/xcld.sock.pid)"
linux_goes pal shutdown
nothing_of_devices_left pal

devices_cfg stock
ok 'xcl create stock' with_tool create stock.cfg
ok 'stock is READY' wait_ready pv stock
ok 'stock xl destroys what xcl has created' timeout 60 xl destroy stock
nothing_of_devices_left stock
ok 'xcl lists it no more' wait_for 10 fails list_shows stock

guest_ends_itself_with_devices() {
  devices_cfg crash
  ok 'xcl create crash' with_tool create crash.cfg
  ok 'crash is READY' wait_ready pv crash
  say_to crash crash
  ok 'crash is gone from the store' wait_for 20 no_domain crash
  nothing_of_devices_left crash
}
guest_ends_itself_with_devices
finish
