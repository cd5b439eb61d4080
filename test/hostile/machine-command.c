/* One command to the control socket of a simulated machine: the lines of its answer, the last one `ok` or
 * `error SENTENCE`, go to standard output. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

int main(int argc, char **argv) {
  char line[4096];
  const int fd = argc == 3 ? connect_to(argv[1]) : -1;
  if (fd < 0) return 1;
  dprintf(fd, "%s\n", argv[2]);
  FILE *answer = fdopen(fd, "r");
  while (fgets(line, sizeof line, answer) != NULL) {
    fputs(line, stdout);
    if (strcmp(line, "ok\n") == 0 || strncmp(line, "error ", 6) == 0) return 0;
  }
  return 1;
}
