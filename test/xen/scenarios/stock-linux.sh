# Debian's own daemons and xl with a Linux guest that has devices.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/linux.sh

start_daemons xenstored xenconsoled
ok 'dom0 has a bridge and a disk' make_bridge_and_disk
linux_comes_up tux
linux_works tux
linux_goes tux shutdown
finish
