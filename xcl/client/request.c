/* What xcld has to know of the caller: one frame of NUL-ended texts. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROTOCOL "2"

/* Environment that changes what a command prints. */
static const char *const PASSED[] = { "NO_COLOR", "FORCE_COLOR", "TERM", "LANG", "LC_ALL", "TZ" };
#define PASSED_COUNT (sizeof PASSED / sizeof PASSED[0])

static uint8_t *bytes;
static size_t used;

static void add(const char *text)
{
	size_t length = strlen(text) + 1;
	if (length > REQUEST_MAX - used)
		die(EXIT_USAGE, "the command is longer than %u bytes", REQUEST_MAX);
	memcpy(bytes + used, text, length);
	used += length;
}

static void add_number(unsigned number)
{
	char text[16];
	snprintf(text, sizeof text, "%u", number);
	add(text);
}

/* Columns and rows of the first descriptor that is a terminal; 0 0 without one. */
static void add_window_size(void)
{
	struct winsize size = { 0 };
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0) break;
	const char *columns = getenv("COLUMNS");
	if (columns != NULL && strspn(columns, "0123456789") == strlen(columns) && *columns != 0)
		add(columns);
	else
		add_number(size.ws_col);
	add_number(size.ws_row);
}

void send_request(int fd, int argc, char **argv)
{
	bytes = malloc(REQUEST_MAX);
	if (bytes == NULL) die(EXIT_FAILED, "no memory for the command");
	used = 0;
	char cwd[4096];
	if (getcwd(cwd, sizeof cwd) == NULL) strcpy(cwd, "/");
	unsigned terminals = 0;
	for (int i = 0; i < 3; i++)
		if (isatty(i)) terminals |= 1u << i;

	add(PROTOCOL);
	add(cwd);
	add_number(terminals);
	add_window_size();
	add_number(argc > 0 ? (unsigned)argc : 0);
	for (int i = 0; i < argc; i++) add(argv[i]);
	for (size_t i = 0; i < PASSED_COUNT; i++) {
		const char *value = getenv(PASSED[i]);
		if (value == NULL) continue;
		add(PASSED[i]);
		add(value);
	}
	send_frame(fd, TO_REQUEST, bytes, used);
	free(bytes);
}
