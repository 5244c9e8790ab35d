/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer: an index of any bytes is refused, or read all over without leaving it. */

#include "shared/index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static volatile uint64_t sum; /* so that reading is not optimised away */

static void read_bytes(const char *bytes, uint64_t length) {
  for (uint64_t i = 0; i < length; i++)
    sum += (unsigned char)bytes[i];
}

static void read_inode(const struct crfs_index_view *v, const struct crfs_inode *i) {
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &v->xattrs[i->xattr_first + n];
    read_bytes(v->strings + x->name, x->name_length);
    read_bytes(v->strings + x->value, x->value_length);
  }
  for (uint32_t n = 0; n < i->count && S_ISDIR(i->mode); n++)
    sum += v->dirents[i->first + n].inode;
  for (uint32_t n = 0; n < i->count && S_ISREG(i->mode); n++)
    if (v->chunks[i->first + n].digest != 0)
      read_bytes((const char *)v->digests[v->chunks[i->first + n].digest - 1], 32);
  if (S_ISLNK(i->mode))
    read_bytes(v->strings + i->first, i->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct crfs_index_view view;
  void *map = malloc(size + 1); /* of exactly its size, as far as the sanitizer can tell */
  memcpy(map, data, size);
  if (crfs_index_open(&view, map, size) == NULL) {
    for (uint64_t i = 0; i < view.header->inodes.count; i++)
      read_inode(&view, &view.inodes[i]);
    for (uint64_t i = 0; i < view.header->dirents.count; i++) {
      const struct crfs_dirent *d = &view.dirents[i];
      sum += crfs_index_find(&view, view.strings + d->path, d->path_length) != NULL;
    }
    sum += crfs_index_find(&view, "no/such/path", 12) != NULL;
  }
  free(map);
  return 0;
}
