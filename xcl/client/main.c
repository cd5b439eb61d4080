/* The loop: frames of xcld, our stdin when it is asked for, a console while one is attached. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char DEFAULT_SOCKET[] = "/run/xen/xcld.sock";
/* How long an xcld that was replaced is waited for: 10 s. */
#define AGAIN_TRIES 200
#define AGAIN_PAUSE_MS 50

_Noreturn void die(int status, const char *format, ...)
{
	restore_terminal();
	char text[4096];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "xcl: %s\n", text);
	_exit(status);
}

/* A descriptor below 3 that the caller closed would become our socket, and get our output. */
static void open_missing_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) < 0) _exit(EXIT_FAILED);
}

/* @return 0 at the end of stdin */
static int pass_stdin(int xcld)
{
	uint8_t bytes[32768];
	ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
	if (got < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
	if (got < 0) got = 0;
	send_frame(xcld, TO_STDIN, bytes, (size_t)got);
	return got > 0;
}

/* Nobody needs an xcld in order to leave. */
static void leave_console(struct console *console, int xcld)
{
	int was_attached = console->fd >= 0;
	int was_raw = console->is_raw;
	detach(console);
	if (was_raw) write_out(STDOUT_FILENO, "\r\n", 2);
	if (xcld < 0 || !was_attached) exit(0);
	send_frame(xcld, TO_DETACHED, "", 0);
}

/* Where xcld is; set once. */
static const char *xcld_path;
static char **typed;

/*
 * What the xcld that attached us is needed for has come, and it is gone: the next one goes on. It is
 * waited for, for who restarts it may be at it, and only then started.
 */
static int go_on(struct console *console)
{
	set_xcld(-1);
	int xcld = -1;
	for (int tries = 0; xcld < 0 && tries < AGAIN_TRIES; tries++) {
		struct pollfd fds[] = {
			{ .fd = console->is_raw && console->stdin_open ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = signal_fd(), .events = POLLIN },
		};
		poll(fds, 2, AGAIN_PAUSE_MS);
		if (fds[1].revents) pass_interrupt(-1);
		if (fds[0].revents && !console_typed(console)) leave_console(console, -1);
		xcld = xcld_path == NULL ? connect_simulation() : connect_unix(xcld_path, 0);
	}
	if (xcld < 0 && xcld_path == NULL) die(EXIT_FAILED, "the xcld of `npm start` has gone away");
	if (xcld < 0) xcld = connect_xcld(xcld_path, typed);
	set_xcld(xcld);
	char position[16];
	position_text(console, position, sizeof position);
	char *arguments[] = { "console-resume", console->resume, position };
	send_request(xcld, 3, arguments);
	return xcld;
}

/* @return xcld */
static int end_console(struct console *console, int xcld)
{
	close_console(console);
	console->is_between = 1;
	if (xcld < 0) return go_on(console);
	char position[16];
	position_text(console, position, sizeof position);
	send_frame(xcld, TO_DETACHED, position, strlen(position));
	return xcld;
}

/* @return -1: who looks at a console needs none for now */
static int lose_xcld(struct console *console, int xcld)
{
	close(xcld);
	if (console->is_between) return go_on(console);
	if (console->fd < 0) die(EXIT_FAILED, "xcld has gone away; its log says why");
	set_xcld(-1);
	return -1;
}

static void obey(struct frame *frame, struct console *console, int xcld, int *reads_stdin)
{
	uint32_t status;
	switch (frame->kind) {
	case FROM_STDOUT:
		write_out(STDOUT_FILENO, frame->payload, frame->length);
		return;
	case FROM_STDERR:
		write_out(STDERR_FILENO, frame->payload, frame->length);
		return;
	case FROM_EXIT:
		if (frame->length != sizeof status) break;
		memcpy(&status, frame->payload, sizeof status);
		detach(console);
		exit((int)(status & 0xff));
	case FROM_READ_STDIN:
		*reads_stdin = 1;
		return;
	case FROM_ATTACH:
		if (console->fd < 0) attach(console, xcld, frame);
		return;
	}
	die(EXIT_FAILED, "xcld sent a frame of kind %u and %u bytes that is not understood; is it of another version?",
	    frame->kind, frame->length);
}

static int find_xcld_of(int is_told, const char *path)
{
	int xcld = is_told ? -1 : connect_simulation();
	if (xcld < 0) {
		xcld_path = is_told ? path : DEFAULT_SOCKET;
		return connect_xcld(xcld_path, typed);
	}
	/* Whoever types must not take one machine for the other; programs need no such line. */
	if (isatty(STDERR_FILENO))
		fputs("xcl: on the simulated machine of `npm start`; "
		      "XCLD_SOCKET=/run/xen/xcld.sock for the real one\n",
		      stderr);
	return xcld;
}

int main(int argc, char **argv)
{
	static struct frame frame;
	static struct console console = { .fd = -1, .lock = -1 };
	int reads_stdin = 0;

	open_missing_descriptors();
	typed = argv;
	const char *path = getenv("XCLD_SOCKET");
	int xcld = find_xcld_of(path != NULL && *path != 0, path);
	catch_signals();
	set_xcld(xcld);
	send_request(xcld, argc - 1, argv + 1);

	for (;;) {
		int is_attached = console.fd >= 0;
		/* Between two consoles only the key that leaves is waited for, and what is typed ahead. */
		int types = console.stdin_open && (console.is_raw ? is_attached || console.is_between
		                                                  : is_attached && console.queued < sizeof console.queue);
		struct pollfd fds[] = {
			{ .fd = xcld, .events = POLLIN },
			{ .fd = signal_fd(), .events = POLLIN },
			{ .fd = reads_stdin || types ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = console.fd, .events = (short)(POLLIN | (console.queued > 0 ? POLLOUT : 0)) },
			{ .fd = window_fd(), .events = POLLIN },
		};
		if (poll(fds, 5, -1) < 0) {
			if (errno == EINTR) continue;
			die(EXIT_FAILED, "poll: %s", strerrordesc_np(errno));
		}
		if (fds[1].revents) pass_interrupt(xcld);
		if (fds[4].revents) {
			forget_window_change();
			console_resized(&console);
		}
		if (is_attached && (fds[3].revents & POLLOUT)) console_writable(&console);
		if (is_attached && (fds[3].revents & ~POLLOUT) && !console_readable(&console))
			xcld = end_console(&console, xcld);
		if (fds[2].revents) {
			if (types && !console_typed(&console)) leave_console(&console, xcld);
			else if (reads_stdin && !types) reads_stdin = pass_stdin(xcld);
		}
		if (fds[0].fd == xcld && fds[0].revents) {
			if (receive_frame(xcld, &frame)) obey(&frame, &console, xcld, &reads_stdin);
			else xcld = lose_xcld(&console, xcld);
		}
	}
}
