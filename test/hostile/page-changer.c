/*
 * An addon that changes one word of a page after each single access to it, as a guest on another processor
 * could: whoever reads the word twice reads two values.
 *
 * The page is made inaccessible. An access faults, is let through for one instruction (the trap flag), and
 * the page is closed again behind it. Linux on x86-64; for one page at a time.
 */
#define _GNU_SOURCE
#include <node_api.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE_BYTES 4096
#define TRAP_FLAG 0x100

static char *page;
static volatile uint32_t *word;
static uint32_t values[2];
static uint32_t accesses;
static struct sigaction fault_before, trap_before;

static void open_for_one(int number, siginfo_t *info, void *context)
{
    char *at = info->si_addr;

    /* Somebody else's fault: it comes again, to whom it may concern. */
    if (at < page || at >= page + PAGE_BYTES) {
        sigaction(number, &fault_before, NULL);
        return;
    }
    if (mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE) != 0) abort();
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void close_behind(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    *word = values[++accesses % 2];
    if (mprotect(page, PAGE_BYTES, PROT_NONE) != 0) abort();
}

static uint32_t number_of(napi_env env, napi_value value)
{
    uint32_t number = 0;

    napi_get_value_uint32(env, value, &number);
    return number;
}

/* begin(page, byteOffset, first, second): the word has the first value now, the second after one access. */
static napi_value begin(napi_env env, napi_callback_info info)
{
    napi_value arguments[4];
    size_t count = 4, bytes = 0;
    void *data = NULL;
    struct sigaction fault = { .sa_flags = SA_SIGINFO }, trap = { .sa_flags = SA_SIGINFO };

    napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
    napi_get_arraybuffer_info(env, arguments[0], &data, &bytes);
    if (page != NULL || bytes != PAGE_BYTES || (uintptr_t)data % PAGE_BYTES != 0) {
        napi_throw_error(env, NULL, "one whole page at a time");
        return NULL;
    }
    page = data;
    word = (volatile uint32_t *)(page + number_of(env, arguments[1]));
    values[0] = number_of(env, arguments[2]);
    values[1] = number_of(env, arguments[3]);
    accesses = 0;
    *word = values[0];
    fault.sa_sigaction = open_for_one;
    trap.sa_sigaction = close_behind;
    sigaction(SIGSEGV, &fault, &fault_before);
    sigaction(SIGTRAP, &trap, &trap_before);
    if (mprotect(page, PAGE_BYTES, PROT_NONE) != 0) abort();
    return NULL;
}

/* end(): gives how often the page was accessed. */
static napi_value end(napi_env env, napi_callback_info info)
{
    napi_value count;

    (void)info;
    if (page != NULL && mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE) != 0) abort();
    page = NULL;
    sigaction(SIGSEGV, &fault_before, NULL);
    sigaction(SIGTRAP, &trap_before, NULL);
    napi_create_uint32(env, accesses, &count);
    return count;
}

NAPI_MODULE_INIT()
{
    napi_property_descriptor properties[] = {
        { "begin", NULL, begin, NULL, NULL, NULL, napi_default, NULL },
        { "end", NULL, end, NULL, NULL, NULL, napi_default, NULL },
    };

    napi_define_properties(env, exports, 2, properties);
    return exports;
}
