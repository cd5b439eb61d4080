#include "machine.h"
#include "hypercall.h"

struct machine machine;

/*
 * start_info names the rings by machine frame. They lie in the initial mapping, behind the image, so the
 * table from machine to pseudo-physical frames, which Xen maps for every PV guest, gives their address.
 */
static void *address_of(xen_pfn_t mfn)
{
    const uint64_t *pfn_of_mfn = (const uint64_t *)MACH2PHYS_VIRT_START;
    return (void *)(VIRT_BASE + (pfn_of_mfn[mfn] << 12));
}

void machine_start(void *info)
{
    const start_info_t *start = info;
    const uint64_t present_writable_user = 7;

    hypercall(__HYPERVISOR_update_va_mapping, (uint64_t)shared_info_page,
              start->shared_info | present_writable_user, UVMF_INVLPG);
    machine = (struct machine){
        .type = "pv",
        .command_line = (const char *)start->cmd_line,
        .shared_info = (struct shared_info *)shared_info_page,
        .store = address_of(start->store_mfn),
        .store_port = start->store_evtchn,
        .console = address_of(start->console.domU.mfn),
        .console_port = start->console.domU.evtchn,
    };
    run();
}
