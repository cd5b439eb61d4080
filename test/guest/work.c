#include "work.h"
#include "console.h"
#include "machine.h"
#include "text.h"
#include "xenstore.h"

/* So many lines before the other things are looked at. */
#define LINES_AT_ONCE 16

static bool do_work(const char *number)
{
    return store_write("data/work/count", number) && store_read("data/work/count")
        && equal(store_answer, number) && store_write("data/work/passing/node", number)
        && store_remove("data/work/passing");
}

bool work_step(void)
{
    static unsigned count;
    char number[11];

    if (!find_word(machine.command_line, "work=")) return false;
    format_decimal(number, ++count);
    bool is_good = do_work(number);
    print("WORK ");
    print(number);
    print(" ");
    print(is_good ? "OK" : store_answer);
    print_end();
    return true;
}

static bool is_counting;
static unsigned counted;

void counting_begin(void)
{
    is_counting = true;
    counted = 0;
}

void counting_end(void)
{
    is_counting = false;
    print("COUNTED ");
    print_number(counted);
    print_end();
}

bool counting_step(void)
{
    for (unsigned i = 0; is_counting && i < LINES_AT_ONCE; i++) {
        print("LINE ");
        print_number(++counted);
        print_end();
    }
    return is_counting;
}
