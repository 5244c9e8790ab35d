/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The mount's side of a conversation with the daemon: shared/control.h. Not for several threads at once. */

#ifndef CRFS_CLIENT_CONTROL_H
#define CRFS_CLIENT_CONTROL_H

#include "client/report.h"
#include "shared/control.h"

#define CRFS_SILENCE_MS 15000 /* a daemon that says nothing for so long is stuck */

struct crfs_control {
  int socket;
  struct crfs_message answer; /* the packet received last, */
  char text[CRFS_CONTROL_TEXT_LIMIT + 1];
};

struct crfs_question {
  struct crfs_message message;
  const char *text; /* of message.text_length bytes */
  int fd;           /* or -1 */
  uint32_t answer;  /* the type of answer that is due, */
  int answer_fds;   /* with so many descriptors */
};

/* How a question can end. */
enum crfs_outcome {
  CRFS_ANSWERED,
  CRFS_REFUSED, /* FAILURE tells why */
  CRFS_GONE,    /* the daemon is no longer there; FAILURE says so */
};

/* Connects to DIRECTORY/control.sock, made sure to be served by our own user. Returns 0, or -1 with FAILURE: ENOENT or
 * ECONNREFUSED where nobody listens. */
int crfs_control_connect(struct crfs_control *control, int directory, struct crfs_failure *failure);

/* Asks, and waits for the answer as long as the daemon shows that it is alive, at most until DEADLINE_NS. Answered:
 * control->answer and ->text hold it, and the caller owns the descriptors in FDS. After a daemon that is stuck or
 * breaks the protocol the socket is shut down. */
enum crfs_outcome crfs_control_ask(struct crfs_control *control, const struct crfs_question *question, int *fds,
                                   uint64_t deadline_ns, struct crfs_failure *failure);

/* Shows the daemon which process this is now. Async-signal-safe, and never waits: a daemon that cannot be told goes
 * without. */
void crfs_control_here(const struct crfs_control *control);

/* Whether the daemon has hung up, or the conversation was broken off. Any thread. */
int crfs_control_is_gone(const struct crfs_control *control);

#endif
