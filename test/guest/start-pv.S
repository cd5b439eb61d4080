/* Where a 64-bit PV guest starts: long mode, paging on, flat segments, rsi = start_info. */
#include "elfnote.S.h"

xen_note XEN_ELFNOTE_VIRT_BASE, .quad, VIRT_BASE
xen_note XEN_ELFNOTE_ENTRY, .quad, start
xen_note XEN_ELFNOTE_HYPERCALL_PAGE, .quad, hypercall_page
xen_note XEN_ELFNOTE_PAE_MODE, .asciz, "yes"

    .text
    .globl start
start:
    cld
    mov $stack + 4096, %rsp
    mov %rsi, %rdi
    call machine_start
    ud2

    .section .note.GNU-stack, "", @progbits
