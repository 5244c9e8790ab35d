/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a path to an inode, by the mapped index alone, without a system call. */

#ifndef CRFS_CLIENT_LOOKUP_H
#define CRFS_CLIENT_LOOKUP_H

#include "client/layer.h"

/* A path without '.', empty parts and outer slashes; "" is the root. */
struct crfs_path {
  uint32_t length;
  char bytes[CRFS_PATH_LIMIT + 1];
};

/* Fills in PATH from RAW, relative to the layer's root. Returns 0, or -1: ENAMETOOLONG. */
int crfs_path_clean(struct crfs_path *path, const char *raw);

/* The inode of RAW, through PATH if the caller wants to see the clean form, else NULL. Returns its number, or -1:
 * ENOENT, ENOTDIR, ENAMETOOLONG. Any thread. */
int32_t crfs_lookup(const struct crfs_layer *layer, const char *raw, struct crfs_path *path);

#endif
