/* What a guest does to others, or to itself, when the word attack=NAME of its command line asks for it. */
#pragma once
#include <stdbool.h>

/*
 * Looks for the word and begins. Several names, divided by commas, are begun one after another. What takes
 * all it can get, takes it here and says what ended it.
 */
void attack_begin(void);

/* Goes on with what never ends, for a moment. Gives false when there is nothing to do before an event. */
bool attack_go_on(void);
