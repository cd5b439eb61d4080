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
  ok "$name's console has a tty" test -c "$(store_value "$home/console/tty")"
  ok "$name answers a watch on data/poke" answers_poke "$name"
}

console_works() { # NAME
  ok "$TOOL console $1: a typed command is answered, Ctrl-] leaves" \
    console_answers "$TOOL console $1" "echo heard-$1" "heard-$1"
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
  local round
  for round in warm-up measured; do
    [ "$round" = measured ] && remember cycle
    guest_cfg "$1" "cycle-$1"
    with_tool create "cycle-$1.cfg" > /tmp/cycle.out 2>&1
    wait_ready "$1" "cycle-$1"
    with_tool destroy "cycle-$1"
    wait_for 10 no_domain "cycle-$1"
    rm -f "$(console_log "cycle-$1")"
  done
  nothing_left cycle "$TOOL create and destroy ($1)"
}
