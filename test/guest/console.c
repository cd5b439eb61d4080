#include "console.h"
#include "event.h"
#include "machine.h"
#include "text.h"

char console_line[512];
static bool is_abandoned;

void console_abandon(void)
{
    struct xencons_interface *ring = machine.console;

    while (read_once(ring->out_cons) != ring->out_prod) wait_for_event();
    is_abandoned = true;
}

void print_bytes(const char *bytes, size_t size)
{
    struct xencons_interface *ring = machine.console;

    if (is_abandoned) return;
    while (size--) {
        XENCONS_RING_IDX prod = ring->out_prod;
        while (prod - read_once(ring->out_cons) >= sizeof ring->out) {
            notify(machine.console_port);
            wait_for_event();
        }
        barrier_all();
        ring->out[MASK_XENCONS_IDX(prod, ring->out)] = *bytes++;
        barrier_all();
        write_once(ring->out_prod, prod + 1);
    }
}

void print(const char *text)
{
    print_bytes(text, length(text));
}

void print_number(unsigned number)
{
    char digits[11];

    format_decimal(digits, number);
    print(digits);
}

void print_end(void)
{
    print("\r\n");
    if (!is_abandoned) notify(machine.console_port);
}

bool console_read_line(void)
{
    static size_t size;
    struct xencons_interface *ring = machine.console;
    bool is_complete = false;
    XENCONS_RING_IDX cons = ring->in_cons, prod = read_once(ring->in_prod);

    if (is_abandoned || cons == prod) return false;
    barrier_all();
    while (cons != prod && !is_complete) {
        char c = ring->in[MASK_XENCONS_IDX(cons++, ring->in)];
        /* A terminal sends CR for its return key, a script LF, some both: empty lines are not lines. */
        if (c == '\r' || c == '\n') is_complete = size > 0;
        else if (size < sizeof console_line - 1) console_line[size++] = c;
    }
    barrier_all();
    write_once(ring->in_cons, cons);
    notify(machine.console_port);
    if (is_complete) {
        console_line[size] = 0;
        size = 0;
    }
    return is_complete;
}
