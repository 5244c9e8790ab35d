/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sources and their layers, as each daemon of a session is asked for them. */

#ifndef CRFS_CLIENT_SOURCE_H
#define CRFS_CLIENT_SOURCE_H

#include "client/connection.h"
#include "client/layer.h"

/* A source that no daemon was asked for yet, with its local file open where ASKED is an absolute path. Returns it, for
 * crfs_source_free, or NULL with FAILURE. */
struct crfs_source *crfs_source_make(struct crfs_session *session, const char *asked, struct crfs_failure *failure);
void crfs_source_free(struct crfs_source *source);

/* Has the daemon open SOURCE: what was asked for the first time; later what the first daemon made of that, which must
 * have as many layers. */
enum crfs_outcome crfs_source_open(struct crfs_connection *connection, struct crfs_source *source, uint64_t deadline_ns,
                                   struct crfs_failure *failure);

/* Has the daemon number LAYER, whose source it has opened, into layer->later. Maps its index for the first time; later
 * holds it against the one that is mapped. */
enum crfs_outcome crfs_source_open_layer(struct crfs_connection *connection, struct crfs_layer *layer,
                                         uint64_t deadline_ns, struct crfs_failure *failure);

#endif
