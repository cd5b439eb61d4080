/* How a kernel image tells the domain builder what it is: ELF notes named "Xen", see <xen/elfnote.h>. */
#include <xen/elfnote.h>

.macro xen_note type, directive, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f          /* size of the name */
    .long 4f - 3f          /* size of the value */
    .long \type
1:  .asciz "Xen"
2:  .balign 4
3:  \directive \value
4:  .balign 4
    .popsection
.endm

xen_note XEN_ELFNOTE_GUEST_OS, .asciz, "xcl-test"
xen_note XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
xen_note XEN_ELFNOTE_LOADER, .asciz, "generic"

/* Pages with an address of their own, zero at the start. */
.macro page name
    .pushsection .bss.page, "aw", @nobits
    .balign 4096
    .globl \name
\name:
    .skip 4096
    .popsection
.endm

page hypercall_page        /* filled by Xen with one 32-byte stub per hypercall */
page shared_info_page      /* where shared_info is mapped */
page stack
