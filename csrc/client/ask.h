/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Asking the daemon's workers for chunks of a file, through the ring. */

#ifndef CRFS_CLIENT_ASK_H
#define CRFS_CLIENT_ASK_H

#include "client/connection.h"

/* The daemon ended before it answered; no errno. */
#define CRFS_ASK_GONE (-1)

/* Whoever waits for an answer, where that may be given up. */
struct crfs_asker {
  int (*has_gone)(void *self);
  void *self;
  int failed; /* the errno of what was asked for them a moment ago, which is not asked again; or 0 */
};

struct crfs_wanted {
  uint32_t number; /* of the layer, to this daemon */
  uint32_t inode;
  uint32_t first; /* chunk, counted from the file's first */
  uint32_t count;
  uint32_t flags;                 /* CRFS_REQUEST_* */
  const struct crfs_asker *asker; /* or NULL */
};

/* Asks for chunks, and waits until *DEADLINE_NS, which moves to TIMEOUT_NS from now whenever bytes for them arrive; but
 * only for a moment if the daemon has given no sign of life for TIMEOUT_NS: others have waited for it that long, and a
 * front end may let in one open after the other. Returns 0: they are there, and the object is published if they are all
 * that the file has; an errno: of the worker, ETIMEDOUT, or EINTR: the asker has gone; or
 * CRFS_ASK_GONE. Any thread; the caller keeps CONNECTION
 * acquired. */
int crfs_ask(struct crfs_connection *connection, const struct crfs_wanted *wanted, uint64_t timeout_ns,
             uint64_t *deadline_ns);

/* Tells which chunks a reader goes on to, if there is room to, and waits for nothing. */
void crfs_ask_ahead(struct crfs_connection *connection, const struct crfs_wanted *wanted);

#endif
