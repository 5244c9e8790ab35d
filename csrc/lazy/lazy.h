/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Opening files whose content is not there yet, for a front end: the descriptor comes at once, and its reads wait for
 * just the chunks that they touch. */

#ifndef CRFS_LAZY_LAZY_H
#define CRFS_LAZY_LAZY_H

#include "client/session.h"
#include "lazy/server.h"

struct crfs_lazy {
  struct crfs_session *session;
  pthread_mutex_t lock;       /* around what follows */
  struct crfs_server *server; /* NULL: none has been needed, or none can be had */
  int mount;                  /* the root of what it serves */
};

/* Begins, without a server, for the layers of SESSION. */
void crfs_lazy_begin(struct crfs_lazy *lazy, struct crfs_session *session);

/* Ends the server, where there is one, before a layer is removed: the session asks for nothing any more. Descriptors
 * that are left yield ENOTCONN. */
void crfs_lazy_end(struct crfs_lazy *lazy);

/* Opens the content of the regular file INODE for reading: its object if that is there, or quick to have; else what
 * waits when it is read. Where the latter cannot be, waits for the object. Not before the process has forked for the
 * last time. Returns a descriptor, or -1 and errno, as crfs_object_open. Any thread. */
int crfs_lazy_open(struct crfs_lazy *lazy, const struct crfs_layer *layer, uint32_t inode);

#endif
