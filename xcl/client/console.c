/* A guest's console on this terminal: consoled's socket, or the terminal device of xenconsoled. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static volatile int is_changed;

void restore_terminal(void)
{
	if (is_changed) tcsetattr(STDIN_FILENO, TCSANOW, &before);
	is_changed = 0;
}

/* consoled answers at once; what does not is not consoled. */
#define ANSWER_TIMEOUT_MS 5000

static void refuse(int xcld, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refuse(int xcld, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (*text == 0) strcpy(text, "the console refused without saying why");
	send_frame(xcld, TO_REFUSED, text, strlen(text));
}

/*
 * One line of at most `room` bytes, a byte at a time: what follows it belongs to the console.
 * @return 0; -1 when it did not come, also because of an interrupt
 */
static int read_line(int fd, char *into, size_t room)
{
	size_t used = 0;
	while (used + 1 < room) {
		char byte;
		/* An interrupt may come just before the wait: then it would not cut it short. */
		struct pollfd awaited[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = signal_fd(), .events = POLLIN },
		};
		if (poll(awaited, 2, ANSWER_TIMEOUT_MS) <= 0 || awaited[1].revents) return -1;
		if (read(fd, &byte, 1) <= 0) return -1;
		if (byte == '\n') break;
		into[used++] = byte;
	}
	into[used] = 0;
	return 0;
}

/* Columns and rows of the terminal that is typed at. @return 0 when there is none, or it does not know */
static int window_size(struct winsize *size)
{
	return ioctl(STDIN_FILENO, TIOCGWINSZ, size) == 0 && size->ws_col > 0 && size->ws_row > 0;
}

/* What xcld asks for, and what only we know: who we are, and how large our terminal is. */
static size_t write_request(char *line, size_t room, const char *request)
{
	static const char WORD[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
	size_t used = (size_t)snprintf(line, room, "%s by=xcl:%d", request, (int)getpid());
	const char *tty = ttyname(STDIN_FILENO);
	if (tty != NULL && strncmp(tty, "/dev/", 5) == 0 && strlen(tty) < 40 && tty[strspn(tty, WORD)] == 0)
		used += (size_t)snprintf(line + used, room - used, ",%s", tty + 5);
	struct winsize size;
	if (window_size(&size))
		used += (size_t)snprintf(line + used, room - used, " size=%ux%u", size.ws_col, size.ws_row);
	return used + (size_t)snprintf(line + used, room - used, "\n");
}

static int open_consoled(struct console *console, int xcld, const char *path, const char *request)
{
	int fd = connect_unix(path, 0);
	if (fd < 0) {
		refuse(xcld, "consoled does not answer at %s: %s", path, strerrordesc_np(errno));
		return -1;
	}
	char line[1024];
	if (strlen(request) > sizeof line / 2) die(EXIT_FAILED, "xcld sent a request that is too long");
	size_t length = write_request(line, sizeof line, request);
	if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length || read_line(fd, line, sizeof line) < 0) {
		/* First what may be the reason. */
		pass_interrupt(xcld);
		refuse(xcld, "consoled at %s gave no answer", path);
	} else if (strcmp(line, "ok") == 0 || strncmp(line, "ok ", 3) == 0) {
		console->has_position = line[2] == ' ' && line[3] >= '0' && line[3] <= '9';
		console->position = console->has_position ? (uint32_t)strtoul(line + 3, NULL, 10) : 0;
		const char *rest = console->has_position ? strchr(line + 3, ' ') : NULL;
		snprintf(console->left_out, sizeof console->left_out, "%.15s", rest == NULL ? "" : rest + 1);
		return fd;
	} else {
		refuse(xcld, "%s", strncmp(line, "error ", 6) == 0 ? line + 6 : line);
	}
	close(fd);
	return -1;
}

/*
 * Only one may read a tty, or each gets a part of the output; the lock is the one of xenconsole.
 * @return its descriptor, -1 when somebody holds it
 */
static int lock_tty(const char *path)
{
	for (;;) {
		int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0) return -1;
		struct stat held, named;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			close(fd);
			return -1;
		}
		/* The holder before us removed the file: it is no longer the one others lock. */
		if (fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino) return fd;
		close(fd);
	}
}

static void unlock_tty(struct console *console)
{
	if (console->lock < 0) return;
	unlink(console->lock_path);
	close(console->lock);
	console->lock = -1;
}

static int open_tty(struct console *console, int xcld, const char *path, const char *domid)
{
	snprintf(console->lock_path, sizeof console->lock_path, "/var/lock/xenconsole.%s", domid);
	console->lock = lock_tty(console->lock_path);
	if (console->lock < 0) {
		refuse(xcld, "somebody else is at the console of domain %s (%s is locked)", domid,
		       console->lock_path);
		return -1;
	}
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		refuse(xcld, "cannot open the console's terminal %s: %s", path, strerrordesc_np(errno));
		unlock_tty(console);
		return -1;
	}
	struct termios raw;
	if (tcgetattr(fd, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	return fd;
}

static const char *next_text(const struct frame *frame, size_t *at)
{
	if (*at >= frame->length) die(EXIT_FAILED, "xcld sent a frame that ends too early");
	const char *text = (const char *)frame->payload + *at;
	*at += strlen(text) + 1;
	return text;
}

static void keep(char **where, const char *text)
{
	free(*where);
	*where = text == NULL ? NULL : strdup(text);
	if (text != NULL && *where == NULL) die(EXIT_FAILED, "no memory for a console");
}

static void make_raw(struct console *console)
{
	if (console->is_raw || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0) return;
	struct termios raw = before;
	cfmakeraw(&raw);
	/* Set first: a signal in between then restores what was never changed. */
	is_changed = 1;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	console->is_raw = 1;
}

void attach(struct console *console, int xcld, struct frame *frame)
{
	size_t at = 0;
	const char *kind = next_text(frame, &at);
	const char *path = next_text(frame, &at);
	const char *domid = next_text(frame, &at);
	const char *request = next_text(frame, &at);
	int is_read_only = strcmp(next_text(frame, &at), "ro") == 0;
	uint8_t escape = (uint8_t)atoi(next_text(frame, &at));
	int is_continued = strcmp(next_text(frame, &at), "1") == 0;
	const char *resume = next_text(frame, &at);
	int is_socket = strcmp(kind, "consoled") == 0;

	console->has_position = 0;
	console->left_out[0] = 0;
	int fd = is_socket ? open_consoled(console, xcld, path, request) : open_tty(console, xcld, path, domid);
	if (fd < 0) return;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* What was meant for one guest is not typed into another. */
	if (!is_continued) console->queued = 0;
	if (!console->is_between) console->stdin_open = 1;
	console->fd = fd;
	console->is_between = 0;
	console->is_read_only = is_read_only;
	console->escape = escape;
	keep(&console->socket, is_socket ? path : NULL);
	keep(&console->domid, domid);
	keep(&console->resume, resume);
	make_raw(console);
	if (!is_socket) console_resized(console);
	char position[16], said[40];
	position_text(console, position, sizeof position);
	const char *between = console->left_out[0] == 0 ? "" : " ";
	int length = snprintf(said, sizeof said, "%s%s%s", position, between, console->left_out);
	send_frame(xcld, TO_ATTACHED, said, (size_t)length);
}

void position_text(const struct console *console, char *into, size_t room)
{
	if (console->has_position) snprintf(into, room, "%u", console->position);
	else snprintf(into, room, "-");
}

void console_resized(struct console *console)
{
	struct winsize size;
	if (console->fd < 0 || console->is_read_only || !window_size(&size)) return;
	if (console->socket == NULL) {
		ioctl(console->fd, TIOCSWINSZ, &size);
		return;
	}
	/* On a connection of its own, for what is typed there is only typed. Nothing waits for the answer. */
	int fd = connect_unix(console->socket, SOCK_NONBLOCK);
	if (fd < 0) return;
	char line[128];
	int length = snprintf(line, sizeof line, "resize %s %ux%u\n", console->domid, size.ws_col, size.ws_row);
	ssize_t ignored = send(fd, line, (size_t)length, MSG_NOSIGNAL);
	(void)ignored;
	close(fd);
}

int console_readable(struct console *console)
{
	uint8_t bytes[16384];
	ssize_t got = read(console->fd, bytes, sizeof bytes);
	if (got < 0) return errno == EAGAIN || errno == EINTR;
	if (got == 0) return 0;
	console->position += (uint32_t)got;
	write_out(STDOUT_FILENO, bytes, (size_t)got);
	return 1;
}

int console_typed(struct console *console)
{
	uint8_t bytes[4096];
	size_t room = sizeof console->queue - console->queued;
	/* A pipe waits until the guest has taken what came before; a person's keys are read on, or
	   the escape could not be seen: what does not fit is lost, as it is in a stuck terminal. */
	size_t want = console->is_raw || room > sizeof bytes ? sizeof bytes : room;
	ssize_t got = read(STDIN_FILENO, bytes, want);
	if (got < 0) return errno == EAGAIN || errno == EINTR;
	if (got == 0) {
		console->stdin_open = 0;
		return !console->is_raw;
	}
	for (ssize_t i = 0; console->is_raw && i < got; i++) {
		/* Only as a key of its own: in the middle of a paste it is the guest's. */
		if (got == 1 && bytes[i] == console->escape) return 0;
	}
	if ((size_t)got > room) got = (ssize_t)room;
	memcpy(console->queue + console->queued, bytes, (size_t)got);
	console->queued += (size_t)got;
	console_writable(console);
	return 1;
}

void console_writable(struct console *console)
{
	if (console->queued == 0 || console->fd < 0) return;
	/* Here SIGPIPE is ignored, and a terminal takes no send. */
	ssize_t written = write(console->fd, console->queue, console->queued);
	if (written <= 0) return;
	console->queued -= (size_t)written;
	memmove(console->queue, console->queue + written, console->queued);
}

void close_console(struct console *console)
{
	if (console->fd >= 0) close(console->fd);
	console->fd = -1;
	unlock_tty(console);
}

void detach(struct console *console)
{
	restore_terminal();
	console->is_raw = 0;
	console->is_between = 0;
	close_console(console);
}
