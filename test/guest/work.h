/* Steady work, for those who watch whether a guest is served; done when the word work= is on its command line. */
#pragma once
#include <stdbool.h>

/*
 * One step: a counter is written into the store and read back, a node made and removed, and a line printed:
 * WORK n OK, or what was answered instead. Gives false when the guest has no work.
 */
bool work_step(void);
