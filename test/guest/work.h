/* Steady work, for those who watch whether a guest is served; done when the word work= is on its command line. */
#pragma once
#include <stdbool.h>

/*
 * One step: a counter is written into the store and read back, a node made and removed, and a line printed:
 * WORK n OK, or what was answered instead. Gives false when the guest has no work.
 */
bool work_step(void);

/*
 * Numbered lines, LINE 1 and so on, as fast as they are taken, for those who look for lost ones. The end says how
 * many there were: COUNTED n.
 */
void counting_begin(void);
void counting_end(void);
/* Some lines; gives false when none are wanted. */
bool counting_step(void);
