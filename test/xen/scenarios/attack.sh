# Our daemons under Debian's xl and a Linux guest, while our own guests attack them from inside: the Linux
# guest lives its life, a worker's requests are answered one by one, and of the attackers nothing stays.
. ./lib.sh
. ./scenarios/guests.sh
. ./scenarios/linux.sh
STORE_LOG=/var/log/xen/lixs.log

# Name, type, and what it does; the one that hoards goes on to flood. All are capped to a part of the one
# processor that Linux and dom0 need as well: how Xen's scheduler shares it is not on trial here.
CAPPED='cap = 3'
TOOL_SECONDS=180 LINUX_SECONDS=240
ATTACKERS=(
  'hoarder pv watch-hoard,transaction-hoard,value-bomb,path-bomb,flood-store'
  'reader pvh flood-reads'
  'talker pv flood-console'
  'deaf pvh no-drain'
  'index pv bad-index'
  'huge pvh oversized'
  'half pv half-request'
  'mute pvh bad-console-index'
)
names_of_attackers() { local name rest; for name in "${ATTACKERS[@]}"; do echo "${name%% *}"; done; }

guest_with_words() { # TYPE NAME WORDS [LINE...]
  local type=$1 name=$2 words=$3; shift 3
  guest_cfg "$type" "$name" "extra = \"nonce=$(nonce_of "$name") $words\"" "$@"
  ok "$TOOL create $name ($words)" with_tool create "$name.cfg"
  ok "$name is READY" wait_ready "$type" "$name" 60
}
attackers_come_up() {
  local name type attacks
  for attacker in "${ATTACKERS[@]}"; do
    read -r name type attacks <<< "$attacker"
    guest_with_words "$type" "$name" "attack=$attacks" "$CAPPED"
  done
}

# --- the worker: what it printed last, what the store has, and that none is missing ------------------------

worked() { sed -n 's/^WORK \([0-9]*\) OK\r*$/\1/p' "$(console_log worker)" | tail -n 1; }
works_on() { # WHEN: it gets on by some steps from here
  local from
  from=$(worked)
  ok "the worker's work goes on: $1" wait_for 20 has_worked $((${from:-0} + 10))
}
has_worked() { local now; now=$(worked); echo "worked: $now, to be: $1"; [ "${now:-0}" -ge "$1" ]; }
# Each line is one more than the line before and says OK; nothing else was printed since it began.
all_work_was_done() {
  tr -d '\r' < "$(console_log worker)" | awk '
    /^WORK 1 / { is_begun = 1 }
    !is_begun { next }
    /^BYE$/ { is_ended = 1; next }
    $0 != "WORK " (count + 1) " OK" { print "after " count " steps: " $0; bad = 1; exit }
    { count++ }
    END { if (!bad) print count " steps"; exit bad || !is_ended || count < 100 }'
}
last_work_is_in_the_store() {
  local from now
  from=$(worked) now=$(store_value "/local/domain/$(domid_of worker)/data/work/count")
  echo "printed: $from, in the store: $now"
  [ "$now" -ge "$from" ]
}

# --- the daemons ---------------------------------------------------------------------------------------------

rss_kib() { sed -n 's/^VmRSS:[ \t]*\([0-9]*\) kB/\1/p' "/proc/$(cat "$1")/status"; } # PIDFILE
bounded() { # PIDFILE KIB-BEFORE: 24 MiB are the queues of all attackers, and the garbage of a busy heap
  local now
  now=$(rss_kib "$1")
  echo "KiB resident before: $2, now: $now"
  [ "$now" -le $(($2 + 24576)) ]
}
ring_error() { # NAME ERROR: the guest reads it in its own ring
  say_to "$1" ring
  wait_for 10 said "$1" "^ring error=$2"
}
log_names() { # NAME ERROR: the daemon's log says whose ring was given up
  grep -a "\"domid\":$(domid_of "$1"),\"error\":$2,.*ring protocol broken" "$STORE_LOG"
}

# Under attack the answer may come after the console program has left: the log has it all the same.
shell_answers() {
  type_at_console "$TOOL console tux" 'echo sum-$((40 + 2))' > /tmp/shell.out || return
  wait_for 30 said tux '^sum-42'
}

small_cycle() { # what stays for good is there afterwards: stock xl leaves directories
  guest_cfg pv small 'vif = [ "" ]' 'disk = [ "phy:/dev/loop0,xvda,r" ]'
  with_tool create small.cfg && wait_ready pv small && with_tool destroy small && wait_for 10 no_domain small &&
    wait_for 10 backends_are_gone
}

start_daemons lixs consoled
ok 'dom0 has a bridge and a disk' make_bridge_and_disk
ok 'a small guest with devices comes and goes, to warm up' small_cycle
remember attack
store_kib=$(rss_kib "$store_pid_file") consoles_kib=$(rss_kib "$console_pid_file")

guest_with_words pv worker work=1 "$CAPPED"
attackers_come_up
works_on 'all attack'

linux_comes_up tux
works_on 'Linux is up'
ok 'xl list shows tux' list_shows tux
ok 'xl console tux: a shell answers' shell_answers
ok 'tux pings dom0' linux_pings tux
ok 'dom0 pings tux' wait_for 20 ping -c 1 -W 5 10.10.0.2
linux_pauses tux
works_on 'Linux was paused'

ok 'the hoarder got watches up to the quota' said hoarder '^HOARD watches 12[0-9] E2BIG'
ok 'the hoarder got transactions up to the quota' said hoarder '^HOARD transactions 10 ENOSPC'
ok 'the hoarder got values up to a quota' said hoarder '^HOARD values [0-9]* \(ENOSPC\|ENOMEM\)'
ok 'the hoarder got levels up to a quota' said hoarder '^HOARD levels [0-9]* \(ENOSPC\|ENOMEM\)'
ok 'the hoarder could remove all levels at once' said hoarder '^REMOVED OK'
ok 'the ring with bad indices says so' ring_error index 2
ok 'the log names its domain' log_names index 2
ok 'the ring with the oversized request says so' ring_error huge 3
ok 'the log names its domain, too' log_names huge 3
ok 'the guest that drains nothing is only waited for' ring_error deaf 0
ok 'the guest with half a request is only waited for' ring_error half 0
ok 'the guest with a broken console has a store' answers_poke mute
ok 'the guest that floods the store is served' answers_poke hoarder
ok 'lixs is not much larger' bounded "$store_pid_file" "$store_kib"
ok 'consoled is not much larger' bounded "$console_pid_file" "$consoles_kib"

linux_goes tux shutdown
works_on 'Linux has gone'
ok 'the store has what the worker has printed' last_work_is_in_the_store
guest_goes worker shutdown
ok 'each step of the worker was answered, and each line came' all_work_was_done
note "$(cat /tmp/ok.out)"

destroy_attackers() { local name; for name in $(names_of_attackers); do with_tool destroy "$name" || return; done; }
ok 'the attackers are destroyed' destroy_attackers
ok 'lixs runs on' running "$store_pid_file"
ok 'consoled runs on' running "$console_pid_file"
nothing_left attack 'Linux and nine guests'
ok 'lixs has met no defect' fails grep -a '"level":[56]0' "$STORE_LOG"
finish
