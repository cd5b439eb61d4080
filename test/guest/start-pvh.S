/*
 * Where a PVH guest starts: protected mode, 32 bit, paging off, flat segments, ebx = hvm_start_info.
 *
 * Long mode needs page tables: one to one, in 2 MiB pages, for the first GiB (the image, start_info) and the
 * fourth (XenStore's and the console's ring lie just below 4 GiB).
 */
#include "elfnote.S.h"

xen_note XEN_ELFNOTE_PHYS32_ENTRY, .long, start

#define PRESENT_WRITABLE 0x3
#define LARGE            0x80
#define EFER             0xc0000080
#define EFER_LME         0x100
#define CR4_PAE          0x20
#define CR0_PG_WP_PE     0x80010001

page table_l4
page table_l3
page table_l2_first
page table_l2_fourth

    .text
    .code32
    .globl start
start:
    cld
    movl $table_l3 + PRESENT_WRITABLE, table_l4
    movl $table_l2_first + PRESENT_WRITABLE, table_l3
    movl $table_l2_fourth + PRESENT_WRITABLE, table_l3 + 3 * 8
    xor %ecx, %ecx
1:  mov %ecx, %eax
    shl $21, %eax
    or $PRESENT_WRITABLE | LARGE, %eax
    mov %eax, table_l2_first(, %ecx, 8)
    add $0xc0000000, %eax
    mov %eax, table_l2_fourth(, %ecx, 8)
    inc %ecx
    cmp $512, %ecx
    jne 1b

    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $table_l4, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $CR0_PG_WP_PE, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode

    .code64
long_mode:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $stack + 4096, %rsp
    mov %ebx, %edi             /* clears the upper half */
    call machine_start
    ud2

    .data
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff   /* 8: 64-bit code */
    .quad 0x00cf93000000ffff   /* 16: data */
gdt_pointer:
    .word . - gdt - 1
    .long gdt

    .section .note.GNU-stack, "", @progbits
