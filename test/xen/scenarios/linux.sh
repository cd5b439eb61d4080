# Claims about a Linux guest with a network interface on a bridge and a disk.

make_bridge_and_disk() {
  modprobe xen-netback && modprobe xen-blkback && modprobe bridge && modprobe loop || return
  ip link add xenbr0 type bridge || return
  ip address add 10.10.0.1/24 dev xenbr0 || return
  ip link set xenbr0 up || return
  losetup /dev/loop0 /opt/linux/disk.img
}

linux_comes_up() { # NAME [DISK]
  linux_cfg "$1" \
    'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' \
    "disk = [ \"${2:-phy:/dev/loop0,xvda,r}\" ]" \
    'extra = "console=hvc0 quiet rig.ip=10.10.0.2/24 rig.disk=xvda"'
  ok "$TOOL create $1 (Linux with vif and vbd)" with_tool create "$1.cfg"
  ok "$1 comes up" wait_for "${LINUX_SECONDS:-120}" said "$1" LINUX-UP
  ok "$1 reads its disk" said "$1" '^LINUX-DISK XCL-RIG-DISK-MARKER'
  ok "$1's interface is on the bridge" test -n "$(ls /sys/class/net/xenbr0/brif)"
}

linux_works() { # NAME
  # The sum is the guest's: what was typed comes back as an echo and proves nothing.
  ok "$TOOL console $1: a shell answers" \
    console_answers "$TOOL console $1" 'echo sum-$((40 + 2))' sum-42
  ok "$1 pings dom0" linux_pings "$1"
  ok "dom0 pings $1" ping -c 1 -W 5 10.10.0.2
}
linux_pings() { # NAME
  say_to "$1" 'ping -c 1 -W 5 10.10.0.1 && echo reached-$((40 + 2))'
  wait_for 15 said "$1" reached-42
}

backends_are_gone() {
  [ -z "$(ls /sys/class/net/xenbr0/brif)" ] || { ls /sys/class/net/xenbr0/brif; return 1; }
  local kind
  for kind in vif vbd; do
    [ -z "$(timeout 10 xenstore-list "/local/domain/0/backend/$kind" 2>/dev/null)" ] || {
      timeout 10 xenstore-ls "/local/domain/0/backend/$kind"
      return 1
    }
  done
}

linux_pauses() { # NAME
  ok "$TOOL pause $1" with_tool pause "$1"
  ok "$TOOL list shows $1 paused" list_shows_state "$1" p
  ok "$1 answers no ping" fails ping -c 1 -W 1 10.10.0.2
  ok "$TOOL unpause $1" with_tool unpause "$1"
  ok "$1 answers again" wait_for 10 ping -c 1 -W 2 10.10.0.2
}

linux_reboots() { # NAME
  local domid
  domid=$(domid_of "$1")
  ok "$TOOL reboot $1" with_tool reboot "$1"
  ok "$1 comes up a second time" wait_for "${LINUX_SECONDS:-120}" said_times "$1" LINUX-UP 2
  ok "$1 is another domain now" test "$(domid_of "$1")" != "$domid"
  ok "$1 reads its disk again" said_times "$1" '^LINUX-DISK XCL-RIG-DISK-MARKER' 2
  ok "dom0 pings $1 again" wait_for 10 ping -c 1 -W 2 10.10.0.2
}

linux_goes() { # NAME shutdown|destroy: and its devices go with it
  local domid
  domid=$(domid_of "$1")
  ok "$TOOL $2 $1" with_tool "$2" "$1"
  ok "$1 is gone from the store" wait_for "${LINUX_SECONDS:-40}" no_domain "$1"
  ok "$1 is gone from Xen" wait_for 20 no_domid "$domid"
  ok "$1's devices are gone" wait_for 10 backends_are_gone
}
