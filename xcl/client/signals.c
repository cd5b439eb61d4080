/*
 * Signals. The first SIGINT asks xcld to stop the command, the second ends this process; SIGTERM and
 * SIGHUP end it at once. In every case the terminal gets its mode back.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int wake[2];
static int window[2];
static volatile sig_atomic_t interrupts;
static int passed;
static int xcld = -1;

static void on_signal(int number)
{
	int why = errno;
	if (number != SIGINT || interrupts > 0) {
		restore_terminal();
		_exit(128 + number);
	}
	interrupts = 1;
	ssize_t ignored = write(wake[1], "", 1);
	(void)ignored;
	errno = why;
}

static void on_window(int number)
{
	(void)number;
	int why = errno;
	ssize_t ignored = write(window[1], "", 1);
	(void)ignored;
	errno = why;
}

void catch_signals(void)
{
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(window, O_CLOEXEC | O_NONBLOCK) < 0)
		die(EXIT_FAILED, "cannot make a pipe");
	struct sigaction resized = { .sa_handler = on_window, .sa_flags = SA_RESTART };
	sigaction(SIGWINCH, &resized, NULL);
	/* No SA_RESTART: a write that waits for a reader must notice the interrupt. */
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	struct sigaction hangup;
	/* Under nohup SIGHUP stays ignored. */
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int signal_fd(void)
{
	return wake[0];
}

int window_fd(void)
{
	return window[0];
}

void forget_window_change(void)
{
	uint8_t bytes[64];
	while (read(window[0], bytes, sizeof bytes) > 0) continue;
}

void set_xcld(int fd)
{
	xcld = fd;
}

void pass_interrupt(int fd)
{
	if (interrupts == 0 || passed) return;
	if (fd < 0) {
		restore_terminal();
		_exit(EXIT_INTERRUPTED);
	}
	passed = 1;
	uint8_t byte;
	ssize_t ignored = read(wake[0], &byte, 1);
	(void)ignored;
	send_frame(fd, TO_INTERRUPT, "", 0);
}

void interrupted_write(void)
{
	pass_interrupt(xcld);
}
