#include "xenstore.h"
#include "event.h"
#include "machine.h"
#include "text.h"
#include <xen/sched.h>

/* Position in the message that is coming in; it may come in any number of pieces. */
static struct xsd_sockmsg header;
static size_t received;

char store_answer[XENSTORE_PAYLOAD_MAX + 1];
size_t store_answer_size;
bool watch_fired[WATCHES];

/* The request that waits for its answer; answers to others are dropped. */
static uint32_t awaited_id;
static bool is_answered;
static bool is_abandoned;

void store_abandon(void)
{
    is_abandoned = true;
    /* Who sees that one has fired asks, and would wait for the answer for ever. */
    memset(watch_fired, false, sizeof watch_fired);
}

static uint32_t minimum(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* An event's payload is the path and, behind its 0, the token: one letter, counted from 'a'. */
static void take_watch_event(void)
{
    size_t i = 0;

    while (i < header.len && store_answer[i]) i++;
    if (i + 1 >= header.len) return;
    unsigned watch = (unsigned)(store_answer[i + 1] - 'a');
    if (watch < WATCHES) watch_fired[watch] = true;
}

static void take_message(void)
{
    store_answer[header.len] = 0;
    if (header.type == XS_WATCH_EVENT) {
        take_watch_event();
    } else if (header.req_id == awaited_id && !is_answered) {
        is_answered = true;
        store_answer_size = header.len;
    }
}

/*
 * Takes what the ring has, up to the end of the awaited answer: what comes behind it would overwrite it.
 */
bool store_receive(void)
{
    struct xenstore_domain_interface *ring = machine.store;
    XENSTORE_RING_IDX cons = ring->rsp_cons, prod = read_once(ring->rsp_prod);

    if (is_abandoned || cons == prod) return false;
    barrier_all();
    while (cons != prod) {
        size_t whole = received < sizeof header ? sizeof header : sizeof header + header.len;
        uint32_t at = MASK_XENSTORE_IDX(cons);
        uint32_t n = minimum(prod - cons, minimum(whole - received, XENSTORE_RING_SIZE - at));
        char *to = received < sizeof header ? (char *)&header + received
                                            : store_answer + (received - sizeof header);
        memcpy(to, ring->rsp + at, n);
        cons += n;
        received += n;
        if (received < sizeof header) continue;
        /* Nothing after such a message could be understood. */
        if (header.len > XENSTORE_PAYLOAD_MAX) shut_down(SHUTDOWN_crash);
        if (received < sizeof header + header.len) continue;
        received = 0;
        take_message();
        if (is_answered) break;
    }
    barrier_all();
    write_once(ring->rsp_cons, cons);
    notify(machine.store_port);
    return true;
}

size_t store_put(const void *bytes, size_t size)
{
    struct xenstore_domain_interface *ring = machine.store;
    const char *from = bytes;
    size_t put = 0;

    while (put < size) {
        XENSTORE_RING_IDX prod = ring->req_prod, used = prod - read_once(ring->req_cons);
        if (used >= XENSTORE_RING_SIZE) break;
        barrier_all();
        uint32_t at = MASK_XENSTORE_IDX(prod);
        uint32_t n = minimum(minimum(size - put, XENSTORE_RING_SIZE - used), XENSTORE_RING_SIZE - at);
        memcpy(ring->req + at, from + put, n);
        barrier_all();
        write_once(ring->req_prod, prod + n);
        put += n;
    }
    return put;
}

static void send_bytes(const void *bytes, size_t size)
{
    const char *from = bytes;

    for (size_t put = 0;;) {
        put += store_put(from + put, size - put);
        if (put == size) return;
        notify(machine.store_port);
        /* The other side may wait for room itself, to be rid of watch events. */
        if (!store_receive()) wait_for_event();
    }
}

static void send_request(uint32_t transaction, uint32_t type, const char *a, size_t a_size, const char *b,
                         size_t b_size)
{
    struct xsd_sockmsg message = {
        .type = type,
        .req_id = awaited_id,
        .tx_id = transaction,
        .len = (uint32_t)(a_size + b_size),
    };

    send_bytes(&message, sizeof message);
    send_bytes(a, a_size);
    send_bytes(b, b_size);
    notify(machine.store_port);
}

bool store_request(uint32_t type, uint32_t transaction, const char *a, size_t a_size, const char *b,
                   size_t b_size)
{
    awaited_id++;
    is_answered = false;
    send_request(transaction, type, a, a_size, b, b_size);
    while (!is_answered)
        if (!store_receive()) wait_for_event();
    /* From here on a message may only be an event, until the next request. */
    is_answered = false;
    awaited_id++;
    return header.type != XS_ERROR;
}

void store_post(uint32_t type, const char *a, size_t a_size, const char *b, size_t b_size)
{
    /* An id of its own, which nobody awaits by the time the answer comes. */
    send_request(0, type, a, a_size, b, b_size);
    awaited_id++;
}

bool store_read(const char *path)
{
    return store_request(XS_READ, 0, path, length(path) + 1, NULL, 0);
}

bool store_write(const char *path, const char *value)
{
    return store_request(XS_WRITE, 0, path, length(path) + 1, value, length(value));
}

bool store_list(const char *path)
{
    return store_request(XS_DIRECTORY, 0, path, length(path) + 1, NULL, 0);
}

bool store_remove(const char *path)
{
    return store_request(XS_RM, 0, path, length(path) + 1, NULL, 0);
}

bool store_watch(const char *path, int watch)
{
    char token[] = { (char)('a' + watch), 0 };

    return store_request(XS_WATCH, 0, path, length(path) + 1, token, sizeof token);
}
