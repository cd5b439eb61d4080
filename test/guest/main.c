/*
 * A guest that does what a toolstack can see of a guest, and nothing else: it speaks to XenStore and the
 * console, does as it is told there, and sleeps.
 *
 * XenStore, all below its own home:
 *   reads   domid, name, data/nonce (or nonce=… of the command line)
 *   writes  data/ready (its domid), data/nonce-echo, control/feature-poweroff and -reboot
 *   obeys   control/shutdown: poweroff, halt, reboot
 *   answers each change of data/poke with data/poke-echo of the same value
 * Console: one line when it is up, READY type domid= name= nonce= write=, then the commands of `help`.
 *
 * Words of the command line: nonce=… as above, work=1 for steady work (work.h), attack=… for what it does
 * to others (attack.h).
 */
#include "attack.h"
#include "console.h"
#include "event.h"
#include "machine.h"
#include "text.h"
#include "work.h"
#include "xenstore.h"
#include <xen/sched.h>

static char nonce[64] = "-";

static void find_nonce(void)
{
    if (store_read("data/nonce") && store_answer_size > 0) {
        copy_word(nonce, sizeof nonce, store_answer);
        return;
    }
    const char *value = find_word(machine.command_line, "nonce=");
    if (value) copy_word(nonce, sizeof nonce, value);
}

static void announce(void)
{
    char domid[16] = "?", name[64] = "?";
    const char *outcome = "OK";

    if (store_read("domid")) copy_word(domid, sizeof domid, store_answer);
    if (store_read("name")) copy_word(name, sizeof name, store_answer);
    find_nonce();
    store_watch("control/shutdown", WATCH_SHUTDOWN);
    store_watch("data/poke", WATCH_POKE);
    store_write("control/feature-poweroff", "1");
    store_write("control/feature-reboot", "1");
    store_write("data/nonce-echo", nonce);
    if (!store_write("data/ready", domid)) outcome = store_answer;
    print("READY ");
    print(machine.type);
    print(" domid=");
    print(domid);
    print(" name=");
    print(name);
    print(" nonce=");
    print(nonce);
    print(" write=");
    print(outcome);
    print_end();
}

static void obey_shutdown(void)
{
    if (!store_read("control/shutdown") || store_answer_size == 0) return;
    bool is_reboot = equal(store_answer, "reboot");
    bool is_known = is_reboot || equal(store_answer, "poweroff") || equal(store_answer, "halt");
    /* The empty value is the acknowledgement; an unknown request is taken off as well. */
    store_write("control/shutdown", "");
    if (!is_known) return;
    print("BYE");
    print_end();
    shut_down(is_reboot ? SHUTDOWN_reboot : SHUTDOWN_poweroff);
}

static void answer_poke(void)
{
    static char value[256];

    if (!store_read("data/poke")) return;
    size_t size = store_answer_size < sizeof value - 1 ? store_answer_size : sizeof value - 1;
    memcpy(value, store_answer, size);
    value[size] = 0;
    store_write("data/poke-echo", value);
}

/* Says how the last request went: `good`, or the error XenStore answered with. */
static void print_outcome(bool is_good, const char *good)
{
    print(is_good ? good : "ERR ");
    if (!is_good) print(store_answer);
    print_end();
}

static void print_names(void)
{
    for (size_t i = 0; i < store_answer_size; i++)
        print_bytes(store_answer[i] ? store_answer + i : " ", 1);
    print_end();
}

static void spin_write(const char *argument)
{
    unsigned count = parse_decimal(argument);
    char value[11];

    for (unsigned i = 1; i <= count; i++) {
        format_decimal(value, i);
        if (!store_write("data/spin", value)) break;
    }
    print("DONE");
    print_end();
}

/* `write P V`: cuts the line in two; V may have blanks and may be missing. */
static void write_command(char *path)
{
    char *value = path;

    while (*value && *value != ' ') value++;
    if (*value) *value++ = 0;
    print_outcome(store_write(path, value), "OK");
}

/* What the daemon thinks of the store's ring: 0, or an error of xs_wire.h. */
static void print_ring_error(void)
{
    print("ring error=");
    print_number(read_once(machine.store->error));
    print_end();
}

static void obey_line(char *line)
{
    const char *rest;

    if (equal(line, "ping")) {
        print("pong");
        print_end();
    } else if ((rest = after(line, "read "))) {
        print_outcome(store_read(rest), store_answer);
    } else if ((rest = after(line, "write "))) {
        write_command(line + (rest - line));
    } else if ((rest = after(line, "list "))) {
        if (store_list(rest)) print_names();
        else print_outcome(false, "");
    } else if ((rest = after(line, "rm "))) {
        print_outcome(store_remove(rest), "OK");
    } else if ((rest = after(line, "echo "))) {
        print(rest);
        print_end();
    } else if ((rest = after(line, "spin-write "))) {
        spin_write(rest);
    } else if (equal(line, "count")) {
        counting_begin();
    } else if (equal(line, "count-end")) {
        counting_end();
    } else if (equal(line, "ring")) {
        print_ring_error();
    } else if (equal(line, "poweroff")) {
        shut_down(SHUTDOWN_poweroff);
    } else if (equal(line, "reboot")) {
        shut_down(SHUTDOWN_reboot);
    } else if (equal(line, "crash")) {
        shut_down(SHUTDOWN_crash);
    } else if (equal(line, "help")) {
        print("ping, read P, write P V, list P, rm P, echo TEXT, spin-write N, count, count-end, ring, poweroff, "
              "reboot, crash");
        print_end();
    } else {
        print("? ");
        print(line);
        print_end();
    }
}

void run(void)
{
    announce();
    attack_begin();
    for (;;) {
        bool is_idle = !store_receive();
        if (watch_fired[WATCH_SHUTDOWN]) {
            watch_fired[WATCH_SHUTDOWN] = false;
            obey_shutdown();
            is_idle = false;
        }
        if (watch_fired[WATCH_POKE]) {
            watch_fired[WATCH_POKE] = false;
            answer_poke();
            is_idle = false;
        }
        if (console_read_line()) {
            obey_line(console_line);
            is_idle = false;
        }
        if (work_step()) is_idle = false;
        if (counting_step()) is_idle = false;
        if (attack_go_on()) is_idle = false;
        if (is_idle) wait_for_event();
    }
}
