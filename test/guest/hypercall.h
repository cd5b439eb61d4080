/* Calls into Xen by way of the hypercall page. */
#pragma once
#include <stdint.h>
#include <xen/xen.h>

extern char hypercall_page[];

static inline long hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c)
{
    /* PV and HVM use the same registers in 64 bit; PV changes rcx and r11 (syscall). */
    long result;
    void *stub = hypercall_page + number * 32;
    asm volatile("call *%[stub]"
                 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
                 : [stub] "r"(stub)
                 : "memory", "rcx", "r8", "r9", "r10", "r11");
    return result;
}
