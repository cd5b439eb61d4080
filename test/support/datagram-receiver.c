/*
 * Receives datagrams at a unix socket and gives them to standard output: four bytes of length (little
 * endian), then the datagram. A byte on standard input: 'p' receives nothing more, 'g' goes on; its end
 * ends the program.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char datagram[4 + 65536];

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path)) return 2;
  strcpy(address.sun_path, argv[1]);
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) return 1;
  fputs("ready\n", stderr);
  int isReceiving = 1;
  for (;;) {
    struct pollfd watched[2] = {{.fd = 0, .events = POLLIN}, {.fd = isReceiving ? fd : -1, .events = POLLIN}};
    if (poll(watched, 2, -1) < 0) return 1;
    if (watched[0].revents != 0) {
      char command = 0;
      if (read(0, &command, 1) != 1) return 0;
      isReceiving = command == 'g';
      continue;
    }
    if (watched[1].revents == 0) continue;
    const ssize_t got = recv(fd, datagram + 4, sizeof(datagram) - 4, 0);
    if (got < 0) return 1;
    const uint32_t length = (uint32_t)got;
    for (int i = 0; i < 4; i++) datagram[i] = (char)(length >> (8 * i));
    for (size_t at = 0; at < length + 4;) {
      const ssize_t put = write(1, datagram + at, length + 4 - at);
      if (put <= 0) return 0;
      at += (size_t)put;
    }
  }
}
