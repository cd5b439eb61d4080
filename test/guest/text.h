/* The few string functions needed, and those the compiler calls by itself. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

size_t length(const char *text);
bool equal(const char *a, const char *b);
/* What follows `prefix` in `text`, or NULL if it does not start with it. */
const char *after(const char *text, const char *prefix);
/* Copies up to a blank or the end; cuts what does not fit. */
void copy_word(char *to, size_t size, const char *from);
/* What follows `prefix` where it stands first in `words`, or NULL. */
const char *find_word(const char *words, const char *prefix);
/* The number that `text` begins with; 0 if with none. */
unsigned parse_decimal(const char *text);
/* `number` in decimal; to holds at least 11 characters. */
void format_decimal(char *to, unsigned number);
