# Debian's own daemons and xl with our guest: proves the rig, and is the oracle for the suites of ours.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/store-clients.sh

start_daemons "${STORE:-xenstored}" xenconsoled
store_clients_work
guest_lives pv one shutdown
guest_lives pvh two destroy
cycle_leaves_nothing pv
cycle_leaves_nothing pvh
finish
