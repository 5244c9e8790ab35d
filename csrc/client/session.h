/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The process's life with its daemons: one connection at a time, renewed when a daemon dies, with all sources and
 * layers carried over. Threads that still use an older connection keep it until they release it. */

#ifndef CRFS_CLIENT_SESSION_H
#define CRFS_CLIENT_SESSION_H

#include "client/connection.h"
#include "client/layer.h"

/* The source that the configuration ASKED names, opened at first sight: a local file by its absolute path, else what
 * the daemon is to resolve. Returns it, owned by the session, or NULL and errno: reported. */
struct crfs_source *crfs_session_source(const char *asked);

/* Has the daemon give LAYER (source and place are set) its number and its index, and keeps it in the session. Returns
 * 0, or -1 with FAILURE. */
int crfs_session_add(struct crfs_layer *layer, struct crfs_failure *failure);

/* Forgets LAYER. */
void crfs_session_remove(struct crfs_layer *layer);

/* The connection of now, and the number by which it knows LAYER; to be released. Never waits. */
struct crfs_connection *crfs_session_acquire(const struct crfs_layer *layer, uint32_t *number);
void crfs_session_release(struct crfs_connection *connection);

/* Replaces DEAD, unless somebody did already. Returns 0, or -1 with FAILURE. */
int crfs_session_renew(const struct crfs_connection *dead, uint64_t deadline_ns, struct crfs_failure *failure);

/* As crfs_session_acquire, but of a daemon that lives: renews the connection where it is gone. NULL, and errno, on
 * failure. */
struct crfs_connection *crfs_session_acquire_live(const struct crfs_layer *layer);

/* Ends it all, once no layer is left. */
void crfs_session_end(void);

#endif
