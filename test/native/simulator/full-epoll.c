/* An epoll that takes no more descriptors (as at fs.epoll.max_user_watches) while the file that
 * XCL_TEST_EPOLL_FULL names is there. Preloaded by full-epoll.test.ts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  const char *const file = getenv("XCL_TEST_EPOLL_FULL");
  if (operation == EPOLL_CTL_ADD && file != NULL && access(file, F_OK) == 0) {
    errno = ENOSPC;
    return -1;
  }
  int (*const real)(int, int, int, struct epoll_event *) = dlsym(RTLD_NEXT, "epoll_ctl");
  return real(epoll, operation, fd, event);
}
