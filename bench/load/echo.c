/*
 * The floor: a single-threaded epoll server that frames XenStore messages and answers each with a
 * fixed reply of its own type, without looking anything up. Nothing that speaks this protocol over
 * sockets can be expected to be faster.
 *
 *   echo SOCKET
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

enum { BUFFER = 1 << 16, MAX_EVENTS = 256 };

struct client {
  int fd;
  size_t have;
  char in[BUFFER];
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* Answers every whole message in the buffer by one write; false when the peer has gone. */
static int serve(struct client *c) {
  static char out[2 * BUFFER];
  ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
  if (n <= 0) return n < 0 && errno == EAGAIN;
  c->have += (size_t)n;
  size_t at = 0, used = 0;
  while (c->have - at >= sizeof(struct message_header)) {
    struct message_header head;
    memcpy(&head, c->in + at, sizeof head);
    if (head.len > PAYLOAD_MAX) return 0;
    if (c->have - at < sizeof head + head.len) break;
    at += sizeof head + head.len;
    const char *payload = head.type == OP_WRITE ? "OK" : "0123456789abcde";
    head.len = (uint32_t)(head.type == OP_WRITE ? 3 : 15);
    memcpy(out + used, &head, sizeof head);
    memcpy(out + used + sizeof head, payload, head.len);
    used += sizeof head + head.len;
  }
  memmove(c->in, c->in + at, c->have - at);
  c->have -= at;
  return used == 0 || send(c->fd, out, used, MSG_NOSIGNAL) == (ssize_t)used;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: echo SOCKET\n"), 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  unlink(argv[1]);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) fail(argv[1]);
  int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event ready[MAX_EVENTS];
    int count = epoll_wait(set, ready, MAX_EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct client *c = ready[i].data.ptr;
      if (c == NULL) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) continue;
        c = calloc(1, sizeof *c);
        if (c == NULL) fail("calloc");
        c->fd = fd;
        event = (struct epoll_event){.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
      } else if (!serve(c)) {
        close(c->fd);
        free(c);
      }
    }
  }
}
