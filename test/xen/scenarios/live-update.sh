# Another program takes the place of the XenStore daemon while guests run: ours after ours; or ours after the
# stock one, and the stock one after ours.
. ./lib.sh
. ./scenarios/guests.sh
TOOL=/opt/xcl/bin/xcl
: "${STORE:=lixs}"

program_of() { case $1 in lixs) echo /opt/xcl/bin/lixs ;; *) echo "/usr/sbin/$1" ;; esac; }
update() { timeout 60 xenstore-control live-update -t 20 "$(program_of "$1")"; }
serves() { timeout 10 xenstore-exists /tool/xenstored; }
same_pid() { [ "$(cat "$store_pid_file")" = "$pid" ] && running "$store_pid_file"; }
is_program() { tr '\0' '\n' < "/proc/$pid/cmdline" | head -n 1 | grep -q "$1"; }
spins_on() { # NAME: it goes on writing
  local path before
  path=/local/domain/$(domid_of "$1")/data/spin
  before=$(store_value "$path")
  wait_for 10 is_beyond "$path" "$before"
}
is_beyond() { [ "$(store_value "$1")" -gt "$2" ]; } # PATH NUMBER
watch_hears() { # by a client that has watched since before the update
  timeout 10 xenstore-write /watched "$1" && wait_for 10 heard "$1"
}
heard() { [ "$(grep -c '^/watched' /tmp/watch.out)" -ge "$1" ]; }

start_daemons "$STORE" consoled
pid=$(cat "$store_pid_file")
for type in pv pvh; do guest_comes_up $type "stays-$type"; done
guest_comes_up pv spins
say_to spins 'spin-write 4000000000'
wait_for 10 store_value "/local/domain/$(domid_of spins)/data/spin"
timeout 300 xenstore-watch /watched > /tmp/watch.out 2>&1 &
watcher=$!
wait_for 10 heard 1
tree_before=$(timeout 20 xenstore-ls -p /local/domain/$(domid_of stays-pv))

round=0
for next in lixs "$STORE" lixs; do
  round=$((round + 1))
  ok "live update $round, to $next" update "$next"
  ok "the daemon serves ($round)" serves
  ok "its process is the same ($round)" same_pid
  ok "the program is $next ($round)" is_program "$next"
  ok "a guest that writes all the time goes on ($round)" spins_on spins
  is "the tree of a guest, its permissions included, is as before ($round)" \
    "$(timeout 20 xenstore-ls -p /local/domain/$(domid_of stays-pv) | grep -v poke)" \
    "$(grep -v poke <<< "$tree_before")"
  ok "a tool that watched before hears of a change ($round)" watch_hears $((round + 1))
  for type in pv pvh; do
    ok "stays-$type answers a watch of its own ($round)" answers_poke "stays-$type"
    console_works "stays-$type"
  done
  guest_lives pv "new-$round" shutdown
done

kill "$watcher"
guest_goes stays-pv shutdown
ok 'a guest is told to crash' say_to stays-pvh crash
ok 'its death is noticed' wait_for 20 no_domain stays-pvh
guest_goes spins destroy
finish
