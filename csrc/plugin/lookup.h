/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a path to an inode, and what an inode shows: from the mapped index alone, without a system call. */

#ifndef CRFS_PLUGIN_LOOKUP_H
#define CRFS_PLUGIN_LOOKUP_H

#include "plugin/layer.h"

/* A path without '.', empty parts and outer slashes; "" is the root. */
struct crfs_path {
  uint32_t length;
  char bytes[CRFS_PATH_LIMIT + 1];
};

/* Fills in PATH from RAW, as the host gives it. Returns 0, or -1: ENAMETOOLONG. */
int crfs_path_clean(struct crfs_path *path, const char *raw);

/* The inode of RAW, through PATH if the caller wants to see the clean form, else NULL. Returns its number, or -1:
 * ENOENT, ENOTDIR, ENAMETOOLONG. Whatever the host does by path comes through here, and clears crfs_last. */
int32_t crfs_lookup(const struct crfs_layer *layer, const char *raw, struct crfs_path *path);

/* What the host last did by path in this thread: directory.c tells by it who opens a directory. */
struct crfs_last {
  const struct crfs_layer *layer;
  int32_t looked_at;       /* the inode whose type it asked for, or -1 */
  struct crfs_path missed; /* what it found not to exist, or of length 0 */
};

extern __thread struct crfs_last crfs_last;

static inline mode_t crfs_type(const struct crfs_layer *layer, int32_t inode) {
  return layer->index.inodes[inode].mode & S_IFMT;
}

int crfs_file_exists(struct ovl_layer *l, const char *path);
int crfs_statat(struct ovl_layer *l, const char *path, struct stat *st, int flags, unsigned int mask);
int crfs_fstat(struct ovl_layer *l, int fd, const char *path, unsigned int mask, struct stat *st);
ssize_t crfs_readlinkat(struct ovl_layer *l, const char *path, char *buf, size_t size);

#endif
