/*
 * xcl as a person types it: hands the command to xcld and relays bytes.
 *
 * Frames in both directions are a header of two little-endian u32 (kind, length of the payload) and
 * the payload; the kinds are those of xcl/daemon/protocol.ts. Bytes are relayed instead of
 * descriptors being passed: a terminal that stands still then stops this process, not xcld, and
 * nobody changes the mode of a descriptor that the caller's shell shares.
 */
#ifndef XCL_CLIENT_H
#define XCL_CLIENT_H

#define _GNU_SOURCE /* strerrordesc_np, pipe2, POSIX; so this header comes first everywhere */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What an exit status means: reference in docs, chapter exit codes. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 5, EXIT_INTERRUPTED = 130 };

/* Frames to xcld. */
enum { TO_REQUEST = 1, TO_STDIN = 2, TO_INTERRUPT = 3, TO_ATTACHED = 4, TO_DETACHED = 5, TO_REFUSED = 6 };
/* Frames from xcld. */
enum { FROM_STDOUT = 1, FROM_STDERR = 2, FROM_EXIT = 3, FROM_READ_STDIN = 4, FROM_ATTACH = 5 };

#define FRAME_MAX 65536u
#define REQUEST_MAX (1024u * 1024u)

struct frame {
	uint32_t kind;
	uint32_t length;
	uint8_t payload[FRAME_MAX + 1]; /* one more, so that text can be ended with a NUL */
};

/* One sentence to stderr, "xcl: " before it; then the process ends. */
_Noreturn void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* frame.c */
void send_frame(int fd, uint32_t kind, const void *payload, size_t length);
/* @return 0 when xcld has gone away */
int receive_frame(int fd, struct frame *frame);
/* Writes all of it to one of our own descriptors; a reader that went away ends us by SIGPIPE. */
void write_out(int fd, const void *bytes, size_t length);

/* request.c */
void send_request(int fd, int argc, char **argv);

/* start.c: a connection to xcld, which is started when none runs. Words that ask for help only do
   not need one: then its program prints that, and we end here. */
int connect_xcld(const char *path, char **argv);
/* The xcld of an `npm start` that runs in the tree this program was built in. It is never started
   from here.
   @return the descriptor; -1 when nobody serves there, or neither the caller nor root does */
int connect_simulation(void);
/* @param flags of the socket: 0, or SOCK_NONBLOCK
   @return the descriptor; -1 with errno set */
int connect_unix(const char *path, int flags);

/* signals.c */
void catch_signals(void);
/* Readable when an interrupt waits. */
int signal_fd(void);
/* Tells xcld of an interrupt that has come since the last call; without one (-1) it ends us. */
void pass_interrupt(int xcld);
/* Readable when the terminal has another size. */
int window_fd(void);
void forget_window_change(void);
/* Where the socket to xcld is, for write_out, which may be interrupted while it waits. */
void set_xcld(int fd);
void interrupted_write(void);

/* console.c */
struct console {
	int fd;          /* -1: not attached */
	int is_between;  /* what was attached has ended, and xcld is to say what follows */
	int lock;        /* of a tty that only one may read; -1: none */
	char lock_path[64];
	int is_raw;      /* the terminal on stdin has been changed */
	int is_read_only;
	int stdin_open;
	uint8_t escape;
	char *socket;    /* consoled's; NULL at a terminal device */
	char *domid;
	char *resume;    /* what the next xcld has to be told, should this one be gone */
	uint32_t position; /* of the next byte; only consoled says it */
	int has_position;
	char left_out[16]; /* what consoled said of bytes before that; empty: nothing */
	size_t queued;   /* typed bytes that the console has not taken yet */
	uint8_t queue[65536];
};
/* Answers xcld with ATTACHED, or with REFUSED and why. */
void attach(struct console *console, int xcld, struct frame *frame);
/* @return 1 while attached; 0 when the console ended */
int console_readable(struct console *console);
/* @return 0 when the person left */
int console_typed(struct console *console);
void console_writable(struct console *console);
/* Tells whoever serves the console how large this terminal is. */
void console_resized(struct console *console);
/* The position as a text, `-` where there is none. */
void position_text(const struct console *console, char *into, size_t room);
/* Lets go of the console; the terminal stays as it is, for there may be a next one. */
void close_console(struct console *console);
/* The same, and the terminal gets its mode back. */
void detach(struct console *console);
/* Safe in a signal handler. */
void restore_terminal(void);

#endif
