/*
 * Load for a XenStore socket: raw protocol, fixed depth of pipelining, one thread.
 *
 *   load SOCKET read|write DEPTH CONNECTIONS SECONDS
 *
 * Every connection writes its own node once (so that a read finds a value of 15 bytes), then each
 * keeps DEPTH requests under way. Prints one JSON object: operations per second, percentiles of the
 * time from a request's write to its reply's read in microseconds, errors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

enum { BUFFER = 1 << 17, MAX_DEPTH = 1024, MAX_SAMPLES = 1 << 22 };

struct client {
  int fd;
  uint32_t under_way;
  size_t have;
  char path[64];
  uint64_t sent_at[MAX_DEPTH];
  uint32_t first, next;
  char in[BUFFER];
};

static uint32_t samples[MAX_SAMPLES];
static size_t sample_count;
static uint64_t done, errors;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t put_request(char *at, const struct client *c, int op) {
  size_t path = strlen(c->path) + 1, value = op == OP_WRITE ? 15 : 0;
  struct message_header head = {.type = (uint32_t)op, .len = (uint32_t)(path + value)};
  memcpy(at, &head, sizeof head);
  memcpy(at + sizeof head, c->path, path);
  memcpy(at + sizeof head + path, "0123456789abcde", value);
  return sizeof head + head.len;
}

static void send_requests(struct client *c, int op, uint32_t count) {
  static char out[MAX_DEPTH * 128];
  size_t used = 0;
  uint64_t t = now_ns();
  for (uint32_t i = 0; i < count; i++) {
    used += put_request(out + used, c, op);
    c->sent_at[c->next++ % MAX_DEPTH] = t;
  }
  c->under_way += count;
  for (size_t at = 0; at < used;) {
    ssize_t n = send(c->fd, out + at, used - at, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) fail("send");
    if (n > 0) at += (size_t)n;
  }
}

/* Takes what replies there are; returns how many. */
static uint32_t take_replies(struct client *c) {
  ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
  if (n == 0) { fprintf(stderr, "load: the daemon closed the connection\n"); exit(1); }
  if (n < 0) { if (errno == EAGAIN) return 0; fail("recv"); }
  c->have += (size_t)n;
  size_t at = 0;
  uint32_t taken = 0;
  uint64_t t = now_ns();
  while (c->have - at >= sizeof(struct message_header)) {
    struct message_header head;
    memcpy(&head, c->in + at, sizeof head);
    if (c->have - at < sizeof head + head.len) break;
    at += sizeof head + head.len;
    if (head.type == OP_ERROR) errors++;
    if (sample_count < MAX_SAMPLES) samples[sample_count++] = (uint32_t)(t - c->sent_at[c->first % MAX_DEPTH]);
    c->first++;
    taken++;
  }
  memmove(c->in, c->in + at, c->have - at);
  c->have -= at;
  c->under_way -= taken;
  return taken;
}

static struct client *open_client(const char *path, int number) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  struct client *c = calloc(1, sizeof *c);
  if (c == NULL) fail("calloc");
  c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail(path);
  snprintf(c->path, sizeof c->path, "/local/domain/%d/data/load", number + 1);
  send_requests(c, OP_WRITE, 1);
  while (c->under_way > 0) take_replies(c);
  return c;
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: load SOCKET read|write DEPTH CONNECTIONS SECONDS\n"), 2;
  int op = strcmp(argv[2], "write") == 0 ? OP_WRITE : OP_READ;
  int depth = atoi(argv[3]), connections = atoi(argv[4]);
  if (depth < 1 || depth > MAX_DEPTH || connections < 1) return fprintf(stderr, "load: DEPTH 1 to %d\n", MAX_DEPTH), 2;
  struct client **clients = calloc((size_t)connections, sizeof *clients);
  if (clients == NULL) fail("calloc");
  int set = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    clients[i] = open_client(argv[1], i);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = clients[i]};
    epoll_ctl(set, EPOLL_CTL_ADD, clients[i]->fd, &event);
  }
  sample_count = 0;
  errors = 0;
  uint64_t start = now_ns(), end = start + (uint64_t)(atof(argv[5]) * 1e9);
  for (int i = 0; i < connections; i++) send_requests(clients[i], op, (uint32_t)depth);
  while (now_ns() < end) {
    struct epoll_event ready[256];
    int count = epoll_wait(set, ready, 256, 1000);
    for (int i = 0; i < count; i++) {
      struct client *c = ready[i].data.ptr;
      uint32_t taken = take_replies(c);
      done += taken;
      if (taken > 0) send_requests(c, op, taken);
    }
  }
  double seconds = (double)(now_ns() - start) / 1e9;
  qsort(samples, sample_count, sizeof *samples, by_size);
  double p50 = sample_count ? samples[sample_count / 2] / 1e3 : 0, p99 = sample_count ? samples[sample_count * 99 / 100] / 1e3 : 0;
  printf("{\"operationsPerS\":%.0f,\"p50Us\":%.2f,\"p99Us\":%.2f,\"errors\":%llu}\n", (double)done / seconds, p50, p99, (unsigned long long)errors);
  return 0;
}
