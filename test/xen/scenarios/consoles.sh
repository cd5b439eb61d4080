# consoled in the place of xenconsoled: guests of stock xl and of xcl at once, people at their consoles, what the
# logs say, and what becomes of all that when consoled is killed.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/refusals.sh

XCL=/opt/xcl/bin/xcl
# Where Debian's init script looks for it.
STOCK=$(readlink -f /usr/sbin/xenconsoled)
PID_FILE=/run/xenconsoled.pid
PASSWORD=$(nonce_of secret)

# --- the daemon -----------------------------------------------------------------------------------

# By its path: busybox's timeout would take busybox's own for the bare name.
DAEMON_STARTER=/bin/start-stop-daemon
# The words of Debian's /etc/init.d/xen; OPTIONs are what an administrator puts into XENCONSOLED_ARGS.
debian_starts_it() { # OPTION...
  timeout 20 "$DAEMON_STARTER" --start --quiet --pidfile "$PID_FILE" --exec "$STOCK" --test > /dev/null || return 9
  timeout 60 "$DAEMON_STARTER" --start --quiet --pidfile "$PID_FILE" --exec "$STOCK" -- "$@" --pid-file "$PID_FILE"
}
debian_stops_it() {
  timeout 60 "$DAEMON_STARTER" --stop --quiet --retry=TERM/30/KILL/5 --pidfile "$PID_FILE" --name xenconsoled &&
    timeout 60 "$DAEMON_STARTER" --stop --quiet --oknodo --retry=0/30/KILL/5 --exec "$STOCK"
}
named_as_stock() { [ "$(cat "/proc/$(cat "$PID_FILE")/comm")" = xenconsoled ]; }
# The number and a newline. The lock is one of fcntl, as upstream's is.
pid_file_is_right() {
  [ "$(wc -l < "$PID_FILE")" = 1 ] && running "$PID_FILE" &&
    grep "\(POSIX\|OFDLCK\) .* WRITE .*:$(stat -c %i "$PID_FILE") " /proc/locks || { cat /proc/locks; return 1; }
}
in_background() { # no terminal, a session of its own, out of everybody's way
  local pid
  pid=$(cat "$PID_FILE")
  [ "$(readlink "/proc/$pid/cwd")" = / ] && [ "$(awk '{ print $6, $7 }' "/proc/$pid/stat")" = "$pid 0" ]
}

says_its_version() { # OPTION
  timeout 30 "$STOCK" "$1" > /tmp/version.out && grep -q '^Xen Console Daemon 3\.0' /tmp/version.out
}
helps() { # OPTION: with every option of xenconsoled's
  local option
  timeout 30 "$STOCK" "$1" > /tmp/help.out || return
  for option in -h -V -v -i -t -o --help --version --verbose --interactive --log --log-dir --timestamp \
    --overflow-data --replace-escape --pid-file; do
    grep -qE -- "(^|[ ,])$option([ ,=]|$)" /tmp/help.out || { echo "no $option"; cat /tmp/help.out; return 1; }
  done
}
accepts() { # SETTINGS (as printed, one word) OPTION...
  local settings=$1 setting; shift
  timeout 30 "$STOCK" "$@" --print-config > /tmp/config.out || return
  for setting in $settings; do
    grep -q "^${setting%%=*} = ${setting#*=}  # flag" /tmp/config.out || { echo "not: $setting"; cat /tmp/config.out; return 1; }
  done
}

options_are_upstreams() {
  ok '-V prints the line that scripts look for' says_its_version -V
  ok '--version prints it, too' says_its_version --version
  ok '-h names every option of xenconsoled' helps -h
  ok '--help does, too' helps --help
  ok 'long options are taken' accepts \
    'log=guest log-dir=/tmp/logs pid-file=/tmp/pid timestamp=none overflow-data=keep interactive=true verbose=true replace-escape=true' \
    --log=guest --log-dir=/tmp/logs --pid-file=/tmp/pid --timestamp=none --overflow-data=keep \
    --interactive --verbose --replace-escape
  ok 'short options are taken' accepts 'timestamp=guest overflow-data=discard interactive=true verbose=true log=none' \
    -v -i -t guest -o discard --log none
  ok 'hv is taken' accepts 'timestamp=hv log=hv' --timestamp=hv --log=hv
  ok 'all is taken' accepts 'timestamp=all log=all overflow-data=keep' -t all --log=all -o keep
}

# --- people at consoles ---------------------------------------------------------------------------

# The prompt is asked for anew: who opened a console late may have missed it.
logs_in() { # TERMINAL WHO: refused with a wrong password, let in with the right one
  ok "$2: asks who is there" answers_at "$1" '' 'login: $'
  ok "$2: asks for the password" answers_at "$1" person 'Password: $'
  ok "$2: refuses a wrong password" answers_at "$1" wrong 'Login incorrect'
  type_in "$1" person
  ok "$2: asks for the password again" wait_for 15 shows_times "$1" Password: 2
  ok "$2: a shell after the right one" answers_at "$1" "$PASSWORD" '^~ # '
  ok "$2: it is that person's" answers_at "$1" 'echo "I am $(id -un) at $(tty)"' '^I am person at /dev/hvc0'
}
shows_times() { [ "$(grep -aoc -- "$2" "$(screen_of "$1")")" -ge "$3" ]; } # TERMINAL PATTERN COUNT

# The sum is the guest's: what was typed comes back as an echo and proves nothing.
shell_answers() { # TERMINAL WORD
  answers_at "$1" "echo $2-\$((40 + 2))" "^$2-42"
}

screen_is_log() { cmp "$(screen_of "$1")" "$(console_log "$2")"; } # TERMINAL NAME: all that the guest ever said
log_is() { # TYPE NAME LINE...: READY and these, byte for byte
  local type=$1 name=$2; shift 2
  printf '%s\r\n' "READY $type domid=$(domid_of "$name") name=$name nonce=$(nonce_of "$name") write=OK" "$@" |
    cmp - "$(console_log "$name")"
}

linux_with_login() { # NAME
  linux_cfg "$1" "extra = \"console=hvc0 quiet rig.login=person:$PASSWORD\""
}

# --- counting -------------------------------------------------------------------------------------

# Prints numbered lines until a line is typed. No echo and no prompt may come between them.
COUNT_IN_SHELL='stty -echo; sh -c "(read x < /dev/tty; : > /tmp/end) & i=0;'
COUNT_IN_SHELL+=' until [ -e /tmp/end ]; do i=\$((i+1)); echo LINE \$i; done; echo COUNTED \$i"; stty echo'

size_of_log() { stat -c %s "$(console_log "$1")"; }
log_grows() { # NAME
  local before
  before=$(size_of_log "$1")
  wait_for 20 log_is_beyond "$1" "$before"
}
log_is_beyond() { [ "$(size_of_log "$1")" -gt "$2" ]; } # NAME SIZE

all_count() { local name; for name; do log_grows "$name" || { echo "$name does not"; return 1; }; done; }
all_have_counted() { local name; for name; do said "$name" '^COUNTED' || { echo "$name has not"; return 1; }; done; }
# From the first line to the last word, byte for byte.
each_line_once() { # NAME
  local log last
  log=$(console_log "$1")
  last=$(sed -n 's/^COUNTED \([0-9]*\)\r$/\1/p' "$log")
  [ "${last:-0}" -gt 0 ] || return
  { seq "$last" | sed 's/.*/LINE &\r/'; printf 'COUNTED %d\r\n' "$last"; } > /tmp/should.be
  sed -n '/^LINE 1\r$/,/^COUNTED /p' "$log" > /tmp/is
  cmp /tmp/should.be /tmp/is && return
  diff /tmp/should.be /tmp/is | head -n 8
  return 1
}

# --- what happens to a console ---------------------------------------------------------------------

hang_up() { kill -HUP "$(cat "$PID_FILE")"; }

logs_are_reopened() {
  local moved
  moved=$(console_log xcl-pvh).1
  ok 'xl rename xl-pv' timeout 60 xl rename xl-pv new-name
  mv "$(console_log xcl-pvh)" "$moved"
  cp "$(console_log xl-pv)" /tmp/xl-pv.log
  cp "$moved" /tmp/moved.log
  ok 'consoled is told to open its logs anew' hang_up
  ok "the log under the guest's new name is there" wait_for 10 test -e "$(console_log new-name)"
  ok 'the one in the place of a log that was moved away, too' wait_for 10 test -e "$(console_log xcl-pvh)"
  TOOL=$XCL console_works new-name renamed
  TOOL=$XCL console_works xcl-pvh rotated
  is 'what it says now is under its new name' "$(cat "$(console_log new-name)")" $'renamed\r'
  is 'what the other says now is in its new log' "$(cat "$(console_log xcl-pvh)")" $'rotated\r'
  ok 'the log under the old name is as it was' cmp /tmp/xl-pv.log "$(console_log xl-pv)"
  ok 'the log that was moved away is as it was' cmp /tmp/moved.log "$moved"
}

# Xen prints what it is asked for by xl; the help on its keys is no small text.
hypervisor_log_works() {
  ok 'hypervisor.log has what Xen said at its start' grep -q '^(XEN) .*dom0' "$CONSOLE_LOGS/hypervisor.log"
  ok 'Xen is made to say something' timeout 10 xl debug-keys h
  ok 'hypervisor.log ends as xl dmesg does' wait_for 10 hypervisor_log_ends_as_dmesg
  is 'each line is there once' "$(grep -c "'h' pressed" "$CONSOLE_LOGS/hypervisor.log")" 1
}
hypervisor_log_ends_as_dmesg() {
  timeout 10 xl dmesg | tail -n 40 > /tmp/dmesg.tail
  grep -q "'h' pressed" /tmp/dmesg.tail && tail -n 40 "$CONSOLE_LOGS/hypervisor.log" | cmp - /tmp/dmesg.tail
}

# At the terminal pal is pal's shell.
logs_are_shown() {
  ok 'xcl logs gives a pipe what the log has' logs_are "$(console_log xcl-pv)" xcl-pv
  ok 'what was moved away comes first' logs_are "$(console_log xcl-pvh).1" "$(console_log xcl-pvh)" xcl-pvh
  open_terminal logs "$XCL logs -f xcl-pvh"
  ok 'xcl logs -f shows the last lines' sees logs '^rotated'
  TOOL=$XCL console_works xcl-pvh followed
  ok 'and the next as they come' sees logs '^followed'
  press logs '\003'
  ended logs > /tmp/logs.out
  is 'Ctrl-C ends it with 130' $? 130
  ok 'a guest names the window of who looks' answers_at pal 'printf "\033]0;mine\007%s\n" named' $'\007named'
  open_terminal logs "$XCL logs -n 2 pal"
  ok 'xcl logs ends by itself' ended logs
  ok 'it shows a terminal what its log has' shows logs '\^\[]0;mine^Gnamed'
  ok 'and nothing that a terminal obeys' fails shows logs $'[\033\007]'
}
logs_are() { # FILE... NAME
  local name=${*: -1}
  timeout 30 "$XCL" logs "$name" > /tmp/logs.out && cat "${@:1:$#-1}" | cmp - /tmp/logs.out
}

# Ours and Linux, of both toolstacks, print all the time; one of them, and one that is silent, are looked at.
consoled_is_killed() { # OURS OURS LINUX (whose shell is at the terminal pal)
  local round
  open_terminal silent "$XCL console xcl-pvh"
  open_terminal counting "$XCL console $1"
  ok 'somebody looks at a guest that is silent' sees silent '^followed'
  ok 'somebody looks at a guest that is to count' answers_at counting count '^LINE 100'
  ok 'another is told to count, and left alone' console_answers "$XCL console $2" count '^LINE'
  type_in pal "$COUNT_IN_SHELL"
  ok 'three guests print numbered lines' all_count "$@"
  for round in 1 2 3; do
    ok "consoled is killed meanwhile ($round)" stop_process "$(cat "$PID_FILE")" KILL
    ok "and started again ($round)" debian_starts_it --log=all
    ok "the three print on ($round)" all_count "$@"
  done
  ok 'who looked at the silent one is back' answers_at silent 'echo still-here' '^still-here'
  ok 'who looked at the counting one may type' answers_at counting count-end '^COUNTED'
  ok 'the one that was left alone is told to end' console_answers "$XCL console $2" count-end '^COUNTED'
  type_in pal end
  ok 'the three end' wait_for 20 all_have_counted "$@"
  for name; do ok "$name's log has every line, and each once" each_line_once "$name"; done
  ok "pal's shell is there again" shell_answers pal again
  ok 'who looked at the silent one leaves by Ctrl-]' leave silent
  ok 'who looked at the counting one leaves by Ctrl-]' leave counting
  open_terminal stock 'xl console tux'
  ok 'stock xl console finds the new terminal of its guest' shell_answers stock after-all
}

# At the terminal stock is xl console tux, at pal xcl console pal.
viewers_of_dying_guests() {
  open_terminal ours "$XCL console tux"
  ok 'xcl console tux, beside xl console' sees ours '^after-all-42'
  ok 'xl destroy tux, before their eyes' timeout 60 xl destroy tux
  ok 'xl console ends well' ended stock
  ok 'xcl console ends well' ended ours
  ok 'and tux is gone' wait_for 20 no_domain tux
  ok 'xcl logs tux shows what it has left' logs_are "$(console_log tux)" tux

  TOOL=xl guest_reboots_before_eyes xl-pvh '^COUNTED'
  TOOL=$XCL guest_reboots_before_eyes xcl-pvh '^still-here'
}
guest_reboots_before_eyes() { # NAME SAID
  local domid
  domid=$(domid_of "$1")
  open_terminal ours "$XCL console $1"
  ok "xcl console $1" sees ours "$2"
  ok "$TOOL reboot $1" with_tool reboot "$1"
  ok 'who looks sees it end' sees ours '^BYE'
  SEES_SECONDS=60 ok 'and come again' sees ours "$(ready_line pvh "$1")"
  ok 'he may type to the new one' answers_at ours 'echo hello-again' '^hello-again'
  ok 'which is another domain' test "$(domid_of "$1")" != "$domid"
  ok 'he leaves by Ctrl-]' leave ours
}

# The words of upstream's unit, and every other option besides; a terminal for guests of xcl, too.
consoled_in_foreground() {
  ok 'who created pal leaves it by Ctrl-]' leave pal
  ok "consoled stops as Debian's init script stops xenconsoled" debian_stops_it
  "$STOCK" -i --log=all --log-dir=/tmp/logs --timestamp=all --overflow-data=keep --replace-escape -v \
    --tty=always > /tmp/consoled.out 2>&1 < /dev/null &
  foreground=$!
  CONSOLE_LOGS=/tmp/logs
  ok 'consoled stays in the foreground, as upstream has its unit do' wait_for 30 grep -q 'serving consoles' /tmp/consoled.out
  ok 'it has no pid file' fails running "$PID_FILE"
  ok 'a guest of xcl has a terminal now' wait_for 10 has_terminal pal
  open_terminal stock 'xl console pal'
  ok "xl console shows it: pal's shell answers" shell_answers stock for-stock
  ok 'the shell says something in reverse' answers_at stock 'printf "\033[7mre\033[0m%s\n" verse' '0mverse'
  ok 'its log has full stops where escapes were' wait_for 10 said pal '^\[....-..-.. ..:..:..\] \.\[7mre\.\[0mverse'
  ok 'xl console leaves by Ctrl-]' leave stock
  ok 'xcl logs --since 5m finds it' logs_since 5m verse
  ok 'xcl logs --since of tomorrow finds nothing' fails logs_since "$(date -d @$((EPOCHSECONDS + 86400)) +%Y-%m-%d)" .
  ok 'each line of its log has a time, and the opening is the first' all_stamped "$(console_log pal)"
  ok "each line of Xen's, too" all_stamped "$CONSOLE_LOGS/hypervisor.log"
  ok 'it is asked to end' stop_process "$foreground"
  wait "$foreground"
  is 'it ends with 0' $? 0
}
logs_since() { timeout 30 "$XCL" logs --since "$1" pal | grep -a -- "$2"; } # TIME PATTERN
has_terminal() { [ -c "$(store_value "/local/domain/$(domid_of "$1")/console/tty")" ]; } # NAME
all_stamped() { # LOG
  local stamp='^\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\] '
  head -n 1 "$1" | grep -aqE -- "${stamp}Logfile Opened" || { head -n 1 "$1"; return 1; }
  fails grep -avE -- "$stamp" "$1"
}

# --- the scenario ---------------------------------------------------------------------------------

ln -sf /opt/xcl/bin/consoled "$STOCK"
options_are_upstreams
ok 'lixs starts and is ready when it returns' start_store lixs
ok 'xen-init-dom0 runs against lixs' init_dom0
ok "consoled starts as Debian's init script starts xenconsoled" debian_starts_it --log=all
# Without it there is nothing to see.
[ "$failures" = 0 ] || finish
ok 'its process is named xenconsoled' named_as_stock
ok 'it is in the background' in_background
ok 'its pid file has its number and is locked' pid_file_is_right
refuses 'a second one' 1 'running|in use|already|lock' "$STOCK" --pid-file "$PID_FILE"

# Three by each toolstack. The two that boot for long go first; one of them is watched from its first byte.
linux_with_login tux
linux_with_login pal
TOOL=xl ok 'xl create tux (Linux)' with_tool create tux.cfg
open_terminal pal "$XCL create -c pal.cfg"
for type in pv pvh; do
  TOOL=xl guest_comes_up $type "xl-$type"
  TOOL=$XCL guest_comes_up $type "xcl-$type"
done
# Whoever made it, xcl shows it.
for type in pv pvh; do
  TOOL=xl console_works "xl-$type" by-xl
  TOOL=$XCL console_works "xl-$type" by-xcl
  TOOL=$XCL console_works "xcl-$type" by-xcl
  ok "xl-$type's log is what it said and nothing else" log_is $type "xl-$type" by-xl by-xcl
  ok "xcl-$type's log is what it said and nothing else" log_is $type "xcl-$type" by-xcl
done

ok 'pal, made by xcl, has booted before the eyes of who made it' wait_for "${LINUX_SECONDS:-120}" shows pal 'login: $'
logs_in pal 'pal at xcl create -c'
ok 'who watched from the first byte saw what the log has' wait_for 5 screen_is_log pal pal

open_terminal stock 'xl console tux'
logs_in stock 'tux at xl console'
open_terminal ours "$XCL console tux"
ok 'xcl console tux, beside xl console: shows what was said before' sees ours '^I am person at /dev/hvc0'
ok 'a shell answers who types at xcl console' shell_answers ours ours
ok 'and xl console shows it' sees stock '^ours-42'
ok 'a shell answers who types at xl console' shell_answers stock stock
ok 'and xcl console shows it' sees ours '^stock-42'
ok 'both saw the same, and the log has it' wait_for 5 screen_is_log ours tux
ok 'xl console leaves by Ctrl-]' leave stock
ok 'xcl console is as it was' shell_answers ours alone
ok 'xcl console leaves by Ctrl-]' leave ours

logs_are_reopened
hypervisor_log_works
logs_are_shown
consoled_is_killed xl-pvh xcl-pv pal
viewers_of_dying_guests
consoled_in_foreground
# Much that says nothing, over a slow line.
[ "$failures" = 0 ] && rm -r /var/log/xen/console
finish
