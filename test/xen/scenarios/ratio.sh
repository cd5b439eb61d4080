# How long xl and xcl take to create the same guest, in one boot: xl on stock daemons, then xl and xcl
# by turns on ours, then xl on stock daemons again.
. ./lib.sh
. ./scenarios/guests.sh
rounds=${ROUNDS:-7}
# Creates as typed before those that are measured; 75 more come in batches.
typed_before=${TYPED_BEFORE:-40}
xcl=${XCL:-/opt/xcl/bin/xcl}

# Times in milliseconds, one a line: /tmp/time.WHAT
measure() { # WHAT TOOL
  local name=ratio$((++measured)) started
  guest_cfg pv "$name"
  started=$EPOCHREALTIME
  # Without timeout: a process before the measured one would be measured, too.
  "$2" create "$name.cfg" > /tmp/measure.out 2>&1 || broken=$((broken + 1))
  milliseconds_since "$started" > /tmp/took
  wait_ready pv "$name" > /dev/null || broken=$((broken + 1))
  TOOL=$2 with_tool destroy "$name" > /dev/null 2>&1 || broken=$((broken + 1))
  wait_for 10 no_domain "$name" > /dev/null || broken=$((broken + 1))
  [ "$1" = warm-up ] && return
  cat /tmp/took >> "/tmp/time.$1"
  echo "\"domain\":\"$name\"" >> "/tmp/names.$1"
}

# A store daemon can take over from one that was killed: its end of dom0's event channel closes, dom0's
# own waits to be bound again, and the ring is at rest as long as dom0 asks for nothing. dom0's kernel
# loses its watches, so no devices after this.
daemons_up() { # STORE CONSOLES
  start_store "$1" && init_dom0 && start_consoles "$2"
}
daemons_down() {
  stop_process "$(cat "$console_pid_file")"
  # xcl starts xcld when none runs; a new store daemon gets a new one.
  if [ -s /run/xen/xcld.sock.pid ]; then stop_process "$(cat /run/xen/xcld.sock.pid)"; fi
  stop_process "$(cat "$store_pid_file")" KILL
}

# A host that has been in use: what is just-in-time compiled has been compiled. The first create is
# noted, for whoever wants to know what a cold one costs.
use_for_a_while() {
  local i names=() batch
  measure xcl-first "$xcl"
  for ((i = 1; i <= typed_before; i++)); do measure warm-up "$xcl"; done
  for ((i = 1; i <= 25; i++)); do
    guest_cfg pv "use$i"
    names+=("use$i")
  done
  for batch in 1 2 3; do
    "$xcl" create --quiet "${names[@]/%/.cfg}" && "$xcl" destroy "${names[@]}" || broken=$((broken + 1))
  done
}

# Two blocks of stock daemons around one of ours: a change of daemons in every round would leave ours,
# whose code is compiled while it runs, cold for ever.
stock_block() { # RUNS
  local i
  daemons_up xenstored xenconsoled || return
  measure warm-up xl
  for ((i = 0; i < $1; i++)); do measure xl-stock xl; done
  daemons_down
}
our_block() { # RUNS
  local i
  daemons_up "${STORE:-lixs}" "${CONSOLES:-consoled}" || return
  use_for_a_while
  measure warm-up xl
  for ((i = 0; i < $1; i++)); do
    measure xl-ours xl
    measure xcl "$xcl"
  done
  # What a script that creates many sees: nothing else has run in between.
  for ((i = 0; i < $1; i++)); do measure xcl-in-a-row "$xcl"; done
  daemons_down
}

measured=0 broken=0
ok 'stock daemons, the first half' stock_block $((rounds / 2 + 1))
ok 'our daemons' our_block "$rounds"
ok 'stock daemons, the second half' stock_block $((rounds / 2 + 1))
is 'every guest came up and went' "$broken" 0

summary() { # WHAT: median, least, most
  local file=/tmp/time.$1
  echo "$1: median $(median < "$file") ms, min $(sort -n "$file" | head -n 1), max $(sort -n "$file" | tail -n 1), $(wc -l < "$file") runs"
}
ratio() { awk -v a="$(median < "/tmp/time.$1")" -v b="$(median < "/tmp/time.$2")" 'BEGIN { printf "%.2f", a / b }'; }
# xcld logs each create with how long it took inside; those of the warm-up are left out.
xcld_times() {
  grep '"msg":"domain created"' /var/log/xcl/xcld.log 2> /dev/null | grep -F -f /tmp/names.xcl |
    sed -n 's/.*"totalMs":\([0-9.]*\).*/\1/p' > /tmp/time.xcld
  if [ -s /tmp/time.xcld ]; then summary xcld; else echo 'not logged'; fi
}
for what in xl-stock xl-ours xcl-first xcl xcl-in-a-row; do note "$(summary $what)"; done
note "xcl, request at the socket to unpaused: $(xcld_times)"
# Said, not claimed: a figure of this machine at this hour must not turn a run red.
for what in xl-stock xl-ours; do
  note "$what takes $(ratio $what xcl) times as long as xcl (wanted: at least 5), $(ratio $what xcl-in-a-row) times as long as xcl in a row"
done
finish
