#include "machine.h"
#include "hypercall.h"
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

struct machine machine;

/* Xen's second CPUID leaf says which MSR takes the address of a page to fill with hypercall stubs. */
static void install_hypercall_page(void)
{
    uint32_t a = XEN_CPUID_FIRST_LEAF + 2, msr, c = 0, d;
    uint64_t page = (uint64_t)hypercall_page;

    asm volatile("cpuid" : "+a"(a), "=b"(msr), "+c"(c), "=d"(d));
    asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)page), "d"((uint32_t)(page >> 32)) : "memory");
}

static uint64_t hvm_param(uint32_t index)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };

    hypercall(__HYPERVISOR_hvm_op, HVMOP_get_param, (uint64_t)&param, 0);
    return param.value;
}

void machine_start(void *info)
{
    const struct hvm_start_info *start = info;
    struct xen_add_to_physmap map = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_shared_info,
        .gpfn = (uint64_t)shared_info_page >> 12,
    };

    install_hypercall_page();
    hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uint64_t)&map, 0);
    machine = (struct machine){
        .type = "pvh",
        .command_line = start->cmdline_paddr ? (const char *)start->cmdline_paddr : "",
        .shared_info = (struct shared_info *)shared_info_page,
        .store = (void *)(hvm_param(HVM_PARAM_STORE_PFN) << 12),
        .store_port = hvm_param(HVM_PARAM_STORE_EVTCHN),
        .console = (void *)(hvm_param(HVM_PARAM_CONSOLE_PFN) << 12),
        .console_port = hvm_param(HVM_PARAM_CONSOLE_EVTCHN),
    };
    run();
}
