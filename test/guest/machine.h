/* What a guest is told at its start, however it was started. */
#pragma once
#include <stdint.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

struct machine {
    const char *type;                           /* "pv" or "pvh" */
    const char *command_line;                   /* never NULL */
    struct shared_info *shared_info;
    struct xenstore_domain_interface *store;
    evtchn_port_t store_port;
    struct xencons_interface *console;
    evtchn_port_t console_port;
};

extern struct machine machine;
extern char shared_info_page[];

/* Called from start-*.S, fills `machine` and goes on in run(). */
void machine_start(void *info) __attribute__((noreturn));
void run(void) __attribute__((noreturn));
