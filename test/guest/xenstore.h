/* A XenStore client over the domain's own ring; one request at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was watched and has fired since it was last looked at; the watcher clears it. */
enum { WATCH_SHUTDOWN, WATCH_POKE, WATCHES };
extern bool watch_fired[WATCHES];

/* The last answer: a value, a list of names, or an error's name; ended by a 0 that is not in its size. */
extern char store_answer[];
extern size_t store_answer_size;

/* Each gives false when XenStore answers with an error. Paths without a leading / are the domain's own. */
bool store_read(const char *path);
bool store_write(const char *path, const char *value);
bool store_list(const char *path);
bool store_remove(const char *path);
bool store_watch(const char *path, int watch);

/* Any request: type is an XS_…, a and b make its payload. */
bool store_request(uint32_t type, uint32_t transaction, const char *a, size_t a_size, const char *b,
                   size_t b_size);
/* A request whose answer is dropped when it comes. */
void store_post(uint32_t type, const char *a, size_t a_size, const char *b, size_t b_size);

/* Takes what has come unasked: watch events. Gives false when there was nothing. */
bool store_receive(void);

/* Nothing is taken out of the ring any more, and only store_put puts something into it. */
void store_abandon(void);
/* Puts what there is room for, without waiting or telling; gives how much that was. */
size_t store_put(const void *bytes, size_t size);
