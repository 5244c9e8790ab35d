/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Everything that a mount shares with one daemon: their conversation, the request ring, and the daemon's directories.
 * A daemon that dies takes its connection along, and the next daemon gets a new one. */

#ifndef CRFS_CLIENT_CONNECTION_H
#define CRFS_CLIENT_CONNECTION_H

#include "client/control.h"
#include "shared/ring.h"

struct crfs_connection {
  struct crfs_control control;
  struct crfs_ring *ring;
  struct crfs_doorbell *doorbell;
  int objects;    /* directory of published objects */
  int tmp;        /* directory for what lives shortly */
  unsigned users; /* session.c counts them */
};

/* Connects, starting the daemon if none listens, and says hello. Bounded: CRFS_TIMEOUT for somebody to listen, and
 * DEADLINE_NS. Returns the connection, to be closed by crfs_connection_close, or NULL with FAILURE. */
struct crfs_connection *crfs_connection_open(uint64_t deadline_ns, struct crfs_failure *failure);

/* Nobody may use the connection any more. */
void crfs_connection_close(struct crfs_connection *connection);

#endif
