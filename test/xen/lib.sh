# What scenarios share; sourced by them, in dom0. Commands fail where they stand only inside ok.
#
# A scenario makes claims with ok and is, and ends with finish. A failed claim shows what its command
# printed, and the scenario goes on.

RESULTS=/out/results.tap
CONSOLE_LOGS=/var/log/xen/console
claims=0
failures=0

# --- claims ---------------------------------------------------------------------------------------

result() { # ok|'not ok' NAME: a line for the host and for who watches the console
  claims=$((claims + 1))
  echo "$1 $claims - $2" | tee -a "$RESULTS"
}

note() { # belongs to the claim before it
  sed 's/^/# /' <<< "$*" | tee -a "$RESULTS"
}

ok() { # NAME COMMAND...
  local name=$1 started=$EPOCHREALTIME; shift
  if "$@" > /tmp/ok.out 2>&1 < /dev/null; then
    result ok "$name ($(seconds_since "$started") s)"
  else
    local status=$?
    failures=$((failures + 1))
    result 'not ok' "$name"
    note "$*: status $status after $(seconds_since "$started") s"
    [ -s /tmp/ok.out ] && note "$(tail -n 12 /tmp/ok.out)"
  fi
}

is() { # NAME ACTUAL EXPECTED
  if [ "$2" = "$3" ]; then
    result ok "$1"
  else
    failures=$((failures + 1))
    result 'not ok' "$1"
    note "is:       $2"
    note "expected: $3"
  fi
}

finish() { # the plan goes last: without it the host knows that the scenario stopped half-way
  echo "1..$claims" | tee -a "$RESULTS"
  exit $((failures > 0))
}

# --- time -----------------------------------------------------------------------------------------

# EPOCHREALTIME costs no process; an emulated fork takes tens of milliseconds.
milliseconds_since() { echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000)); }
seconds_since() { local ms; ms=$(milliseconds_since "$1"); printf '%d.%02d' $((ms / 1000)) $((ms % 1000 / 10)); }

wait_for() { # SECONDS COMMAND...: until the command succeeds
  local end=$((SECONDS + $1)); shift
  until "$@" > /tmp/wait.out 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "waited in vain for: $*"
      cat /tmp/wait.out
      return 1
    fi
    sleep 0.1
  done
}

fails() { ! "$@"; }

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# --- daemons --------------------------------------------------------------------------------------

# Each kind is started by the same words, so that a scenario can run with any: stock or ours.
start_store() { # xenstored|oxenstored|lixs; returns when it answers
  store_kind=$1 store_pid_file=/run/xen/$1.pid
  case $1 in
    xenstored | oxenstored) timeout 20 "/usr/sbin/$1" --pid-file "$store_pid_file" ;;
    lixs) timeout 60 /opt/xcl/bin/lixs --pid-file "$store_pid_file" ;;
  esac
}

start_consoles() { # xenconsoled|consoled
  console_kind=$1 console_pid_file=/run/xen/$1.pid
  case $1 in
    xenconsoled) timeout 20 /usr/sbin/xenconsoled --log=guest --pid-file="$console_pid_file" ;;
    consoled) timeout 60 /opt/xcl/bin/consoled --log=guest --pid-file "$console_pid_file" ;;
  esac
}

init_dom0() { timeout 20 xen-init-dom0; }

start_daemons() { # STORE CONSOLES, and dom0's own entries in between: claims
  ok "$1 starts and is ready when it returns" start_store "$1"
  ok "xen-init-dom0 runs against $1" init_dom0
  ok "$2 starts and is ready when it returns" start_consoles "$2"
}

running() { kill -0 "$(cat "$1")"; } # PIDFILE

stop_process() { # PID [SIGNAL]: returns when it is gone
  kill "-${2:-TERM}" "$1" || return
  wait_for 10 gone "$1"
}
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }

# --- toolstacks -----------------------------------------------------------------------------------

# The toolstack under test; scenarios say "$TOOL create" and so on.
TOOL=xl
with_tool() { timeout "${TOOL_SECONDS:-60}" "$TOOL" "$@"; }

# --- guests ---------------------------------------------------------------------------------------

guest_cfg() { # pv|pvh NAME [LINE...]: writes NAME.cfg; the nonce is NAME's own, see nonce_of
  local type=$1 name=$2 memory=1 line; shift 2
  [ "$type" = pvh ] && memory=4
  {
    echo "name = \"$name\""
    echo "type = \"$type\""
    echo "kernel = \"/rig/guest-$type.elf\""
    echo "memory = $memory"
    # Said outright: without it stock xl takes none for the size of a PVH guest's paging pool.
    echo 'vcpus = 1'
    echo "extra = \"nonce=$(nonce_of "$name")\""
    echo 'on_poweroff = "destroy"'
    echo 'on_reboot = "restart"'
    echo 'on_crash = "destroy"'
    for line; do echo "$line"; done
  } > "$name.cfg"
}

# Differs with each boot, so that nothing left over can pass for an answer.
BOOT_NONCE=$(tr -d - < /proc/sys/kernel/random/boot_id | cut -c1-8)
nonce_of() { echo "$1-$BOOT_NONCE"; }

linux_cfg() { # NAME [LINE...]: Debian's kernel, PVH; its words on the command line are rig.ip and rig.disk
  local name=$1 line; shift
  {
    echo "name = \"$name\""
    echo 'type = "pvh"'
    echo 'kernel = "/opt/linux/vmlinuz"'
    echo 'ramdisk = "/opt/linux/initrd.gz"'
    echo 'memory = 128'
    echo 'vcpus = 1'
    for line; do echo "$line"; done
  } > "$name.cfg"
}

console_log() { echo "$CONSOLE_LOGS/guest-$1.log"; }
said() { grep -aq -- "$2" "$(console_log "$1")"; } # NAME PATTERN
times_said() { grep -ac -- "$2" "$(console_log "$1")" || true; }
said_times() { [ "$(times_said "$1" "$2")" -ge "$3" ]; } # NAME PATTERN COUNT

ready_line() { # TYPE NAME: a pattern, with the right nonce
  echo "^READY $1 domid=[0-9]* name=$2 nonce=$(nonce_of "$2") write=OK"
}
wait_ready() { # TYPE NAME [SECONDS]
  wait_for "${3:-20}" said "$2" "$(ready_line "$1" "$2")" || { tail -n 5 "$(console_log "$2")"; return 1; }
}

# The store is asked and no toolstack, so that no toolstack is trusted here. 1: no such domain, 2: no store.
domid_of() { # NAME
  local domid domids
  domids=$(timeout 10 xenstore-list /local/domain) || return 2
  for domid in $domids; do
    [ "$(timeout 10 xenstore-read "/local/domain/$domid/name" 2>/dev/null)" = "$1" ] && echo "$domid" && return
  done
  return 1
}
no_domain() { domid_of "$1"; [ $? = 1 ]; }
# Xen itself is asked: lsevtchn fails for a domain that isn't there.
no_domid() { [ -n "$1" ] && ! lsevtchn "$1" > /dev/null 2>&1; }

store_value() { timeout 10 xenstore-read "$1"; }
store_is() { [ "$(store_value "$1")" = "$2" ]; } # PATH VALUE
guest_key_is() { store_is "/local/domain/$(domid_of "$1")/$2" "$3"; } # NAME KEY VALUE

answers_poke() { # NAME: the guest sees a watch and writes
  local domid home value=poke-$RANDOM
  domid=$(domid_of "$1") || return
  home=/local/domain/$domid
  timeout 10 xenstore-write "$home/data/poke" "$value"
  wait_for 10 store_is "$home/data/poke-echo" "$value"
}

# To a console without a viewer, as a script would.
type_to_tty() { # NAME LINE
  local tty
  tty=$(store_value "/local/domain/$(domid_of "$1")/console/tty") || return
  printf '%s\r' "$2" > "$tty"
}

# Says a line to a guest in whichever way its toolstack offers; the guest may end by it.
say_to() { # NAME LINE
  if timeout 10 xenstore-exists "/local/domain/$(domid_of "$1")/console/tty"; then
    type_to_tty "$1" "$2"
  else
    type_at_console "$TOOL console $1" "$2" > /tmp/said.out || [ $? != 124 ]
  fi
}

# --- people at terminals --------------------------------------------------------------------------

# Each terminal is opened with a command, typed at, looked at, and left. script(1) is the terminal, as console
# programs want one; its keyboard is a pipe that stays open, so nothing is typed before it is wanted.
declare -A keyboards persons

screen_of() { echo "/tmp/$1.screen"; } # TERMINAL

open_terminal() { # TERMINAL COMMAND (as one word)
  local keys=/tmp/$1.keys keyboard
  rm -f "$keys" && mkfifo "$keys" || return
  # Open both ways: it waits for nobody, and does not end with whoever wrote last.
  exec {keyboard}<> "$keys"
  keyboards[$1]=$keyboard
  script --quiet --flush --return --echo never --command "$2" /dev/null < "$keys" > "$(screen_of "$1")" &
  persons[$1]=$!
}

press() { printf "$2" >&"${keyboards[$1]}"; } # TERMINAL KEYS (as printf takes them)
type_in() { printf '%s\r' "$2" >&"${keyboards[$1]}"; } # TERMINAL LINE

shows() { grep -aq -- "$2" "$(screen_of "$1")"; } # TERMINAL PATTERN
sees() { # TERMINAL PATTERN: sooner or later
  wait_for "${SEES_SECONDS:-15}" shows "$1" "$2" || { tail -c 500 "$(screen_of "$1")"; return 1; }
}
both_see() { sees "$1" "$3" && sees "$2" "$3"; } # TERMINAL TERMINAL PATTERN
answers_at() { type_in "$1" "$2" && sees "$1" "$3"; } # TERMINAL LINE PATTERN

# The command's status, once it has ended by itself; one that does not end is killed.
ended() { # TERMINAL
  local keyboard=${keyboards[$1]} status=124
  if wait_for 15 gone "${persons[$1]}"; then
    wait "${persons[$1]}"
    status=$?
  else
    kill -KILL "${persons[$1]}"
  fi
  exec {keyboard}>&-
  tail -c 500 "$(screen_of "$1")"
  return "$status"
}
leave() { press "$1" '\035' && ended "$1"; } # TERMINAL: by Ctrl-]

# The answer came, and Ctrl-] left with 0. What the guest has said before may be shown, so it is no answer.
console_answers() { # CONSOLE-COMMAND LINE ANSWER
  open_terminal asked "$1" || return
  answers_at asked "$2" "$3"
  local status=$?
  leave asked || { echo "the console command left with $?"; return 1; }
  return "$status"
}

# Where no answer is awaited: each LINE is typed, and the next once the guest has had time to hear it.
type_at_console() { # COMMAND LINE... (the console command as one word)
  local command=$1 line; shift
  {
    sleep 1
    for line; do
      printf '%s\r' "$line"
      sleep 0.7
    done
    printf '\035'
    sleep 0.5
  } | timeout 30 script --quiet --flush --return --command "$command" /dev/null > /tmp/console.out
  local status=$?
  cat /tmp/console.out
  return $status
}

# --- what is left behind --------------------------------------------------------------------------

# Each fails rather than give nothing: two nothings would be equal.
tree() { timeout 30 xenstore-ls -f > /tmp/tree.raw && sort /tmp/tree.raw; }
evtchn_count() { lsevtchn 0 > /tmp/evtchn.raw && wc -l < /tmp/evtchn.raw; }
free_kib() { timeout 10 /rig/free-kib; }

remember() { # NAME: the state a later nothing_left compares with
  tree > "/tmp/$1.tree"
  evtchn_count > "/tmp/$1.evtchn"
  free_kib > "/tmp/$1.free"
}

same_tree() { tree > /tmp/now.tree && diff "/tmp/$1.tree" /tmp/now.tree; }
same_evtchns() {
  evtchn_count > /tmp/now.evtchn && diff "/tmp/$1.evtchn" /tmp/now.evtchn || { lsevtchn 0; return 1; }
}
same_memory() { # NAME: within 1 MiB
  local before now
  before=$(cat "/tmp/$1.free") now=$(free_kib)
  echo "KiB free before: $before, now: $now"
  [ -n "$before" ] && [ -n "$now" ] && [ $((before - now)) -le 1024 ]
}

# Xen frees the memory of a domain a moment after it ended, so these are asked again for a while.
nothing_left() { # SINCE WHAT: three claims
  ok "$2: the store is as it was" wait_for 5 same_tree "$1"
  ok "$2: no event channel is left" wait_for 5 same_evtchns "$1"
  ok "$2: no memory is left taken" wait_for 5 same_memory "$1"
}
nothing_half_made() { same_tree "$1" && same_evtchns "$1" && same_memory "$1"; } # SINCE

# By Xen alone, for when no store answers; a domid that ran out of names is still a domain.
domids() { local domid; for domid in $(seq 1 "${1:-50}"); do lsevtchn "$domid" > /dev/null 2>&1 && echo "$domid"; done; }
