# What a person does with xcl besides creating and destroying, and what is left when a daemon is killed.
. ./lib.sh
. ./scenarios/guests.sh
TOOL=/opt/xcl/bin/xcl

numbers_and_names() { # NAME
  local domid
  domid=$(domid_of "$1")
  is "xcl domid $1" "$(with_tool domid "$1")" "$domid"
  is "xcl domname of $1's number" "$(with_tool domname "$domid")" "$1"
}

several_viewers() { # NAME
  open_terminal first "$TOOL console $1"
  open_terminal second "$TOOL console --ro $1"
  ok 'two viewers see what was said before' both_see first second '^READY'
  ok 'a third types' console_answers "$TOOL console $1" 'echo for-all' '^for-all'
  ok 'both see the answer' both_see first second '^for-all'
  ok 'the first leaves by Ctrl-]' leave first
  ok 'the second, who only looks, leaves by Ctrl-]' leave second
  ok 'who only looks may type' type_at_console "$TOOL console --ro $1" 'echo not-heard'
  ok 'the guest hears the next who types' console_answers "$TOOL console $1" 'echo is-heard' '^is-heard'
  is 'it heard nothing of who only looked' "$(times_said "$1" not-heard)" 0
}

created_at_console() { # NAME
  guest_cfg pv "$1"
  open_terminal created "$TOOL create -c $1.cfg"
  ok 'xcl create -c shows the guest from its first line' sees created "$(ready_line pv "$1")"
  ok 'Ctrl-] leaves it' leave created
  ok 'the guest lives on' answers_poke "$1"
}

ends_while_waited_for() { # NAME
  local domid
  domid=$(domid_of "$1")
  ok "xcl shutdown -w $1" with_tool shutdown -w "$1"
  ok "$1 said goodbye" said "$1" '^BYE'
  ok "$1 is gone from Xen when it returns" no_domid "$domid"
  ok "$1 is gone from the store when it returns" no_domain "$1"
}

# Nobody tells it to: the guest does not notice that its console changed hands.
consoled_is_killed() { # NAME
  ok 'consoled is killed' stop_process "$(cat "$console_pid_file")" KILL
  ok 'a new one starts in its place' start_consoles consoled
  ok "$1 is served on" console_answers "$TOOL console $1" 'echo still-here' '^still-here'
  ok "$1's log goes on where it was" test "$(times_said "$1" '^READY')" -eq 1 -a "$(times_said "$1" '^still-here')" -eq 1
  ok 'it is asked to end' stop_process "$(cat "$console_pid_file")"
  ok 'and starts again' start_consoles consoled
  ok "$1 is still served" console_answers "$TOOL console $1" 'echo and-here' '^and-here'
}

# Large, so that building it takes a while.
xcld_is_killed_while_it_creates() {
  local creator
  guest_cfg pvh large 'memory = 1500'
  remember killed
  with_tool create large.cfg > /tmp/creator.out 2>&1 &
  creator=$!
  ok 'xcld is killed while it builds a guest' kill_while_half_made
  wait "$creator"
  ok 'its client ends with 1 and a sentence' failed_well $? /tmp/creator.out
  ok 'a new xcld starts' with_tool list
  ok 'nothing is left of the half-made guest' wait_for 10 nothing_half_made killed
  is 'nor in its journal' "$(half_made '')" 0
  ok 'the guests of the one that was killed live on' answers_poke one
}
# How many records say that their domain is being created, and go on so. A record begins with its state.
half_made() { # REGEX
  grep -aoE "b [0-9]{4} [0-9a-f-]{36} $1" /var/lib/xcl/domains.journal | wc -l
}
kill_while_half_made() {
  local tries
  for ((tries = 0; tries < 2000; tries++)); do
    if [ "$(half_made '\{"domid":[0-9]')" -gt 0 ]; then
      stop_process "$(cat /run/xen/xcld.sock.pid)" KILL
      [ "$(half_made '')" -gt 0 ] # or it was made by then, and this shows nothing
      return
    fi
    sleep 0.01
  done
  echo 'no domain was ever half made'
  return 1
}
failed_well() { cat "$2"; [ "$1" = 1 ] && [ "$(grep -c . "$2")" = 1 ]; } # STATUS OUTPUT

start_daemons lixs consoled
guest_comes_up pv one
pause_and_unpause one
numbers_and_names one
several_viewers one
consoled_is_killed one
created_at_console two
ends_while_waited_for two
guest_reboots pv three with_tool reboot -w three
xcld_is_killed_while_it_creates
guest_goes one shutdown
finish
