#include "event.h"
#include "hypercall.h"
#include "machine.h"
#include <xen/sched.h>

void notify(evtchn_port_t port)
{
    struct evtchn_send send = { .port = port };

    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)&send, 0);
}

static void clear_pending(evtchn_port_t port)
{
    asm volatile("lock btrq %1, %0"
                 : "+m"(machine.shared_info->evtchn_pending[port / 64])
                 : "r"((uint64_t)port % 64)
                 : "memory");
}

void wait_for_event(void)
{
    evtchn_port_t ports[] = { machine.store_port, machine.console_port };
    struct sched_poll poll = { .nr_ports = 2 };

    /* poll and not block: it ends for a pending port, with no upcall to set up and no lost wake-up. */
    set_xen_guest_handle(poll.ports, ports);
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, (uint64_t)&poll, 0);
    clear_pending(machine.store_port);
    clear_pending(machine.console_port);
    barrier_all();
}

void shut_down(unsigned reason)
{
    struct sched_shutdown shutdown = { .reason = reason };

    for (;;) hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uint64_t)&shutdown, 0);
}
