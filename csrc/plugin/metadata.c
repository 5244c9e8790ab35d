/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/metadata.h"

#include "client/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

__thread struct crfs_last crfs_last;

int32_t crfs_resolve(const struct crfs_layer *layer, const char *raw, struct crfs_path *path) {
  crfs_last.layer = layer;
  crfs_last.looked_at = -1;
  crfs_last.missed.length = 0;
  return crfs_lookup(layer, raw, path);
}

int crfs_file_exists(struct ovl_layer *l, const char *path) {
  struct crfs_path clean;
  if (crfs_resolve(crfs_layer_of(l), path, &clean) >= 0)
    return 0;
  if (errno == ENOENT) {
    memcpy(crfs_last.missed.bytes, clean.bytes, clean.length);
    crfs_last.missed.length = clean.length;
  }
  return -1;
}

/* st_dev stays 0: the host takes 0 for the device of what it knows from readdir alone (fast_ino), and tells files apart
 * by both numbers. Subdirectories are not counted in st_nlink: the host counts them itself. */
int crfs_statat(struct ovl_layer *l, const char *path, struct stat *st, int flags, unsigned int mask) {
  (void)flags; /* links are never followed */
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_resolve(layer, path, NULL);
  if (inode < 0)
    return -1;
  if (mask == STATX_TYPE)
    crfs_last.looked_at = inode;
  crfs_attributes(layer, (uint32_t)inode, st);
  return 0;
}

/* A descriptor's own numbers are those of an object, which many files share: the path tells whose they are. */
int crfs_fstat(struct ovl_layer *l, int fd, const char *path, unsigned int mask, struct stat *st) {
  return path == NULL ? fstat(fd, st) : crfs_statat(l, path, st, AT_SYMLINK_NOFOLLOW, mask);
}

ssize_t crfs_readlinkat(struct ovl_layer *l, const char *path, char *buf, size_t size) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_resolve(layer, path, NULL);
  return inode < 0 ? -1 : crfs_link_target(layer, (uint32_t)inode, buf, size);
}

int crfs_listxattr(struct ovl_layer *l, const char *path, char *buf, size_t size) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_resolve(layer, path, NULL);
  return inode < 0 ? -1 : crfs_xattr_list(layer, (uint32_t)inode, buf, size);
}

int crfs_getxattr(struct ovl_layer *l, const char *path, const char *name, char *buf, size_t size) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_resolve(layer, path, NULL);
  return inode < 0 ? -1 : crfs_xattr_get(layer, (uint32_t)inode, name, buf, size);
}
