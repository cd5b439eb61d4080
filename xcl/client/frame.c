/* Frames to and from xcld, and bytes to the descriptors we were given. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_all(int fd, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	while (length > 0) {
		ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EINTR) continue;
			/* What xcld said before it went may still be read: the reader finds the end. */
			return;
		}
		at += sent;
		length -= (size_t)sent;
	}
}

void send_frame(int fd, uint32_t kind, const void *payload, size_t length)
{
	uint32_t header[2] = { kind, (uint32_t)length };
	send_all(fd, header, sizeof header);
	send_all(fd, payload, length);
}

/* @return 0 at the end */
static int receive_all(int fd, void *into, size_t length)
{
	uint8_t *at = into;
	while (length > 0) {
		ssize_t got = recv(fd, at, length, 0);
		if (got < 0 && errno == EINTR) {
			pass_interrupt(fd);
			continue;
		}
		if (got <= 0) return 0;
		at += got;
		length -= (size_t)got;
	}
	return 1;
}

int receive_frame(int fd, struct frame *frame)
{
	uint32_t header[2];
	if (!receive_all(fd, header, sizeof header)) return 0;
	if (header[1] > FRAME_MAX)
		die(EXIT_FAILED, "xcld sent a frame of %u bytes; is it of another version?", header[1]);
	frame->kind = header[0];
	frame->length = header[1];
	if (!receive_all(fd, frame->payload, frame->length)) return 0;
	frame->payload[frame->length] = 0;
	return 1;
}

void write_out(int fd, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	while (length > 0) {
		ssize_t written = write(fd, at, length);
		if (written >= 0) {
			at += written;
			length -= (size_t)written;
			continue;
		}
		if (errno == EINTR) {
			interrupted_write();
		} else if (errno == EAGAIN) {
			/* Somebody who shares the descriptor made it non-blocking; waiting is ours to do. */
			struct pollfd room = { .fd = fd, .events = POLLOUT };
			if (poll(&room, 1, -1) < 0 && errno == EINTR) interrupted_write();
		} else if (errno == EPIPE) {
			/* `xcl list | head`: end as every filter does. */
			signal(SIGPIPE, SIG_DFL);
			raise(SIGPIPE);
			_exit(EXIT_FAILED);
		} else if (fd == STDERR_FILENO) {
			return;
		} else {
			die(EXIT_FAILED, "cannot write: %s", strerrordesc_np(errno));
		}
	}
}
