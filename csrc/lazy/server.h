/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The threads that answer reads of files that are not whole yet, through a private FUSE mount. They live in the process
 * that reads, as long as the mount does, with a table of descriptors of their own: a daemon that ends is replaced while
 * reads wait, and a process that is killed takes its server along (table.h tells how that can hang). */

#ifndef CRFS_LAZY_SERVER_H
#define CRFS_LAZY_SERVER_H

#include "client/session.h"

struct crfs_server;

/* Starts to serve the files of all layers of SESSION; *MOUNT becomes a descriptor of the mount's root. Not before the
 * process has forked for the last time: its children have no threads. Returns NULL and errno where that cannot be. */
struct crfs_server *crfs_server_start(struct crfs_session *session, int *mount);

/* Ends it, and has the session give up: whoever waits for a read gets an error, and from then on whoever reads
 * ENOTCONN. */
void crfs_server_end(struct crfs_server *server);

#endif
