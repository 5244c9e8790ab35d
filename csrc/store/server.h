/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The process that serves a store, as long as it is mounted. */

#ifndef CRFS_STORE_SERVER_H
#define CRFS_STORE_SERVER_H

#include "lower/server.h"

/* Mounts a store as SERVICE says, passes a descriptor of its root to the other end of SOCKET, and serves it until it
 * has gone. What goes wrong before is reported. */
enum crfs_end crfs_store_run(const struct crfs_service *service, int socket);

#endif
