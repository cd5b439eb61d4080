# Any store daemon, any console daemon, any toolstack: named by STORE, CONSOLES and TOOL_NAME.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/store-clients.sh
[ "$TOOL_NAME" = xcl ] && TOOL=/opt/xcl/bin/xcl

start_daemons "$STORE" "$CONSOLES"
store_clients_work
guest_lives pv first shutdown
guest_lives pvh second destroy
cycle_leaves_nothing pv
finish
