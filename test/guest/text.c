#include "text.h"

void *memcpy(void *to, const void *from, size_t size)
{
    char *t = to;
    const char *f = from;

    while (size--) *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t size)
{
    char *t = to;

    while (size--) *t++ = (char)value;
    return to;
}

size_t length(const char *text)
{
    size_t n = 0;

    while (text[n]) n++;
    return n;
}

bool equal(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

const char *after(const char *text, const char *prefix)
{
    while (*prefix)
        if (*text++ != *prefix++) return NULL;
    return text;
}

void copy_word(char *to, size_t size, const char *from)
{
    while (--size && *from && *from != ' ') *to++ = *from++;
    *to = 0;
}

const char *find_word(const char *words, const char *prefix)
{
    for (; *words; words++) {
        const char *value = after(words, prefix);
        if (value) return value;
    }
    return NULL;
}

unsigned parse_decimal(const char *text)
{
    unsigned number = 0;

    while (*text >= '0' && *text <= '9') number = number * 10 + (unsigned)(*text++ - '0');
    return number;
}

void format_decimal(char *to, unsigned number)
{
    char digits[10];
    int n = 0;

    do digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n) *to++ = digits[--n];
    *to = 0;
}
