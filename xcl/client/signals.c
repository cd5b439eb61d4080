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

void catch_signals(void)
{
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0) die(EXIT_FAILED, "cannot make a pipe");
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

void set_xcld(int fd)
{
	xcld = fd;
}

void pass_interrupt(int fd)
{
	if (interrupts == 0 || passed) return;
	passed = 1;
	uint8_t byte;
	ssize_t ignored = read(wake[0], &byte, 1);
	(void)ignored;
	send_frame(fd, TO_INTERRUPT, "", 0);
}

void interrupted_write(void)
{
	if (xcld >= 0) pass_interrupt(xcld);
}
