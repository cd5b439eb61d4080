/* Finds xcld, or starts it. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Two clients may start xcld at once; the one that lost waits for the winner's to be ready. */
#define START_TRIES 200
#define START_PAUSE_NS 50000000L

int connect_unix(const char *path, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0) return -1;
	while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		if (errno == EINTR) continue;
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* A file by its path from the folder of this program. */
static void find_beside(const char *name, char *into, size_t room)
{
	ssize_t length = readlink("/proc/self/exe", into, room - strlen(name) - 1);
	if (length <= 0) die(EXIT_FAILED, "cannot tell where xcl lies: is /proc mounted?");
	into[length] = 0;
	char *slash = strrchr(into, '/');
	strcpy(slash == NULL ? into : slash + 1, name);
}

/* XCLD, or the xcld in the folder of this program. */
static void find_xcld(char *into, size_t room)
{
	const char *told = getenv("XCLD");
	if (told == NULL || *told == 0) {
		find_beside("xcld", into, room);
		return;
	}
	if (strlen(told) >= room) die(EXIT_FAILED, "XCLD is too long a path");
	strcpy(into, told);
}

/* Root or the caller: anybody else could put a daemon of his own where one is looked for. */
static int is_trusted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

int connect_simulation(void)
{
	char path[4096];
	find_beside("../run/xcld.sock", path, sizeof path);
	int fd = connect_unix(path, 0);
	if (fd < 0) return -1;
	if (!is_trusted(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Runs xcld until it is in the background and serves; what it has to say goes to our stderr. */
static void start_xcld(const char *socket_path)
{
	char program[4096];
	find_xcld(program, sizeof program);
	char *arguments[] = { program, "--socket", (char *)socket_path, NULL };

	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	pid_t child;
	int failed = posix_spawn(&child, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed != 0)
		die(EXIT_FAILED, "xcld is not running and cannot be started (%s): %s", program,
		    strerrordesc_np(failed));

	int status;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR) die(EXIT_FAILED, "cannot wait for xcld: %s", strerrordesc_np(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 127) exit(WEXITSTATUS(status));
	die(EXIT_FAILED, "xcld (%s) did not start", program);
}

static int is_any(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0) return 1;
	return 0;
}

static int asks_for_help(char **argv)
{
	static const char *const FIRST[] = { "help", "version", "--version", "-V", NULL };
	static const char *const ANYWHERE[] = { "--help", "-h", NULL };
	if (argv[0] == NULL || argv[1] == NULL) return 0;
	if (is_any(argv[1], FIRST)) return 1;
	for (int i = 1; argv[i] != NULL; i++)
		if (is_any(argv[i], ANYWHERE)) return 1;
	return 0;
}

/* The texts are xcld's; to print them it needs no Xen, no privileges and no daemon. */
_Noreturn static void print_help(char **argv)
{
	char program[4096];
	find_xcld(program, sizeof program);
	size_t count = 0;
	while (argv[count] != NULL) count++;
	char **arguments = calloc(count + 2, sizeof *arguments);
	if (arguments == NULL) die(EXIT_FAILED, "no memory for the command");
	arguments[0] = program;
	arguments[1] = "--command-line-help";
	memcpy(arguments + 2, argv + 1, (count - 1) * sizeof *arguments);
	execv(program, arguments);
	die(EXIT_FAILED, "xcld (%s) cannot be run: %s", program, strerrordesc_np(errno));
}

int connect_xcld(const char *path, char **argv)
{
	int is_started = 0;
	for (int tries = 0; tries < START_TRIES; tries++) {
		int fd = connect_unix(path, 0);
		if (fd >= 0) return fd;
		if (asks_for_help(argv)) print_help(argv);
		if (errno == EACCES || errno == EPERM)
			die(EXIT_REFUSED, "you may not talk to xcld at %s; xcl must be run as root (try sudo)", path);
		if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN)
			die(EXIT_FAILED, "cannot reach xcld at %s: %s", path, strerrordesc_np(errno));
		if (!is_started) {
			start_xcld(path);
			is_started = 1;
			continue;
		}
		struct timespec pause = { 0, START_PAUSE_NS };
		nanosleep(&pause, NULL);
	}
	die(EXIT_FAILED, "xcld was started but does not answer at %s; its log says why", path);
}
