# Many guests alive at once, and nothing left of them.
. ./lib.sh
. ./scenarios/guests.sh
[ "${TOOL_NAME:-xcl}" = xcl ] && TOOL=/opt/xcl/bin/xcl
count=${COUNT:-200}

create_all() {
  local i
  for ((i = 1; i <= count; i++)); do with_tool create "many$i.cfg" || return; done
}
destroy_all() {
  local i
  for ((i = 1; i <= count; i++)); do with_tool destroy "many$i" || return; done
}
# Each says so once, under its own name and with its own nonce.
all_ready() {
  local names
  names=$(sed -n "s/^READY pv domid=[0-9]* name=\(many[0-9]*\) nonce=\1-$BOOT_NONCE write=OK.*/\1/p" \
    "$CONSOLE_LOGS"/guest-many*.log | sort -u | wc -l)
  echo "$names of $count are READY"
  [ "$names" = "$count" ]
}
all_gone() { [ "$(timeout 10 xenstore-list /local/domain)" = 0 ]; }

start_daemons "${STORE:-lixs}" "${CONSOLES:-consoled}"
cycle_leaves_nothing pv
for ((i = 1; i <= count; i++)); do guest_cfg pv "many$i"; done
remember many
ok "$count guests are created" create_all
ok "$count guests are READY, each with its nonce" wait_for 60 all_ready
is "$count guests have a home in the store" \
  "$(timeout 20 xenstore-list /local/domain | wc -l)" "$((count + 1))"
ok 'the last answers at its console' console_answers "$TOOL console many$count" ping pong
ok 'the first answers a watch' answers_poke many1
ok "$count guests are destroyed" destroy_all
ok 'none is left in the store' wait_for 20 all_gone
nothing_left many "$count guests created and destroyed"
finish
