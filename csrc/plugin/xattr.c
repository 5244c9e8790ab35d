/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/xattr.h"

#include "plugin/lookup.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

int crfs_listxattr(struct ovl_layer *l, const char *path, char *buf, size_t size) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_lookup(layer, path, NULL);
  if (inode < 0)
    return -1;
  const struct crfs_inode *i = &layer->index.inodes[inode];
  size_t length = 0;
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &layer->index.xattrs[i->xattr_first + n];
    size_t next = length + x->name_length + 1u;
    if (next > INT_MAX || (size != 0 && next > size)) {
      errno = ERANGE;
      return -1;
    }
    if (size != 0) {
      memcpy(buf + length, layer->index.strings + x->name, x->name_length);
      buf[next - 1] = '\0';
    }
    length = next;
  }
  return (int)length;
}

int crfs_getxattr(struct ovl_layer *l, const char *path, const char *name, char *buf, size_t size) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_lookup(layer, path, NULL);
  if (inode < 0)
    return -1;
  const struct crfs_inode *i = &layer->index.inodes[inode];
  const size_t name_length = i->xattr_count == 0 ? 0 : strlen(name);
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &layer->index.xattrs[i->xattr_first + n];
    if (x->name_length != name_length || memcmp(layer->index.strings + x->name, name, name_length) != 0)
      continue;
    if (x->value_length > INT_MAX || (size != 0 && x->value_length > size)) {
      errno = ERANGE;
      return -1;
    }
    if (size != 0)
      memcpy(buf, layer->index.strings + x->value, x->value_length);
    return (int)x->value_length;
  }
  errno = ENODATA;
  return -1;
}
