# Only our programs, besides Debian's xen-init-dom0 and xenstore-*: every claim of the acceptance list.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/store-clients.sh
. ./scenarios/refusals.sh
TOOL=/opt/xcl/bin/xcl

start_daemons lixs consoled
store_clients_work

for type in pv pvh; do
  guest_comes_up $type "first-$type"
  keys_are_right "first-$type"
  ok "xcl list shows first-$type" list_shows "first-$type"
  console_works "first-$type"
  guest_goes "first-$type" shutdown
  cycle_leaves_nothing $type
  guest_ends_itself $type "off-$type" poweroff
  guest_ends_itself $type "crash-$type" crash
  guest_reboots $type "again-$type" say_to "again-$type" reboot
  remember writing
  guest_dies_writing $type "writing-$type"
  nothing_left writing "a $type guest destroyed while it wrote"
done

creates_are_refused
commands_are_refused
remember second
# 0: Debian's script starts anew what it does not recognise as running, and that is no failure.
refuses 'a second lixs with the same pid file' 0 'running|in use|already|lock' /opt/xcl/bin/lixs --pid-file "$store_pid_file"
refuses 'a second lixs with a pid file of its own' 1 'running|in use|already|lock' \
  /opt/xcl/bin/lixs --pid-file /run/xen/second.pid
ok 'the first lixs runs on' running "$store_pid_file"
ok 'the first lixs serves on' same_tree second
refuses 'a second consoled' 1 'running|in use|already|lock' \
  /opt/xcl/bin/consoled --pid-file "$console_pid_file"
refuses 'lixs by a person who is not root' 5 'root|privilege|permission' \
  /bin/setpriv --reuid=65534 --regid=65534 --clear-groups /opt/xcl/bin/lixs --pid-file /tmp/nobody.pid

# Last, for nothing can be asked afterwards.
ok 'lixs ends when asked to' stop_process "$(cat "$store_pid_file")"
guest_cfg pv orphan
refuses 'xcl create with no lixs, xcld running' 1 'xenstore|lixs' "$TOOL" create orphan.cfg
refuses 'xcl create with no lixs, a new xcld' 1 'xenstore|lixs' \
  env XCLD_SOCKET=/run/xen/other-xcld.sock XCLD_STATE_DIR=/tmp/other-xcl "$TOOL" create orphan.cfg
is 'xcl create with no lixs leaves no domain' "$(domids 60)" ''
finish
