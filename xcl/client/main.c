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

static void leave_console(struct console *console, int xcld)
{
	int was_raw = console->is_raw;
	detach(console);
	if (was_raw) write_out(STDOUT_FILENO, "\r\n", 2);
	send_frame(xcld, TO_DETACHED, "", 0);
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

int main(int argc, char **argv)
{
	static struct frame frame;
	static struct console console = { .fd = -1, .lock = -1 };
	int reads_stdin = 0;

	open_missing_descriptors();
	const char *path = getenv("XCLD_SOCKET");
	int is_told = path != NULL && *path != 0;
	int xcld = is_told ? -1 : connect_simulation();
	if (xcld < 0) xcld = connect_xcld(is_told ? path : DEFAULT_SOCKET, argv);
	catch_signals();
	set_xcld(xcld);
	send_request(xcld, argc - 1, argv + 1);

	for (;;) {
		int types = console.fd >= 0 && console.stdin_open &&
		            (console.is_raw || console.queued < sizeof console.queue);
		struct pollfd fds[] = {
			{ .fd = xcld, .events = POLLIN },
			{ .fd = signal_fd(), .events = POLLIN },
			{ .fd = reads_stdin || types ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = console.fd, .events = (short)(POLLIN | (console.queued > 0 ? POLLOUT : 0)) },
		};
		if (poll(fds, 4, -1) < 0) {
			if (errno == EINTR) continue;
			die(EXIT_FAILED, "poll: %s", strerrordesc_np(errno));
		}
		if (fds[1].revents) pass_interrupt(xcld);
		int was_attached = console.fd >= 0;
		if (was_attached && (fds[3].revents & POLLOUT)) console_writable(&console);
		if (was_attached && (fds[3].revents & ~POLLOUT) && !console_readable(&console))
			leave_console(&console, xcld);
		if (fds[2].revents) {
			if (console.fd >= 0 && types && !console_typed(&console)) leave_console(&console, xcld);
			else if (reads_stdin && !types) reads_stdin = pass_stdin(xcld);
		}
		if (fds[0].revents) {
			receive_frame(xcld, &frame);
			obey(&frame, &console, xcld, &reads_stdin);
		}
	}
}
