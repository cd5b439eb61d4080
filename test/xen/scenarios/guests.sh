# Claims about one guest, whatever toolstack ($TOOL) and daemons it runs with.

guest_comes_up() { # TYPE NAME [LINE OF THE CONFIG]...
  local type=$1 name=$2
  guest_cfg "$@"
  ok "$TOOL create $name ($type)" with_tool create "$name.cfg"
  ok "$name is READY with the nonce of its command line" wait_ready "$type" "$name"
}

keys_are_right() { # NAME
  local name=$1 home
  home=/local/domain/$(domid_of "$name")
  ok "$name wrote data/ready" guest_key_is "$name" data/ready "${home##*/}"
  ok "$name wrote the nonce" guest_key_is "$name" data/nonce-echo "$(nonce_of "$name")"
  # xcl makes no tty: its consoles are reached through consoled's socket.
  [ "$TOOL" = xl ] && ok "$name's console has a tty" test -c "$(store_value "$home/console/tty")"
  ok "$name answers a watch on data/poke" answers_poke "$name"
}

console_works() { # NAME [WORD]: a word that it has not said before
  local word=${2:-heard-$RANDOM$RANDOM}
  ok "$TOOL console $1: a typed command is answered, Ctrl-] leaves" \
    console_answers "$TOOL console $1" "echo $word" "^$word"
}

# A whole life; ends with the guest gone.
guest_lives() { # TYPE NAME shutdown|destroy
  guest_comes_up "$1" "$2"
  keys_are_right "$2"
  console_works "$2"
  guest_goes "$2" "$3"
}

guest_goes() { # NAME shutdown|destroy
  local domid
  domid=$(domid_of "$1")
  ok "$TOOL $2 $1" with_tool "$2" "$1"
  [ "$2" = shutdown ] && ok "$1 said goodbye" wait_for 20 said "$1" '^BYE'
  ok "$1 is gone from the store" wait_for 20 no_domain "$1"
  ok "$1 is gone from Xen" wait_for 20 no_domid "$domid"
}

# Create and destroy once so that what stays for good is there, then once more and compare.
cycle_leaves_nothing() { # TYPE
  guest_cfg "$1" "cycle-$1"
  ok "$TOOL create and destroy ($1), to warm up" cycle "$1"
  remember cycle
  ok "$TOOL create and destroy ($1), measured" cycle "$1"
  nothing_left cycle "$TOOL create and destroy ($1)"
}
cycle() { # TYPE
  rm -f "$(console_log "cycle-$1")"
  with_tool create "cycle-$1.cfg" && wait_ready "$1" "cycle-$1" && with_tool destroy "cycle-$1" &&
    wait_for 10 no_domain "cycle-$1"
}

# Ends that the guest brings about itself; the toolstack has to notice and do as the config says.
guest_ends_itself() { # TYPE NAME poweroff|crash
  guest_comes_up "$1" "$2"
  local domid
  domid=$(domid_of "$2")
  ok "$2 is told at its console: $3" say_to "$2" "$3"
  ok "$2 is gone from the store after $3" wait_for 20 no_domain "$2"
  ok "$2 is gone from Xen after $3" wait_for 20 no_domid "$domid"
}

guest_reboots() { # TYPE NAME WORDS OF THE COMMAND...: on_reboot=restart
  local type=$1 name=$2 old; shift 2
  guest_comes_up "$type" "$name"
  old=$(domid_of "$name")
  ok "$name is told to reboot by $*" "$@"
  ok "$name comes back READY" wait_for 30 said_times "$name" "$(ready_line "$type" "$name")" 2
  ok "$name is another domain now" test "$(domid_of "$name")" != "$old"
  ok "$name's old domain is gone from Xen" wait_for 20 no_domid "$old"
  guest_goes "$name" destroy
}

guest_dies_writing() { # TYPE NAME: destroyed while it writes to the store as fast as it can
  guest_comes_up "$1" "$2"
  local home first
  home=/local/domain/$(domid_of "$2")
  say_to "$2" 'spin-write 4000000000'
  wait_for 10 store_value "$home/data/spin"
  first=$(store_value "$home/data/spin")
  sleep 0.3
  ok "$2 is writing" test "$(store_value "$home/data/spin")" -gt "$first"
  guest_goes "$2" destroy
}

list_shows() { with_tool list | grep -q "^$1 "; } # NAME

pause_and_unpause() { # NAME
  ok "$TOOL pause $1" with_tool pause "$1"
  ok "$TOOL list shows $1 paused" list_shows_state "$1" p
  ok "$TOOL unpause $1" with_tool unpause "$1"
  ok "$1 goes on" answers_poke "$1"
}
list_shows_state() { with_tool list | awk -v name="$1" -v state="$2" '$1 == name { found = index($5, state) } END { exit !found }'; }
