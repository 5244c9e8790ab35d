/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Asking the daemon's workers for a file, through the ring. */

#ifndef CRFS_CLIENT_ASK_H
#define CRFS_CLIENT_ASK_H

#include "client/connection.h"

/* The daemon ended before it answered; no errno. */
#define CRFS_ASK_GONE (-1)

/* Asks for all CHUNKS of an inode of the layer that the daemon knows by NUMBER, and waits until DEADLINE_NS; but
 * only for a moment if the daemon has given no sign of life for PATIENCE_NS: others have waited for it that long, and
 * a front end may let in one open after the other. Returns 0: the object was published; an errno: of the worker, or
 * ETIMEDOUT; or CRFS_ASK_GONE. Any thread; the caller keeps CONNECTION acquired. */
int crfs_ask(struct crfs_connection *connection, uint32_t number, uint32_t inode, uint32_t chunks, uint64_t deadline_ns,
             uint64_t patience_ns);

#endif
