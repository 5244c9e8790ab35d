/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the host asks by path, without opening anything. */

#ifndef CRFS_PLUGIN_METADATA_H
#define CRFS_PLUGIN_METADATA_H

#include "client/lookup.h"
#include "plugin/layer.h"

/* crfs_lookup, for whatever the host does by path: clears crfs_last. */
int32_t crfs_resolve(const struct crfs_layer *layer, const char *raw, struct crfs_path *path);

/* What the host last did by path in this thread: directory.c tells by it who opens a directory. */
struct crfs_last {
  const struct crfs_layer *layer;
  int32_t looked_at;       /* the inode whose type it asked for, or -1 */
  struct crfs_path missed; /* what it found not to exist, or of length 0 */
};

extern __thread struct crfs_last crfs_last;

int crfs_file_exists(struct ovl_layer *l, const char *path);
int crfs_statat(struct ovl_layer *l, const char *path, struct stat *st, int flags, unsigned int mask);
int crfs_fstat(struct ovl_layer *l, int fd, const char *path, unsigned int mask, struct stat *st);
ssize_t crfs_readlinkat(struct ovl_layer *l, const char *path, char *buf, size_t size);
int crfs_listxattr(struct ovl_layer *l, const char *path, char *buf, size_t size);
int crfs_getxattr(struct ovl_layer *l, const char *path, const char *name, char *buf, size_t size);

#endif
