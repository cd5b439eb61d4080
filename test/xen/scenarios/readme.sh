# README's commands for a real dom0, as they stand there, by a person at a terminal.
. ./lib.sh

# The blocks of shell under its heading, one after the other.
commands_of_readme() {
  awk '/^## / { here = $0 == "## On a real dom0" }
    /^```$/ { inside = 0 }
    here && inside
    here && /^```sh$/ { inside = 1 }' README.md > /srv/xcl/commands
  cat /srv/xcl/commands
  grep -q 'bin/lixs' /srv/xcl/commands && grep -q 'xcl create' /srv/xcl/commands
}

# The console is left once the guest has been seen there.
follow_readme() {
  : > /tmp/screen
  {
    for ((i = 0; i < 300; i++)); do
      grep -aq '^READY' /tmp/screen && break
      sleep 0.2
    done
    printf '\035'
    sleep 0.5
  } | timeout 120 script --quiet --flush --return --command 'bash -e -x commands' /dev/null > /tmp/screen
  local status=$?
  cp /tmp/screen /out/readme.screen
  cat /tmp/screen
  return $status
}

# A host that has just been booted, with the project built.
mkdir -p /srv/xcl
ln -s /opt/xcl /srv/xcl/dist
cp guest-pvh.elf /srv/hello.elf
umount /proc/xen

ok 'README has the commands' commands_of_readme
cd /srv/xcl
ok 'they work as they stand there' follow_readme
ok 'the guest was seen at its console' grep -aq '^READY pvh .*name=hello' /tmp/screen
ok 'xcl list showed it' grep -aq '^hello ' /tmp/screen
ok 'it is gone' no_domain hello
ok 'the daemons serve on when the terminal is gone' dist/bin/xcl list
finish
