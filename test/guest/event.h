/* Event channels, without interrupts: the guest looks at its rings and sleeps when they have nothing. */
#pragma once
#include <stdint.h>
#include <xen/xen.h>
#include <xen/event_channel.h>

/* Orders accesses to a ring's bytes and indexes as the other side is to see them. */
#define barrier_all() asm volatile("mfence" : : : "memory")

/* The other side's processor may change it any time: read once, use the copy. */
#define read_once(x) (*(const volatile __typeof__(x) *)&(x))
#define write_once(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

void notify(evtchn_port_t port);

/*
 * Sleeps until XenStore or the console has sent an event since the last call. The caller looks at the rings
 * before and after: what comes between its look and the sleep leaves the port pending and ends the sleep.
 */
void wait_for_event(void);

/* Ends the domain; reason is a SHUTDOWN_… of <xen/sched.h>. */
void shut_down(unsigned reason) __attribute__((noreturn));
