/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a store asks the daemon of a layer, which is the only one of its session: shared/control.h. Any thread. Each
 * returns 0, or -1 with FAILURE, and asks the next daemon where one ends meanwhile. */

#ifndef CRFS_CLIENT_STORED_H
#define CRFS_CLIENT_STORED_H

#include "client/session.h"

/* The JSON for containers-storage, allocated, and the size of the blob. */
int crfs_stored_describe(struct crfs_layer *layer, char **json, uint64_t *blob_size, struct crfs_failure *failure);

/* Reads SIZE bytes at OFFSET of the blob into BUFFER, all of them, once they are there. */
int crfs_stored_read(struct crfs_layer *layer, uint64_t offset, size_t size, char *buffer,
                     struct crfs_failure *failure);

/* Notes on the disk that the layer is used once more by the configuration ASKED, or once LESS. *USES is how often it is
 * then. */
int crfs_stored_refer(struct crfs_layer *layer, const char *asked, int less, uint32_t *uses,
                      struct crfs_failure *failure);

#endif
