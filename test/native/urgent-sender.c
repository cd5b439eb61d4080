// A client of the store's socket that sends an urgent byte (MSG_OOB) between two requests, which no socket of Node's can:
// connects to the path it is given, sends when something comes to its input, says so, and stays until its input ends.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const uint32_t kFirst[] = {2, 1, 0, 0};
static const uint32_t kSecond[] = {2, 2, 0, 0};

int main(int argc, char** argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  char go;
  if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path)) return 2;
  strcpy(address.sun_path, argv[1]);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof(address)) != 0) return 3;
  if (read(0, &go, 1) != 1) return 4;
  if (send(fd, kFirst, sizeof(kFirst), 0) != sizeof(kFirst)) return 5;
  if (send(fd, "!", 1, MSG_OOB) != 1) return 6;
  if (send(fd, kSecond, sizeof(kSecond), 0) != sizeof(kSecond)) return 7;
  if (puts("sent") < 0 || fflush(stdout) != 0) return 8;
  while (read(0, &go, 1) > 0) continue;
  return 0;
}
