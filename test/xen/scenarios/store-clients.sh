# Claims about Debian's xenstore-* programs against whatever store daemon runs.

store_clients_work() {
  ok 'xenstore-write and -read' write_and_read
  ok 'xenstore-list gives the children' children_are_listed
  ok 'xenstore-ls -f shows the tree' shown_by_ls
  ok 'xenstore-chmod sets what xenstore-ls -f -p shows' permissions_are_shown
  ok 'xenstore-exists tells what is there' exists_tells
  ok 'xenstore-watch is told of a write' watch_fires
  ok 'xenstore-rm removes a whole tree' removed_whole
  ok 'xenstore-read of nothing fails' fails timeout 10 xenstore-read /rig/none
}

write_and_read() {
  timeout 10 xenstore-write /rig/a 1 /rig/b/c 'two words' || return
  [ "$(timeout 10 xenstore-read /rig/a /rig/b/c)" = $'1\ntwo words' ]
}
children_are_listed() { [ "$(timeout 10 xenstore-list /rig)" = $'a\nb' ]; }
shown_by_ls() { timeout 10 xenstore-ls -f | grep -q '^/rig/b/c = "two words"'; }
permissions_are_shown() {
  # Only of domain 0: xenstored refuses permissions of domains it does not know.
  timeout 10 xenstore-chmod /rig/a b0 || return
  timeout 10 xenstore-ls -f -p /rig > /tmp/perms.out || return
  grep -q '^/rig/a = "1" *(b0)' /tmp/perms.out || { cat /tmp/perms.out; return 1; }
}
exists_tells() { timeout 10 xenstore-exists /rig/a && fails timeout 10 xenstore-exists /rig/none; }
watch_fires() {
  # The first event comes with the watch itself.
  timeout 10 xenstore-watch -n 2 /rig/b > /tmp/watch.out &
  local watcher=$!
  wait_for 5 test -s /tmp/watch.out && timeout 10 xenstore-write /rig/b/c 3 && wait "$watcher" || return
  [ "$(cat /tmp/watch.out)" = $'/rig/b\n/rig/b/c' ] || { cat /tmp/watch.out; return 1; }
}
removed_whole() { timeout 10 xenstore-rm /rig && fails timeout 10 xenstore-exists /rig/b/c; }
