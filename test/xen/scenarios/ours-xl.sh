# Our daemons under Debian's xl, which must not notice.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/linux.sh
. ./scenarios/store-clients.sh

start_daemons "${STORE:-lixs}" "${CONSOLES:-consoled}"
store_clients_work
for type in pv pvh; do
  guest_comes_up $type "first-$type"
  keys_are_right "first-$type"
  ok "xl list shows first-$type" list_shows "first-$type"
  console_works "first-$type"
  pause_and_unpause "first-$type"
  guest_goes "first-$type" shutdown
  guest_reboots $type "again-$type" with_tool reboot "again-$type"
done
guest_ends_itself pv off poweroff
guest_ends_itself pv crash crash
guest_dies_writing pv writing
cycle_leaves_nothing pv
cycle_leaves_nothing pvh
ok 'dom0 has a bridge and a disk' make_bridge_and_disk
linux_comes_up tux
linux_works tux
linux_pauses tux
linux_reboots tux
linux_goes tux shutdown
linux_comes_up pal
linux_goes pal destroy
finish
