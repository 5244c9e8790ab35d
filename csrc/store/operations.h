/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is asked of a store: of its own places here, of layers as in a mount (lower/operations.h). */

#ifndef CRFS_STORE_OPERATIONS_H
#define CRFS_STORE_OPERATIONS_H

#include "lower/operations.h"
#include "store/shelf.h"

struct crfs_store {
  struct crfs_lower lower; /* first: its operations get it */
  struct crfs_shelf shelf;
};

/* Prepares STORE for DIRECTORY, and returns what answers requests from DEVICE, or NULL. */
struct fuse_session *crfs_store_begin(struct crfs_store *store, const char *directory, uint64_t patience_ns,
                                      int device);

#endif
