/* The guest's console: text out, lines in. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Writes text; waits while the ring is full. The other side is told by console_flush. */
void print(const char *text);
void print_bytes(const char *bytes, size_t size);
void print_number(unsigned number);
/* Ends the line and tells the other side. */
void print_end(void);
/* Waits until all that was printed was taken; nothing is printed or read from then on. */
void console_abandon(void);

/*
 * Takes what was typed. Gives true when a line is complete; it is then in `line` until the next call, without
 * its end. What is longer than a line can be is cut.
 */
bool console_read_line(void);
extern char console_line[512];
