# Claims about what does not work: one clear sentence, the right exit code, and nothing half-made.

refuses() { # WHAT STATUS PATTERN COMMAND...: STATUS may name several, as 1|3; PATTERN is for stderr
  local what=$1 status=$2 pattern=$3 actual; shift 3
  timeout 60 "$@" > /tmp/refused.out 2> /tmp/refused.err < /dev/null
  actual=$?
  ok "$what: exit code $status, one sentence" refused_well "$actual" "$status" "$pattern"
}
refused_well() { # ACTUAL WANTED PATTERN
  echo "exit code $1; stderr:"
  cat /tmp/refused.err
  case "|$2|" in *"|$1|"*) ;; *) return 1 ;; esac
  grep -qiE -- "$3" /tmp/refused.err || return
  # Hints and quoted lines are indented; a trace's lines are not sentences.
  [ "$(grep -c '^[^ ]' /tmp/refused.err)" = 1 ] && ! grep -qE '^ +at |\.(ts|cjs):[0-9]' /tmp/refused.err
}

create_refused() { # WHAT STATUS PATTERN CONFIG
  remember refused
  refuses "$TOOL create with $1" "$2" "$3" "$TOOL" create "$4"
  ok "$TOOL create with $1 leaves nothing half-made" wait_for 5 nothing_half_made refused
}

creates_are_refused() {
  guest_cfg pv no-kernel 'kernel = "/rig/none.elf"'
  create_refused 'a kernel that is missing' '1|3' 'none\.elf' no-kernel.cfg

  head -c 20000 /dev/urandom > /tmp/garbage
  guest_cfg pv garbage 'kernel = "/tmp/garbage"'
  create_refused 'a kernel that is none (PV)' '1|3' garbage garbage.cfg
  guest_cfg pvh garbage-pvh 'kernel = "/tmp/garbage"'
  create_refused 'a kernel that is none (PVH)' '1|3' garbage garbage-pvh.cfg

  guest_cfg pv greedy 'memory = 100000'
  create_refused 'more memory than there is (PV)' 6 memory greedy.cfg
  guest_cfg pvh greedy-pvh 'memory = 100000'
  create_refused 'more memory than there is (PVH)' 6 memory greedy-pvh.cfg

  guest_cfg pv nothing 'memory = 0'
  create_refused 'memory 0' 3 memory nothing.cfg

  printf 'name = "bad"\nmemory = = 1\n' > bad.cfg
  create_refused 'a syntax error' 3 'bad\.cfg:2:10' bad.cfg
  printf 'memory = 1\n' > nameless.cfg
  create_refused 'no name' 3 name nameless.cfg
  create_refused 'a file that is not there' '1|3' 'none\.cfg' none.cfg

  guest_comes_up pv taken
  create_refused 'a name that is taken' 4 taken taken.cfg
  ok 'the one who had the name lives on' answers_poke taken
  guest_goes taken destroy
}

commands_are_refused() {
  # By its path: busybox's timeout would take busybox's own setpriv for the bare name.
  local as_nobody='/bin/setpriv --reuid=65534 --regid=65534 --clear-groups'
  refuses "$TOOL with an unknown command" 2 frobnicate "$TOOL" frobnicate
  refuses "$TOOL create without a file" 2 . "$TOOL" create
  refuses "$TOOL destroy of nobody" 4 nobody "$TOOL" destroy nobody
  refuses "$TOOL destroy of domain 0" '1|2|4' '0' "$TOOL" destroy 0
  refuses "$TOOL list by a person who is not root" 5 'root|privilege|permission' \
    $as_nobody "$TOOL" list
}
